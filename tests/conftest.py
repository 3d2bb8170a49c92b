"""What tests share: a portal on a real database, the sandbox over HTTP, and a clock that can be moved."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from portal.app import create_app
from portal.catalogue import loading
from portal.config import ROOT, load_settings
from portal.kit import clock as portal_clock
from portal.kit.db import db
from portal.tools import Tools
from portal.web.limits import limiter
from tests.support import databases, seeds
from tests.support.processes import Sandbox, portal_environment
from tests.support.shop import Shop


def pytest_configure(config: pytest.Config) -> None:
    """Choose the run's seed, and start its one database server, if it needs one."""
    seeds.choose_seed()
    databases.share_server(config)


# Where the cases of one test differ by what Python makes of their input, and reach the database alike or not at all.
_DOORS = ("tests/web/", "tests/commands/", "tests/gateways/")


def _cases_of_a_door() -> int | None:
    """Return how many cases of a door's test are run, None for all: one on a server, or what the caller says."""
    said = os.environ.get("PORTAL_TEST_CASES", "" if databases.wanted_kind() == "sqlite" else "1")
    return int(said) if said else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has been shown by a test's first cases, where time is short (`_cases_of_a_door`)."""
    most = _cases_of_a_door()
    if most is None:
        return
    seen: Counter[str] = Counter()
    left_out = set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        seen[test] += 1
        if test.startswith(_DOORS) and seen[test] > most:
            left_out.add(item)
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the seed, so that whatever was drawn can be drawn again."""
    terminalreporter.write_line(f"{seeds.VARIABLE}={seeds.choose_seed()}")


@pytest.fixture(scope="session")
def database_server() -> Iterator[databases.DatabaseServer]:
    """The server this run's databases are made on."""
    with databases.database_server() as server:
        yield server


@pytest.fixture(scope="session")
def session_sandbox() -> Iterator[Sandbox]:
    """One WeChat Pay for all tests of a process; `sandbox` gives it empty."""
    with (
        databases.memory_directory("portal-wechat-") as directory,
        Sandbox(Path(directory) / "sandbox") as sandbox,
    ):
        yield sandbox


@pytest.fixture(scope="session")
def session_app(
    database_server: databases.DatabaseServer,
    session_sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """One portal for all tests of a process, its database made by the migrations; `app` gives it empty."""
    url = databases.new_database(database_server)
    environment = portal_environment(tmp_path_factory.mktemp("var"), url, session_sandbox)
    app = create_app(load_settings(environment))
    app.config["TESTING"] = False  # errors are answered, as they are for users
    with app.app_context():
        upgrade()
        _tools(app).key_ring.rotate()
    yield app
    with app.app_context():
        db.engine.dispose()
    databases.drop_database(database_server, url)


def _tools(app: Flask) -> Tools:
    tools: Tools = app.extensions["portal_tools"]
    return tools


@pytest.fixture
def sandbox(session_sandbox: Sandbox) -> Sandbox:
    """WeChat Pay without any order, fault or moved clock."""
    session_sandbox.control("POST", "/control/reset", {})
    return session_sandbox


class Clock:
    """The portal's time; the sandbox goes with it. Waiting takes no time."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.offset = timedelta(0)
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the moved moment."""
        return datetime.now(UTC) + self.offset

    def travel(self, **step: float) -> None:
        """Go on by `timedelta(**step)`, on both sides."""
        self.offset += timedelta(**step)
        self._sandbox.control("POST", "/control/clock", {"offset": self.offset.total_seconds()})


@pytest.fixture
def clock(sandbox: Sandbox) -> Iterator[Clock]:
    """A clock that the test moves."""
    moved = Clock(sandbox)
    with portal_clock.replaced(moved.now, moved.slept.append):
        yield moved


@pytest.fixture(scope="session")
def demo_rows(session_app: Flask) -> dict[sa.Table, list[dict[str, Any]]]:
    """The rows of the demo catalogue, loaded once: reading YAML for every test would take longer than most tests."""
    with session_app.app_context():
        _begin_with({})
        loading.load((ROOT / "portal/catalogue/demo.yaml").read_text(encoding="utf-8"))
        tables = [
            table
            for table in db.Model.metadata.sorted_tables
            if table.name in {"products", "courses", "prices"}
        ]
        with db.engine.connect() as connection:
            return {
                table: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                for table in tables
            }


@pytest.fixture(scope="session")
def begin_anew(session_app: Flask, demo_rows: dict[sa.Table, list[dict[str, Any]]]) -> Callable[[], None]:
    """Empty the portal: the demo catalogue, and nothing else in its database or its memory."""

    def begin() -> None:
        with session_app.app_context():
            db.session.remove()
            _begin_with(demo_rows)
            limiter.reset()
            _tools(session_app).board.forget()
            for gateway in _tools(session_app).gateways.values():
                gateway.forget_keys()
            db.session.remove()

    return begin


@pytest.fixture
def app(session_app: Flask, sandbox: Sandbox, begin_anew: Callable[[], None]) -> Flask:
    """The portal with the demo catalogue and nothing else in its database."""
    begin_anew()
    return session_app


def _begin_with(rows: dict[sa.Table, list[dict[str, Any]]]) -> None:
    with db.engine.begin() as connection:
        databases.empty_tables(connection)
        for table, kept in rows.items():
            connection.execute(sa.insert(table), kept)


@pytest.fixture
def tools(app: Flask) -> Tools:
    """The portal's equipment."""
    return _tools(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without script."""
    return app.test_client()


@pytest.fixture
def shop(app: Flask, sandbox: Sandbox) -> Shop:
    """The portal as its users meet it: learners who buy, a WeChat that pays and tells."""
    return Shop(app, sandbox)


@pytest.fixture
def count(app: Flask) -> Callable[..., int]:
    """Count the rows of a model, with conditions."""

    def rows(model: Any, *conditions: Any) -> int:
        with app.app_context():
            return db.session.scalar(sa.select(sa.func.count()).select_from(model).where(*conditions)) or 0

    return rows


@pytest.fixture
def mails(tools: Tools) -> Callable[[], list[Path]]:
    """List the mails that were sent."""
    folder = tools.settings.MAIL_DIR
    for old in folder.glob("*.eml"):
        old.unlink()
    return lambda: sorted(folder.glob("*.eml"))


@pytest.fixture(autouse=True)
def no_proxies() -> None:
    """Nothing but loopback is spoken to, whatever the environment says."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]
