"""The database: column types, transactions, and what differs between SQLite and MySQL.

A service writes inside `with transaction():`; everything in it commits together or not at all, and
a block inside another joins it. Correctness rests on unique keys, CHECK constraints and updates whose
row count is looked at, which both databases have, never on SQLite's single writer.
"""

import functools
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, ParamSpec, TypeVar, cast

import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.dialects import mysql
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from portal.kit import clock, ids
from portal.kit.prepared import Outcome, Prepared

P = ParamSpec("P")
T = TypeVar("T")


class Base(DeclarativeBase):
    """What all tables share: predictable constraint names, so that migrations can name them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(
    model_class=Base,
    disable_autonaming=True,
    session_options={"expire_on_commit": False},
)

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A surrogate key; SQLite only counts up an INTEGER."""


def identifier(length: int) -> sa.types.TypeEngine[str]:
    """Return the type of a machine identifier: ASCII, compared byte by byte.

    Under MySQL's default collations `save50` equals `SAVE50 ` and even `SÄVE50`.
    """
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="ascii", collation="ascii_bin"), "mysql"
    )


LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
LongBytes = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment: aware in Python, naive UTC with microseconds in the database."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name == "mysql" else sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def one_of(column: str, values: type[Any], name: str | None = None) -> sa.CheckConstraint:
    """Return the CHECK that keeps `column` to the members of a `StrEnum`."""
    allowed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=name or column)


