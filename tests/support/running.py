"""A whole running shop (portal, worker, sandbox, database) for tests that break it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from portal.kit.db import db
from tests.support import books, databases
from tests.support.browser import Browser
from tests.support.processes import Portal, Sandbox, Worker, flask, portal_environment

_MONTH_SECONDS = 30 * 86_400.0


def eventually(check: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Return what `check` gives once it is true; an error after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def _attached(mail: Any) -> list[str]:
    names = (part.get_filename() or "" for part in mail.iter_attachments())
    return [name for name in names if name.endswith(".lic.txt")]


class RunningShop:
    """The processes, and what can be known of them from outside."""

    def __init__(self, env: dict[str, str], sandbox: Sandbox, url: str) -> None:
        self.env = env
        self.sandbox = sandbox
        self.portal = Portal(env)
        self.worker = Worker(env)
        self.engine = sa.create_engine(url.replace("mysql://", "mysql+mysqldb://", 1), pool_pre_ping=True)

    def visitor(self) -> Browser:
        """Return a fresh browser."""
        return Browser(self.portal.url)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Read the database directly."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(statement), values))

    def one(self, statement: str, **values: Any) -> Any:
        """Read one value directly."""
        return self.rows(statement, **values)[0][0]

    def mails(self) -> list[Any]:
        """Return the mails that were sent, read."""
        paths = sorted(Path(self.env["MAIL_DIR"]).glob("*.eml"))
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]

    def number_of(self, order_id: str) -> str:
        """Return the `out_trade_no` of an order's latest attempt."""
        statement = (
            "SELECT p.out_trade_no FROM payments p JOIN orders o ON o.id = p.order_id "
            "WHERE o.public_id = :id ORDER BY p.id DESC"
        )
        return str(self.one(statement, id=order_id))

    def pay(self, out_trade_no: str, **options: Any) -> Any:
        """Pay on the sandbox's phone; WeChat then notifies the portal."""
        return self.sandbox.control("POST", "/control/pay", {"out_trade_no": out_trade_no, **options})

    def books(self) -> list[dict[str, Any]]:
        """Return WeChat's own books."""
        orders: list[dict[str, Any]] = self.sandbox.control("GET", "/control/orders")["orders"]
        return orders

    def begin_anew(self) -> None:
        """Forget all orders and people, here and at WeChat, and run whole again: the next test's shop."""
        self.sandbox.control("POST", "/control/reset", {})
        with self.engine.begin() as connection:
            databases.empty_tables(connection, frozenset({"products", "courses", "prices"}))
        for mail in Path(self.env["MAIL_DIR"]).glob("*.eml"):
            mail.unlink()
        self.portal.run_unarmed()
        self.worker.run_unarmed()

    def let_pass(self, seconds: float) -> None:
        """Bring everything that waits nearer by so much, instead of waiting for it."""
        waiting = {"outbox": ("due_at", "lease_until"), "payments": ("queried_at", "call_until")}
        for name, columns in waiting.items():
            table = db.Model.metadata.tables[name]
            for column in columns:
                with self.engine.begin() as connection:
                    found = sa.select(table.c.id, table.c[column]).where(table.c[column].is_not(None))
                    for row_id, moment in connection.execute(found).all():
                        row = sa.update(table).where(table.c.id == row_id, table.c[column] == moment)
                        connection.execute(row.values({column: moment - timedelta(seconds=seconds)}))

    def refunds(self) -> list[dict[str, Any]]:
        """Return WeChat's own books of refunds."""
        refunds: list[dict[str, Any]] = self.sandbox.control("GET", "/control/refunds")["refunds"]
        return refunds

    def differences(self) -> list[str]:
        """Return what differs between WeChat's books and ours."""
        with self.engine.connect() as connection:
            return books.differences(connection, self.books(), self.refunds())

    def come_to_rest(self, seconds: float = 90) -> None:
        """Wait until WeChat's books and ours are the same and nothing is left to do.

        Raises:
            AssertionError: with the differences, when they are not gone in time.
        """
        began = passed = time.monotonic()
        step = 120.0
        while (found := self.differences()) and time.monotonic() < began + seconds:
            time.sleep(0.2)
            if time.monotonic() > passed + 2:
                self.let_pass(step)
                step, passed = min(step * 4, _MONTH_SECONDS), time.monotonic()
        assert not found, "\n".join(found)
        receipts = len([mail for mail in self.mails() if _attached(mail)])
        made = self.one("SELECT COUNT(*) FROM licenses")
        ended = self.one("SELECT COUNT(*) FROM licenses WHERE status <> 'active'")
        # One that ended while its mail waited is not mailed any more.
        assert made - ended <= receipts <= made


@contextmanager
def running_shop(
    directory: Path, server: databases.DatabaseServer, *, worker: bool = True, **settings: str
) -> Iterator[RunningShop]:
    """Start a shop with its catalogue and first key; everything ends with the block."""
    url = databases.new_database(server)
    with Sandbox(directory / "sandbox", "--notify-speed", "15") as sandbox:
        env = portal_environment(directory / "var", url, sandbox, **settings)
        flask(env, "db", "upgrade")
        flask(env, "catalogue", "load", "portal/catalogue/demo.yaml")
        json.loads(flask(env, "license-keys", "rotate", "--json").stdout)
        shop = RunningShop(env, sandbox, url)
        try:
            shop.portal.start()
            if worker:
                shop.worker.start()
            yield shop
        finally:
            for process in (shop.worker, shop.portal):
                process.__exit__(None, None, None)
            shop.engine.dispose()
            databases.drop_database(server, url)
