"""What breaks a running shop while people buy, drawn and in proportion to what they buy."""

import os
import random
import signal
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
from portal.kit.db import db
from portal.kit.errors import PortalError
from portal.learners.models import Role
from portal.refunds.call import give_up
from portal.refunds.models import Refund, RefundStatus
from portal.refunds.request import Wish, request_by_staff
from portal.tools import Tools
from scripts.processes import ProcessFailed
from tests.factories.learners import make_learner
from tests.proof.world import FAULTS, WRONG
from tests.support import databases
from tests.support.load import app_of
from tests.support.processes import Portal, Worker
from tests.support.running import RunningShop

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
        self.longest_start = 0.0

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

    def decide(self) -> None:
        """Do what only a person can: give up refunds that WeChat refuses, as more went back by hand meanwhile."""
        refused = sa.select(Refund.out_refund_no).where(
            Refund.status == RefundStatus.APPROVED.value, Refund.failure_code.is_not(None)
        )
        with self._app.app_context():
            for number in list(db.session.scalars(refused)):
                with suppress(PortalError):
                    give_up(make_learner(role=Role.FINANCE), number, "WeChat refuses it", self._tools)
                    self.done["refund given up"] += 1

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
        began = time.monotonic()
        portal.start()
        self.longest_start = max(self.longest_start, time.monotonic() - began)

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