_RUNNING = "connection"
"""Where a session's `info` has the connection of the transaction that runs."""


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit on success, roll back on error; joins a transaction already open."""
    session = db.session()
    if _RUNNING in session.info:
        yield session
        return
    if session.in_transaction():
        # A read made on the way here has its own snapshot; SQLite could not turn it into a writer.
        session.commit()
    try:
        session.info[_RUNNING] = session.connection(execution_options={"portal_write": True})
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop(_RUNNING, None)


class ChangedMeanwhile(Exception):
    """A compare-and-set found the row changed by another; `transactional` looks again."""


# Deadlock, lock wait, server gone, connection lost (MySQL); "database is locked" has no number.
_PASSING_ERRORS = frozenset({1213, 1205, 2006, 2013})
_ATTEMPTS = 3
# Whoever waits (WeChat for 5 s) is better served by an error than by another wait for a lock: a lock that
# does not come ends it, and two waits in a row, of which the first got its lock at the last moment, take under 4 s.
_LOCK_WAIT_SECONDS = 2
_PATIENCE_SECONDS = 1.5


def _is_passing(error: DBAPIError | ChangedMeanwhile) -> bool:
    if isinstance(error, (IntegrityError, ChangedMeanwhile)):
        return True
    arguments = error.orig.args if error.orig is not None else ()
    return bool(arguments) and (arguments[0] in _PASSING_ERRORS or "database is locked" in str(arguments[0]))


def transactional(service: Callable[P, T]) -> Callable[P, T]:
    """Run a service in one transaction, whole again after a passing failure.

    Deadlocks, lock waits and lost connections are passing. So is a violated unique key: another
    transaction was first, and the second look sees its row. A service wrapped so must therefore find
    its own earlier work by a business key, because a connection lost during COMMIT may have committed.
    Inside a running transaction it joins, and the outermost service repeats.
    """

    @functools.wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if _RUNNING in db.session().info:
            return service(*args, **kwargs)
        begun = time.monotonic()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with transaction():
                    return service(*args, **kwargs)
            except (OperationalError, IntegrityError, ChangedMeanwhile) as error:
                is_too_late = time.monotonic() - begun > _PATIENCE_SECONDS
                if attempt == _ATTEMPTS or is_too_late or not _is_passing(error):
                    raise
                clock.sleep(0.02 + 0.18 * ids.random_fraction())
        raise AssertionError("unreachable")

    return run


def forbid_open_transaction() -> None:
    """Refuse to wait on a network with a transaction open, and give the connection back.

    Raises:
        RuntimeError: when called inside `transaction()`: a mistake in the code.
    """
    session = db.session()
    if _RUNNING in session.info:
        raise RuntimeError("a network call inside a transaction")
    session.commit()


_POOL_SECONDS = 3
_POOL_SIZE = 32
# However many pages poll, a quarter of the connections is left to those who write: a notification comes through (F46).
# A queue, because it is the interpreter's own: a semaphore, written in Python, costs a poll a seventh of its time.
_turns_to_read: queue.SimpleQueue[None] = queue.SimpleQueue()
for _ in range(_POOL_SIZE * 3 // 4):
    _turns_to_read.put(None)


def read(statement: sa.Select[Any], values: Mapping[str, object]) -> Sequence[Any]:
    """Return the rows of a SELECT of columns, past session and mapper.

    For the reads of busy doors, which put their statements together once: it costs a fraction of `db.session.execute`.
    Outside of a transaction it sees what is committed; inside one, what that has written too.
    """
    if db.session.registry.has() and _RUNNING in db.session().info:
        return run(statement, values).rows
    engine = db.engine
    try:
        _turns_to_read.get(timeout=_POOL_SECONDS)
    except queue.Empty:
        raise sa.exc.TimeoutError("as many reads as may run at once already do") from None
    try:
        return _prepared(statement, engine.dialect, tuple(values)).rows(engine, values)
    finally:
        _turns_to_read.put(None)


@functools.lru_cache(maxsize=256)
def _prepared(statement: sa.Executable, dialect: Dialect, names: tuple[str, ...]) -> Prepared:
    return Prepared(statement, dialect, names)


def run(statement: sa.Executable, values: Mapping[str, object]) -> Outcome:
    """Run a statement on tables (`table_of`) in the running transaction, past session and mapper.

    For statements that were put together once.

    Raises:
        RuntimeError: when no transaction runs: a mistake in the code.
    """
    connection: sa.Connection | None = db.session().info.get(_RUNNING)
    if connection is None:
        raise RuntimeError("a write outside of a transaction")
    return _prepared(statement, connection.dialect, tuple(values)).run(connection, values)


def changed_one(result: sa.Result[Any] | Outcome) -> bool:
    """Tell whether an UPDATE changed exactly one row: the answer of a compare-and-set."""
    return cast(sa.CursorResult[Any], result).rowcount == 1


def insert_row(statement: sa.Insert) -> int:
    """Run an INSERT of one row, in the running transaction, and return the id it got."""
    result = cast(sa.CursorResult[Any], db.session.execute(statement))
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def table_of(model: type[Base]) -> sa.Table:
    """Return the table that a class maps.

    A statement on tables costs a fraction of one on mapped classes (an insert a seventh), and what it writes
    is not carried over to objects that were read before.
    """
    return cast(sa.Table, model.__table__)


@functools.cache
def _insert_into(model: type[Base]) -> sa.Insert:
    return sa.insert(table_of(model))


def add_row(model: type[Base], **values: object) -> Any:
    """Insert one row of what `model` maps, in the running transaction, and return its primary key.

    For rows that are written and not read again here; columns left out get their defaults.
    """
    return run(_insert_into(model), values).key


def add_row_alone(model: type[Base], **values: object) -> None:
    """Insert one row and commit it by itself, past the session; no transaction may be open."""
    # On MySQL a statement outside of a transaction is one.
    is_transaction = db.engine.dialect.name == "sqlite"
    with db.engine.connect().execution_options(portal_write=is_transaction) as connection:
        connection.execute(_insert_into(model), values)
        connection.commit()


_MYSQL_SESSION = (
    "SET SESSION sql_mode='STRICT_TRANS_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone='+00:00', "
    f"innodb_lock_wait_timeout={_LOCK_WAIT_SECONDS}"
)


class Patience(IntEnum):
    """For how many seconds an answer of a MySQL server is waited for that stands still without closing.

    Whoever serves the web gives up before WeChat Pay does, which waits five seconds: a dead connection is seen
    by this wait, and a new one takes at most one more. It must be longer than a wait for a lock.
    """

    WEB = 3
    WORKER = 60
    COMMAND = 3600
    """A migration may rebuild a table of a million rows."""


def engine_options(url: str, patience: Patience) -> dict[str, Any]:
    """Return what `create_engine` needs for `url`: a bounded pool, and READ COMMITTED on MySQL."""
    common = {
        # An error's text goes to the logs; what was to be stored does not.
        "hide_parameters": True,
        # None beyond it: such a one would be opened anew for each use, and most of all when there is most to do.
        "pool_size": _POOL_SIZE,
        "max_overflow": 0,
        "pool_timeout": _POOL_SECONDS,
    }
    if url.startswith("sqlite"):
        return common | {"connect_args": {"timeout": 3, "check_same_thread": False}}
    return common | {
        "isolation_level": "READ COMMITTED",
        # Reads stand alone (`_prepare_mysql`): there is nothing to roll back after them.
        "skip_autocommit_rollback": True,
        "pool_recycle": 1800,
        # `_reset` does it, and only where it is needed.
        "pool_reset_on_return": None,
        "connect_args": {
            "charset": "utf8mb4",
            "connect_timeout": 1 if patience is Patience.WEB else 3,
            "read_timeout": patience.value,
            "write_timeout": patience.value,
        },
    }


def watch_connections(engine: sa.Engine) -> None:
    """Prepare every new connection of `engine` (RELIABILITY rules for SQLite and MySQL)."""
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    else:
        sa.event.listen(engine, "connect", _prepare_mysql)
        sa.event.listen(engine, "checkin", _note_use)
        sa.event.listen(engine, "checkout", _see_alive)
        sa.event.listen(engine, "begin", _begin_mysql)
        sa.event.listen(engine, "commit", _note_commit)
        sa.event.listen(engine, "handle_error", _note_error)
        sa.event.listen(engine, "reset", _reset)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Python's driver would open transactions by its own rules; `_begin_sqlite` does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=3000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A reader that later writes cannot wait for its turn, so writers say so at once.
    is_write = connection.get_execution_options().get("portal_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


# A connection that was good a moment ago is not asked again: a ping costs as much as a poll's own statement.
_TRUSTED_SECONDS = 1.0


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used_at"] = time.perf_counter()


def _see_alive(connection: Any, record: Any, _proxy: Any) -> None:
    """Ping a connection that has been idle, before it is used; a dead one is replaced, as `pool_pre_ping` would."""
    if time.perf_counter() - record.info.get("used_at", 0.0) < _TRUSTED_SECONDS:
        return
    try:
        connection.ping()
    except connection.Error as error:
        raise sa.exc.DisconnectionError from error


def _begin_mysql(connection: sa.Connection) -> None:
    """Begin what commits together; whoever only reads needs no transaction, as each read is of its moment anyway."""
    if connection.get_execution_options().get("portal_write"):
        if connection.info.get("is_open"):
            # BEGIN would commit it.
            connection.exec_driver_sql("ROLLBACK")
        connection.info["is_open"] = True
        connection.exec_driver_sql("BEGIN")


def _note_commit(connection: sa.Connection) -> None:
    # One that was lost is let go, with whatever it had open.
    if not connection.invalidated:
        connection.info.pop("is_open", None)


def _note_error(context: sa.engine.ExceptionContext) -> None:
    # A commit that failed was none: `_reset` has to roll back.
    if context.connection is not None and not context.is_disconnect:
        context.connection.info["is_open"] = True


def _reset(connection: Any, record: Any, _state: Any) -> None:
    """Roll back what a connection that comes back to the pool left open, so that it reads alone again.

    SQLAlchemy's own rollback is none, as `autocommit` is on even inside of a transaction that was begun.
    """
    is_alone = connection.get_autocommit()
    if record.info.pop("is_open", False) or not is_alone:
        connection.rollback()
    if not is_alone:
        connection.autocommit(True)


def _prepare_mysql(connection: Any, _record: Any) -> None:
    from MySQLdb.constants import FIELD_TYPE

    # Seven times as fast as the driver's own, and a page has dozens of moments.
    connection.converter[FIELD_TYPE.DATETIME] = datetime.fromisoformat
    cursor = connection.cursor()
    cursor.execute(_MYSQL_SESSION)
    cursor.close()
    connection.autocommit(True)
