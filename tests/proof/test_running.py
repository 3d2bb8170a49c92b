"""What runs is broken while people buy: the database, the broker, the worker, the portal. Nothing is lost or doubled.

Real processes on a database server and a Redis of their own (F30, F33 to F36).
"""

import contextlib
import os
import random
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.processes import ROOT, Child, free_port, http
from tests.support import databases
from tests.support.load import Customers
from tests.support.processes import Portal, Worker, plain_environment
from tests.support.running import RunningShop, eventually, running_shop
from tests.support.seeds import how_many, seed_of

pytestmark = [pytest.mark.kill, pytest.mark.database]

ROUNDS = range(how_many(1, 3))


class Broker:
    """A Redis that keeps nothing, on a port of its own."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return its address for `CELERY_BROKER_URL`."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def child(self) -> Child:
        """Return the running server."""
        assert self._child is not None
        return self._child

    def start(self) -> None:
        """Start it, empty."""
        program = shutil.which("redis-server")
        assert program, "redis-server is not on this machine: apt-get install redis-server"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self._directory]
        self._child = Child(
            "redis",
            [program, *map(str, options)],
            log=self._directory / "redis.log",
            env=plain_environment(),
            cwd=ROOT,
        )
        self._child.wait_until(lambda: "PONG" in self.ask("PING"), "does not answer", 20)

    def ask(self, command: str) -> str:
        """Send one command and return the answer, empty when there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as line:
                line.settimeout(2)
                line.sendall(f"{command}\r\n".encode())
                return line.recv(200).decode()
        except OSError:
            return ""


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[Broker]:
    """The broker between beat and workers."""
    started = Broker(tmp_path_factory.mktemp("redis"))
    started.start()
    yield started
    started.child.signal(signal.SIGCONT)
    started.child.kill9()


@pytest.fixture(scope="module")
def server() -> Iterator[databases.DatabaseServer]:
    """A database server that may be killed."""
    with databases.database_server(own=True) as own:
        yield own


@pytest.fixture(scope="module")
def running(tmp_path_factory, server, broker) -> Iterator[RunningShop]:
    """One running shop for the tests of this file."""
    directory = tmp_path_factory.mktemp("shop")
    with running_shop(directory, server, CELERY_BROKER_URL=broker.url, WEB_CONCURRENCY="2") as started:
        yield started


@pytest.fixture
def shop(running) -> RunningShop:
    """The shop, empty and whole."""
    running.begin_anew()
    return running


@pytest.fixture(params=ROUNDS)
def draw(request):
    """What this round draws from."""
    return random.Random(seed_of(f"running {request.node.name}"))


def status(shop: RunningShop, path: str) -> int:
    """Return what a path answers, 0 when nobody does."""
    try:
        return http("GET", shop.portal.url + path, seconds=8)[0]
    except OSError:
        return 0


def test_the_database_is_killed_and_comes_back(shop, server, draw):
    """F30: 503 meanwhile, alive all the same, back within ten seconds without a restart."""
    if server.is_sqlite:
        pytest.skip("SQLite has no server")
    portal, worker = shop.portal.child.pid, shop.worker.child.pid
    with Customers(shop, 6, draw) as customers:
        customers.wait_for(3)
        databases.kill_server(server)
        eventually(lambda: status(shop, "/readyz") == 503, "/readyz says so")
        assert status(shop, "/healthz") == 200
        answer = http("POST", f"{shop.portal.url}/notify/wechat", {}, headers={"Wechatpay-Serial": "x"})
        assert answer[0] == 401, "what is forged is refused without any database"
        eventually(lambda: customers.failures, "somebody to notice")
        databases.restart_server(server)
        eventually(lambda: status(shop, "/readyz") == 200, "/readyz is well again", 10)
        customers.wait_for(6)
    assert (shop.portal.child.pid, shop.worker.child.pid) == (portal, worker)
    shop.come_to_rest()


