"""A database for every test, on SQLite, MariaDB or MySQL; `PORTAL_TEST_DATABASE` says which.

Servers are thrown away: started on a free port with their files in a temporary directory, as any user,
touching nothing else on the machine. One is enough for a test run:

    def pytest_configure(config):                   # tests/conftest.py
        databases.share_server(config)              # started once, before xdist starts its workers

    @pytest.fixture(scope="session")
    def database_server():
        with databases.database_server() as server: # the shared one
            yield server

A test that kills its server asks for its own: `database_server(own=True)`.
"""

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from portal.kit.db import db
from scripts.processes import Child, free_port

KINDS = ("sqlite", "mariadb", "mysql")
USER, PASSWORD = "portal", "portal-test"
START_SECONDS = 60.0

# What MySQL does by default and the portal asks for; Debian's MariaDB is laxer.
_SQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
_COMMON_OPTIONS = (
    "--bind-address=127.0.0.1",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
    "--skip-name-resolve",
    f"--sql-mode={_SQL_MODE}",
)
# Read by the server at every start: an account that may come in over TCP.
_FIRST_STATEMENTS = f"""\
CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;
"""
_SHARED = "PORTAL_TEST_DATABASE_URL"
_numbers = itertools.count(1)


class NoDatabaseServer(Exception):
    """The server that was asked for is not on this machine; the text says how to get it."""


@dataclass
class DatabaseServer:
    """Where databases are made. SQLite needs no server: only `directory` is used."""

    kind: str
    directory: Path
    port: int = 0
    child: Child | None = None
    command: list[str] = field(default_factory=list)

    @property
    def is_sqlite(self) -> bool:
        """Tell whether databases are plain files."""
        return self.kind == "sqlite"

    def url(self, name: str) -> str:
        """Return the `DATABASE_URL` of the database `name`."""
        if self.is_sqlite:
            return f"sqlite:///{self.directory / name}.db"
        return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"


def wanted_kind() -> str:
    """Return the kind of database this test run is about.

    Raises:
        ValueError: when `PORTAL_TEST_DATABASE` holds anything else.
    """
    kind = os.environ.get("PORTAL_TEST_DATABASE", "sqlite")
    if kind not in KINDS:
        raise ValueError(f"PORTAL_TEST_DATABASE is {kind!r}; it may be {', '.join(KINDS)}")
    return kind


def share_server(config: Any) -> None:
    """Start the run's one server, in the process that starts the xdist workers; call from `pytest_configure`."""
    if wanted_kind() == "sqlite" or _SHARED in os.environ:
        return
    server = start_server(wanted_kind())
    os.environ[_SHARED] = server.url("")

    def stop() -> None:
        os.environ.pop(_SHARED, None)
        stop_server(server)

    config.add_cleanup(stop)


def memory_directory(prefix: str) -> tempfile.TemporaryDirectory[str]:
    """Make a temporary directory in memory where the system has one: what is thrown away need not be durable."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix=prefix, dir=memory if memory.is_dir() else None)


@contextlib.contextmanager
def database_server(*, own: bool = False, options: Sequence[str] = ()) -> Iterator[DatabaseServer]:
    """Give the shared server, or with `own` one that nobody else uses and that may be killed.

    Args:
        options: what one's own MariaDB or MySQL server is started with besides.
    """
    kind = wanted_kind()
    if kind == "sqlite":
        with memory_directory("portal-sqlite-") as directory:
            yield DatabaseServer(kind, Path(directory))
    elif (shared := os.environ.get(_SHARED)) and not own:
        yield DatabaseServer(kind, Path(tempfile.gettempdir()), urlsplit(shared).port or 3306)
    else:
        server = start_server(kind, options)
        try:
            yield server
        finally:
            stop_server(server)


def new_database(server: DatabaseServer, name: str | None = None) -> str:
    """Create an empty database and return its `DATABASE_URL`."""
    name = name or f"portal_{os.getpid()}_{next(_numbers)}"
    if not server.is_sqlite:
        execute(server, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    return server.url(name)


def drop_database(server: DatabaseServer, url: str) -> None:
    """Remove a database that `new_database` made."""
    if server.is_sqlite:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(url.removeprefix("sqlite:///") + suffix).unlink(missing_ok=True)
    else:
        execute(server, f"DROP DATABASE IF EXISTS `{urlsplit(url).path.lstrip('/')}`")


def connect(server: DatabaseServer, name: str = "") -> Any:
    """Return a connection of MySQLdb to a database of a MariaDB or MySQL server, as its administrator."""
    import MySQLdb  # here, because it is absent where only SQLite is tested

    return MySQLdb.connect(
        host="127.0.0.1",
        port=server.port,
        user=USER,
        passwd=PASSWORD,
        db=name,
        charset="utf8mb4",
        connect_timeout=5,
    )


def execute(server: DatabaseServer, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement as the administrator of a MariaDB or MySQL server; return the rows."""
    connection = connect(server)
    try:
        connection.autocommit(True)
        cursor = connection.cursor()
        cursor.execute(statement)
        return list(cursor.fetchall())
    finally:
        connection.close()


def start_server(kind: str, options: Sequence[str] = ()) -> DatabaseServer:
    """Make a fresh MariaDB or MySQL server and wait until it answers.

    Raises:
        NoDatabaseServer: when its programs are not installed.
    """
    directory = Path(tempfile.mkdtemp(prefix=f"portal-{kind}-"))
    server = DatabaseServer(kind, directory, free_port())
    try:
        (directory / "first.sql").write_text(_FIRST_STATEMENTS)
        prepare = _prepare_mariadb if kind == "mariadb" else _prepare_mysql
        server.command = [*prepare(directory), *options]
        restart_server(server)
    except BaseException:
        stop_server(server)
        raise
    return server


