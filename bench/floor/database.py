"""A connection per thread, and nothing between the driver and the SQL."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

_URL = os.environ["DATABASE_URL"]
IS_SQLITE = _URL.startswith("sqlite")
FOR_UPDATE = "" if IS_SQLITE else " FOR UPDATE"
_local = threading.local()


def _connect() -> Any:
    if IS_SQLITE:
        connection = sqlite3.connect(_URL.removeprefix("sqlite:///"), timeout=3, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=3000"):
            connection.execute(f"PRAGMA {pragma}")
        return connection
    import MySQLdb

    parts = urlsplit(_URL)
    connection = MySQLdb.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        passwd=parts.password,
        db=parts.path.strip("/"),
        charset="utf8mb4",
        autocommit=True,
    )
    connection.cursor().execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    return connection


def _connection(name: str) -> Any:
    if not hasattr(_local, name):
        setattr(_local, name, _connect())
        if name == "writer" and not IS_SQLITE:
            _local.writer.autocommit(False)
    return getattr(_local, name)


def _runner(connection: Any) -> Callable[..., Any]:
    cursor = connection.cursor()

    def run(sql: str, *values: Any) -> Any:
        cursor.execute(sql.replace("%s", "?") if IS_SQLITE else sql, values)
        return cursor

    return run


def read(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of one SELECT."""
    return list(_runner(_connection("reader"))(sql, *values).fetchall())


@contextmanager
def transaction() -> Iterator[Callable[..., Any]]:
    """Give a function that runs a statement and returns its cursor; commit, or roll back on an error."""
    connection = _connection("writer")
    if IS_SQLITE:
        connection.execute("BEGIN IMMEDIATE")
    try:
        yield _runner(connection)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
