"""Connections that die while a COMMIT is answered: it took effect, and nobody was told."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from portal.kit.db import _RUNNING, db


@contextmanager
def lost_commit(number: int = 1) -> Iterator[None]:
    """Lose the answer to the COMMIT of one transaction of the body, the first unless told; call inside a context."""
    dialect: Any = db.engine.dialect
    commit, commits = dialect.do_commit, itertools.count(1)
    lost = []

    def lose(connection: Any) -> None:
        commit(connection)
        if _RUNNING in db.session().info and next(commits) == number:
            lost.append(number)
            raise dialect.dbapi.OperationalError(2013, "Lost connection to server during query")

    with patch.object(dialect, "do_commit", lose):
        yield
    assert lost, "there was no such COMMIT"
