"""What is asked of the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from flask import Flask

from portal.kit.db import db

# How a transaction begins or a connection is prepared is not what a test counts.
_NOT_COUNTED = ("BEGIN", "PRAGMA", "SET ")


@contextmanager
def counted_statements(app: Flask) -> Iterator[list[str]]:
    """Collect the statements that the body sends to the database, however they are sent."""
    statements: list[str] = []
    with app.app_context():
        dialect: Any = db.engine.dialect
    execute = dialect.do_execute

    def note(cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        if not statement.startswith(_NOT_COUNTED):
            statements.append(statement)
        execute(cursor, statement, parameters, context)

    with patch.object(dialect, "do_execute", note):
        yield statements
