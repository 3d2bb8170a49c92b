"""A thousand purchases while everything breaks: `python -m tests.proof.thousand [--purchases N] [--rate 0.05]`.

Learners buy over HTTP from a real portal with two web and two background workers. For each purchase, each family
of faults strikes with the same probability: a call to WeChat (of any kind, on each route), a notification lost,
doubled or forged, a cancel, a refund by staff or by hand, a process killed, a portal armed at a point, a key or the mail folder away; and the
database is killed and started again. Everything is drawn from `PROVE_SEED`. At the end all is healed; then WeChat's
books, the ledger, the licenses and the mails must be the same.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from portal.audit import services as audit
from portal.doctor.examination import examine_promises
from portal.kit import faults
from portal.kit.errors import PortalError
from portal.learners.models import Role
from portal.refunds.request import Wish, request_by_staff
from portal.tools import Tools
from scripts.processes import ProcessFailed
from tests.factories.learners import make_learner
from tests.proof.world import FAULTS, WRONG
from tests.support import databases
from tests.support.load import Customers, app_of
from tests.support.processes import Portal, Worker
from tests.support.running import RunningShop, running_shop
from tests.support.seeds import VARIABLE, choose_seed

CUSTOMERS = 24
_SLOW: tuple[dict[str, Any], ...] = ({"kind": "hang"}, {"kind": "drip"}, {"kind": "delay", "seconds": 2})
_AWAY_SECONDS = 0.5


class Chaos:
    """Breaks the shop in proportion to what is bought, from the main thread (which owns the processes)."""

    def __init__(self, shop: RunningShop, server: databases.DatabaseServer, rate: float, draw: random.Random):
        self._shop = shop
        self._server = server
        self._rate = rate
        self._draw = draw
        self._app = app_of(shop)
        self._tools: Tools = self._app.extensions["portal_tools"]
        self._second_worker = Worker(shop.env, number=2).start()
        self._waiting: deque[Callable[[], None]] = deque()
        self.done: Counter[str] = Counter()

    def strike(self, purchases: int) -> None:
        """Draw what goes wrong for so many more purchases; of what takes time, do one thing."""
        at_once: tuple[Callable[[], None], ...] = (
            lambda: self._gateway("create"),
            lambda: self._gateway("query"),
            lambda: self._gateway("close"),
            self._tell_again,
            self._tell_wrongly,
            self._give_back,
            self._give_back_by_hand,
        )
        for _ in range(purchases):
            for deed in at_once:
                if self._draw.random() < self._rate:
                    deed()
            for deed in (self._kill, self._key_away, self._mail_away):
                if self._draw.random() < self._rate:
                    self._waiting.append(deed)
        if self._waiting:
            self._waiting.popleft()()

    def heal(self) -> None:
        """Let everything run whole again."""
        self._shop.sandbox.control("DELETE", "/control/faults")
        self._shop.portal.run_unarmed()
        self._shop.worker.run_unarmed()
        self._second_worker.run_unarmed()

    def examined(self) -> list[str]:
        """Return what the doctor finds, once what the audit wrote last is sealed."""
        with self._app.app_context():
            while audit.seal():
                pass
            found = examine_promises(self._tools, timedelta(0))
        return [f"{broken.check}: {broken.problem} {broken.ids}" for broken in found]

    def stop(self) -> None:
        """End the second worker."""
        self._second_worker.kill9()

    def struck(self) -> Counter[str]:
        """Return how often each kind of fault at WeChat's side really struck."""
        found: Counter[str] = Counter()
        for fault in self._shop.sandbox.control("GET", "/control/faults")["faults"]:
            found[fault["kind"]] += fault["hits"]
        return found

    def _gateway(self, route: str) -> None:
        fault = dict(self._draw.choice([*FAULTS, *_SLOW]))
        if fault["kind"] == "error" and route == "query":
            fault = {"kind": "drop"}
        self._shop.sandbox.control("POST", "/control/faults", {"route": route, "times": 1, **fault})
        self.done[f"{route}: {fault['kind']}"] += 1

    def _paid_number(self) -> str | None:
        try:
            found = self._shop.rows("SELECT out_trade_no FROM payments WHERE status = 'paid'")
        except Exception:  # the database is being killed, too
            return None
        return str(self._draw.choice(found)[0]) if found else None

    def _tell_again(self) -> None:
        number = self._paid_number()
        if number is not None:
            try:
                again = {"out_trade_no": number, "times": 3, "parallel": 3}
                self._shop.sandbox.control("POST", "/control/notifications/redeliver", again)
                self.done["notification: told again"] += 3
            except ProcessFailed:
                return  # one that WeChat never told of

    def _tell_wrongly(self) -> None:
        number = self._paid_number()
        if number is None:
            return
        options, _ = self._draw.choice(WRONG)
        built = self._shop.sandbox.control(
            "POST", "/control/notifications/build", {"out_trade_no": number, **options}
        )
        try:
            requests.post(
                f"{self._shop.portal.url}/notify/wechat",
                data=built["body"].encode(),
                headers={**built["headers"], "Content-Type": "application/json"},
                timeout=10,
            )
        except requests.RequestException:
            return
        self.done["notification: forged or wrong"] += 1

    def _give_back(self) -> None:
        """Somebody of the staff refunds a payment, or half of it."""
        number = self._paid_number()
        if number is None:
            return
        part = self._draw.choice([None, 3000])
        wish = Wish("Bought by mistake", f"wish-{self._draw.getrandbits(60)}", part)
        try:
            with self._app.app_context():
                request_by_staff(make_learner(role=Role.FINANCE), number, wish, self._tools)
        except (PortalError, sa.exc.SQLAlchemyError):  # given back already, or the database is being killed
            return
        self.done["refund"] += 1

    def _give_back_by_hand(self) -> None:
        number = self._paid_number()
        if number is not None:
            facts = {"out_trade_no": number, "amount": 2000, "notify": True}
            with suppress(ProcessFailed):
                self._shop.sandbox.control("POST", "/control/refunds/console", facts)
                self.done["refund by hand"] += 1

    def _kill(self) -> None:
        deeds = [self._kill_a_web_worker, self._kill_a_worker, self._kill_the_portal, self._arm_the_portal]
        if not self._server.is_sqlite and self.done["kill: database"] < 3:
            deeds.append(self._kill_the_database)
        self._draw.choice(deeds)()

    def _kill_a_web_worker(self) -> None:
        leader = self._shop.portal.child.pid
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        if children:
            os.kill(int(self._draw.choice(children)), signal.SIGKILL)
            self.done["kill: web worker"] += 1

    def _kill_a_worker(self) -> None:
        worker = self._draw.choice([self._shop.worker, self._second_worker])
        worker.kill9()
        worker.env["PORTAL_FAULT"] = "mail.after_send:kill" if self._draw.random() < 0.3 else ""
        worker.start()
        self.done["kill: worker"] += 1

    def _kill_the_portal(self) -> None:
        self._restart(self._shop.portal, "")
        self.done["kill: portal"] += 1

    def _arm_the_portal(self) -> None:
        point = self._draw.choice(sorted(faults.POINTS))
        self._restart(self._shop.portal, f"{point}:kill:{self._draw.randint(1, 6)}")
        self.done[f"armed: {point}"] += 1

    def _restart(self, portal: Portal, fault: str) -> None:
        portal.kill9()
        portal.env["PORTAL_FAULT"] = fault
        portal.start()

    def _kill_the_database(self) -> None:
        databases.kill_server(self._server)
        databases.restart_server(self._server)
        self.done["kill: database"] += 1

    def _key_away(self) -> None:
        """The key is away for a moment, and now and then another takes its place."""
        directory = self._tools.settings.LICENSE_KEY_DIR
        for path in directory.glob("*.pem"):
            if ".pub." not in path.name:
                path.rename(path.with_name(path.name + ".away"))
        time.sleep(_AWAY_SECONDS)
        for path in directory.glob("*.away"):
            path.rename(path.with_name(path.name.removesuffix(".away")))
        self.done["key away"] += 1
        if self._draw.random() < 0.2:
            self._tools.key_ring.rotate()
            self.done["key rotated"] += 1

    def _mail_away(self) -> None:
        folder = self._tools.settings.MAIL_DIR
        folder.mkdir(exist_ok=True)
        kept = folder.rename(folder.with_name("mail.kept"))
        folder.write_text("full")
        time.sleep(_AWAY_SECONDS)
        folder.unlink()
        kept.rename(folder)
        self.done["mail away"] += 1