@pytest.mark.parametrize("how", ["refused", "hung", "flushed"])
def test_the_broker_is_away(shop, broker, draw, how):
    """F33: the web never talks to it, and what was to be done is done afterwards."""
    with Customers(shop, 3, draw) as customers:
        customers.wait_for(2)
        if how == "refused":
            broker.child.kill9()
        elif how == "hung":
            broker.child.signal(signal.SIGSTOP)
        else:
            broker.ask("FLUSHALL")
        customers.wait_for(6)
    assert customers.failures == []
    if how == "refused":
        broker.start()
    elif how == "hung":
        broker.child.signal(signal.SIGCONT)
    shop.come_to_rest()


def test_two_workers_and_two_beats(shop, draw):
    """F35: every piece of work is claimed once, whoever ticks and however often."""
    with Worker(shop.env, number=2), Customers(shop, 4, draw) as customers:
        customers.wait_for(8)
    shop.come_to_rest()
    assert shop.one("SELECT MAX(attempts) FROM outbox WHERE kind = 'mail_license'") == 1


def test_a_worker_is_killed_with_a_mail_in_its_hands(shop, draw):
    """F34: its lease ends, and another worker takes the work over."""
    shop.worker.kill9()
    with Customers(shop, 1, draw, most=1) as customers:
        customers.wait_for(1)
    shop.worker.env["PORTAL_FAULT"] = "mail.after_send:kill"
    shop.worker.start()
    eventually(shop.mails, "the first mail")
    eventually(lambda: shop.worker.child.exit_code is not None, "the worker to die")
    assert shop.one("SELECT COUNT(*) FROM outbox WHERE kind = 'mail_license' AND status = 'pending'") == 1
    with shop.engine.begin() as connection:  # instead of waiting for a minute
        connection.exec_driver_sql("UPDATE outbox SET lease_until = created_at WHERE status = 'pending'")
    shop.worker.restart(PORTAL_FAULT="")
    shop.come_to_rest()


def test_everything_is_killed_right_after_somebody_paid(shop):
    """The power is cut: nobody here heard of the payment but WeChat."""
    visitor = shop.visitor()
    visitor.register("learner@example.com")
    order_id = visitor.buy()
    number = shop.number_of(order_id)
    shop.portal.kill9()
    shop.worker.kill9()
    shop.pay(number)
    shop.portal.restart()
    shop.worker.restart()
    eventually(lambda: visitor.state(order_id) == "delivered", "the license on the page", 60)
    shop.come_to_rest()


@pytest.mark.parametrize("how", ["reload", "replace"])
def test_a_new_version_is_deployed(shop, draw, how):
    """F36: workers are reloaded (HUP), or a new master takes the socket over (USR2) and the old one ends (TERM)."""
    old = shop.portal.child
    before = old.output().count("takes requests")

    def are_new_there() -> bool:
        return old.output().count("takes requests") >= before + 2

    with Customers(shop, 6, draw) as customers:
        customers.wait_for(3)
        if how == "reload":
            old.signal_leader(signal.SIGHUP)
            eventually(are_new_there, "new workers", 60)
        else:
            old.signal_leader(signal.SIGUSR2)
            eventually(are_new_there, "a new master with its workers", 60)
            old.signal_leader(signal.SIGTERM)
            eventually(lambda: old.exit_code is not None, "the old master to end", 40)
        customers.wait_for(6)
    assert customers.failures == []
    shop.come_to_rest()
    if how == "replace":
        # The new master is nobody's child; it ends with its group.
        old.kill9()


def test_a_web_worker_is_killed_under_load(shop, draw):
    """F36: only what it was answering fails, and each of those can be asked again."""
    with Customers(shop, 6, draw) as customers:
        customers.wait_for(3)
        for _ in range(2):
            kill_a_web_worker(shop.portal)
            customers.wait_for(3)
    assert len(customers.failures) < 40
    shop.come_to_rest()


def kill_a_web_worker(portal: Portal) -> None:
    """Kill one of gunicorn's workers, as the kernel does when memory ends."""
    children = Path(f"/proc/{portal.child.pid}/task/{portal.child.pid}/children")
    with contextlib.suppress(ProcessLookupError, IndexError):
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