def restart_server(server: DatabaseServer) -> None:
    """Start a server again on the same port with the same data, after `kill_server`."""
    server.child = Child(
        server.kind,
        [
            *server.command,
            *_COMMON_OPTIONS,
            f"--port={server.port}",
            f"--init-file={server.directory / 'first.sql'}",
        ],
        log=server.directory / "server.log",
        env=os.environ,
        cwd=server.directory,
    )
    server.child.wait_until(lambda: _is_answering(server), "does not answer", START_SECONDS)


def kill_server(server: DatabaseServer) -> None:
    """End a server as a power cut would. Only for one's own: others are using the shared one."""
    if server.child is None:
        raise ValueError("this server is not ours to kill: use database_server(own=True)")
    server.child.kill9()


def stop_server(server: DatabaseServer) -> None:
    """End a server that is not needed any more and remove its files."""
    if server.child is not None:
        server.child.kill9()  # nothing of it is kept, so there is nothing to wait for
    shutil.rmtree(server.directory, ignore_errors=True)


def _is_answering(server: DatabaseServer) -> bool:
    import MySQLdb

    try:
        execute(server, "SELECT 1")
    except MySQLdb.OperationalError:
        return False
    return True


def _prepare_mariadb(directory: Path) -> list[str]:
    install = _program("mariadb-install-db", "apt-get install mariadb-server libmariadb-dev")
    mariadbd = _program("mariadbd", "apt-get install mariadb-server libmariadb-dev")
    data = f"--datadir={directory / 'data'}"
    _run(
        install,
        "--no-defaults",
        *_as_root(),
        data,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    )
    return [
        mariadbd,
        "--no-defaults",
        *_as_root(),
        data,
        f"--socket={directory / 's.sock'}",
        f"--pid-file={directory / 'pid'}",
        "--skip-log-bin",
    ]


def _prepare_mysql(directory: Path) -> list[str]:
    # What PORTAL_TEST_MYSQLD names takes care of its own defaults: it may be a wrapper around an unpacked server.
    named = os.environ.get("PORTAL_TEST_MYSQLD")
    remedy = "PORTAL_TEST_MYSQLD=/path/to/mysqld"
    mysqld = [named] if named else [_program("mysqld", remedy), "--no-defaults"]
    version = subprocess.run([mysqld[0], "--version"], capture_output=True, text=True, check=True).stdout
    if "MariaDB" in version:
        raise NoDatabaseServer(f"{mysqld[0]} is MariaDB; name a MySQL server with {remedy}")
    data = f"--datadir={directory / 'data'}"
    _run(*mysqld, "--initialize-insecure", *_as_root(), data)
    return [
        *mysqld,
        *_as_root(),
        data,
        f"--socket={directory / 's.sock'}",
        f"--pid-file={directory / 'pid'}",
        "--mysqlx=OFF",
        "--disable-log-bin",
        # Half the memory and disk, and nothing the portal uses.
        "--performance-schema=OFF",
        "--innodb-redo-log-capacity=8M",
    ]


def _as_root() -> list[str]:
    # Both servers refuse to run as root unless told so by name.
    return ["--user=root"] if os.geteuid() == 0 else []


def _program(name: str, remedy: str) -> str:
    # Servers live in sbin, which is not on everybody's PATH.
    found = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/usr/local/sbin")
    if found is None:
        raise NoDatabaseServer(f"{name} is not on this machine. Mend it with: {remedy}")
    return found


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise NoDatabaseServer(f"{command[0]} failed:\n{result.stdout}{result.stderr}")


GUARDED = ("audit_rows", "ledger_entries")
"""Tables whose triggers refuse what tests do to them between and behind the portal's back."""


def triggers(engine: sa.Engine) -> set[str]:
    """Return the names of the triggers of a database."""
    is_sqlite = engine.dialect.name == "sqlite"
    all_of_them = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if is_sqlite
        else "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
    )
    with engine.connect() as connection:
        return {row[0] for row in connection.exec_driver_sql(all_of_them)}


def empty_tables(connection: sa.Connection, kept: frozenset[str] = frozenset()) -> None:
    """Delete all rows of all tables but `kept`."""
    for table in reversed(db.Model.metadata.sorted_tables):
        if table.name in kept:
            continue
        if table.name in GUARDED:
            _empty_guarded(connection, table)
        else:
            connection.execute(sa.delete(table))


def _empty_guarded(connection: sa.Connection, table: sa.Table) -> None:
    if connection.dialect.name == "sqlite":
        with unguarded(connection, table.name):
            connection.execute(sa.delete(table))
    elif connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
        connection.exec_driver_sql(f"TRUNCATE TABLE {table.name}")  # which passes triggers


@contextlib.contextmanager
def unguarded(connection: sa.Connection, table: str) -> Iterator[None]:
    """Take the triggers of a table away for a while, as somebody could who administers the database."""
    if connection.dialect.name == "sqlite":
        all_of_them = sa.text(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"
        )
        found = {row[0]: row[1] for row in connection.execute(all_of_them, {"table": table})}
    else:
        names = [row[0] for row in connection.exec_driver_sql(f"SHOW TRIGGERS WHERE `Table` = '{table}'")]
        found = {
            name: connection.exec_driver_sql(f"SHOW CREATE TRIGGER {name}").all()[0][2] for name in names
        }
    for name in found:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    try:
        yield
    finally:
        for statement in found.values():
            connection.execute(sa.text(statement))


@contextlib.contextmanager
def all_unguarded(connection: sa.Connection) -> Iterator[None]:
    """Take all triggers away for a while."""
    with contextlib.ExitStack() as stack:
        for table in GUARDED:
            stack.enter_context(unguarded(connection, table))
        yield
