"""A process that dies by kill -9 at a named point: a fork of the test's own, which needs no second to start.

The child has its own connections to the database and to WeChat, does one thing, and is killed in the middle
of it by the armed point. What it had committed stays; what it had not is rolled back by the server, as after
any crash.
"""

import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from portal.app import make_tools
from portal.kit import faults
from portal.kit.db import db

_SURVIVED = 0
_FAILED = 3


def killed_at(app: Flask, spec: str, deed: Callable[[], object], note: Path) -> bool:
    """Do `deed` in a process that is armed with `spec` (`PORTAL_FAULT`); tell whether the point killed it.

    Args:
        note: a file for the child's last words.

    Raises:
        AssertionError: when the deed failed in another way than by the point.
    """
    with app.app_context():
        db.session.remove()
        # A connection must not be shared by two processes, and SQLite's not even be carried over.
        db.engine.dispose()
    pid = os.fork()
    if pid == 0:
        _live_and_die(app, spec, deed, note)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    words = note.read_text(encoding="utf-8") if note.exists() else ""
    assert os.WEXITSTATUS(status) == _SURVIVED, words
    return False


def _live_and_die(app: Flask, spec: str, deed: Callable[[], object], note: Path) -> None:
    code = _FAILED
    try:
        # The pooled connections to WeChat are the parent's.
        app.extensions["portal_tools"] = make_tools(app.extensions["portal_tools"].settings)
        faults.arm(spec)
        deed()
        code = _SURVIVED
    except BaseException:
        note.write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        # Nothing of the test run may happen a second time in here.
        os._exit(code)