def _percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100)[int(share * 100) - 1] if len(values) > 1 else values[0]


def run(purchases: int, rate: float, directory: Path) -> list[str]:
    """Buy so often while everything breaks; print the figures and return what is wrong at the end."""
    draw = random.Random(choose_seed())
    with (
        databases.database_server(own=True) as server,
        running_shop(directory, server, WEB_CONCURRENCY="2") as shop,
    ):
        chaos = Chaos(shop, server, rate, draw)
        try:
            began = time.monotonic()
            customers = Customers(shop, CUSTOMERS, draw, most=purchases, faults=rate)
            seen = 0
            with customers:
                while customers.are_buying:
                    now = len(customers.purchases)
                    chaos.strike(now - seen)
                    seen = now
                    time.sleep(0.1)
            seconds = time.monotonic() - began
            struck = chaos.struck()
            chaos.heal()
            wrong = _at_rest(shop) + chaos.examined()
            _report(shop, customers, chaos, struck, seconds)
        finally:
            chaos.stop()
    return wrong


def _at_rest(shop: RunningShop) -> list[str]:
    try:
        shop.come_to_rest(seconds=180)
    except AssertionError:
        return shop.differences() or ["a license without its mail, or a mail without its license"]
    return []


def _report(
    shop: RunningShop, customers: Customers, chaos: Chaos, struck: Counter[str], seconds: float
) -> None:
    times = [bought.seconds for bought in customers.purchases if bought.seconds is not None]
    states = Counter(bought.state for bought in customers.purchases)
    lines = {
        "seed": choose_seed(),
        "purchases": f"{len(customers.purchases)} in {seconds:.0f} s, {len(customers.purchases) / seconds:.1f}/s",
        "ends": dict(states),
        "from payment to license": f"p50 {_percentile(times, 0.5):.1f} s, p95 {_percentile(times, 0.95):.1f} s, "
        f"max {max(times):.1f} s",
        "requests asked again": len(customers.failures),
        "broken": dict(sorted(chaos.done.items())),
        "faults that struck at WeChat": dict(struck),
        "payments": shop.one("SELECT COUNT(*) FROM payments WHERE status = 'paid'"),
        "ledger": f"{shop.one('SELECT SUM(amount_fen) FROM ledger_entries')} fen",
        "refunded": f"{shop.one('SELECT SUM(refunded_fen) FROM payments')} fen in "
        f"{shop.one(_REFUNDS)} refunds",
        "licenses": shop.one("SELECT COUNT(*) FROM licenses"),
        "mails": len(shop.mails()),
        "verified by": {row[0]: row[1] for row in shop.rows(_VERIFIED)},
        "cases": {row[0]: row[1] for row in shop.rows("SELECT kind, COUNT(*) FROM cases GROUP BY kind")},
    }
    for name, value in lines.items():
        print(f"{name}: {value}", flush=True)


_REFUNDS = "SELECT COUNT(*) FROM refunds WHERE status = 'succeeded'"
_VERIFIED = "SELECT verified_by, COUNT(*) FROM payments WHERE status = 'paid' GROUP BY verified_by"


def main() -> int:
    """Run it as a program; the exit code is 1 when anything is wrong at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.thousand")
    parser.add_argument("--purchases", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.05, help="of each family of faults, per purchase")
    arguments = parser.parse_args()
    os.environ.setdefault("PORTAL_TEST_DATABASE", "mariadb")
    print(f"{VARIABLE}={choose_seed()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="portal-thousand-") as directory:
        wrong = run(arguments.purchases, arguments.rate, Path(directory))
    print(
        *(
            wrong
            or [
                "WeChat's books, the ledger, the licenses and the mails are the same, and the doctor finds nothing."
            ]
        ),
        sep="\n",
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
