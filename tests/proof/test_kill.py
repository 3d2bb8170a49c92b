"""A process is killed with -9 at each named point; afterwards there is one license for one payment, or nothing.

Each room of a point has a journey that passes it. A new point is covered when its room's journey passes it,
and fails here when it does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import downgrade, upgrade

from portal import jobs
from portal.batches import services as batches
from portal.batches.models import Batch
from portal.batches.queries import batch_of, result_of
from portal.batches.services import Step
from portal.job_kinds import STEPS
from portal.kit import beijing, faults
from portal.kit.db import db, transaction
from portal.reconciliation.models import BillRun, ImportedLine, RunState
from portal.refunds.models import RefundStatus
from tests.support.desk import PAID, Desk
from tests.support.dying import killed_at
from tests.support.keys import active_key_file
from tests.support.rest import come_to_rest
from tests.support.shop import Buyer, Shop

pytestmark = [pytest.mark.kill, pytest.mark.database]


@dataclass
class Scene:
    """A shop with one buyer, a clock, and a way to die."""

    app: Flask
    shop: Shop
    clock: Any
    buyer: Buyer
    point: str
    note: Path

    def dies(self, deed: Callable[[], object]) -> None:
        """Do `deed` in a process that is killed at the point."""
        assert killed_at(self.app, f"{self.point}:kill", deed, self.note), f"{self.point} was not passed"

    def work(self) -> None:
        """Do one round of the worker."""
        with self.app.app_context():
            jobs.sweep(self.app.extensions["portal_tools"])

    def delivered(self, order_id: str) -> None:
        """The learner pays, WeChat tells, and there is the license."""
        self.shop.pay(order_id)
        assert self.shop.notify(order_id).status_code == 200
        assert self.buyer.state(order_id) == "delivered"


def ordering(scene: Scene) -> None:
    """Killed on the way from *buy* to the code (F1 to F4): the same button gives one order and one number."""
    scene.dies(scene.buyer.buy)
    numbers = {book["out_trade_no"] for book in scene.shop.books()}
    order_id = scene.buyer.buy()
    scene.clock.travel(seconds=15)
    scene.work()
    assert scene.buyer.state(order_id) == "awaiting_payment"
    payment = scene.shop.payment(order_id)
    assert numbers <= {payment.out_trade_no}
    (book,) = scene.shop.books()
    assert (book["out_trade_no"], book["code_url"]) == (payment.out_trade_no, payment.code_url)
    scene.delivered(order_id)


def settling(scene: Scene) -> None:
    """Killed while a notification is settled (F10, F11, F22): the next one, or the sweep, settles once."""
    order_id = scene.buyer.buy()
    scene.shop.pay(order_id)
    told = scene.shop.notification(order_id)
    scene.dies(lambda: scene.shop.deliver(told))
    assert scene.shop.deliver(told).status_code == 200
    assert scene.buyer.state(order_id) == "delivered"


def settling_by_sweep(scene: Scene) -> None:
    """The same, and WeChat never calls again."""
    order_id = scene.buyer.buy()
    scene.shop.pay(order_id)
    scene.dies(lambda: scene.shop.notify(order_id))
    scene.clock.travel(seconds=31)
    scene.work()
    assert scene.buyer.state(order_id) == "delivered"


def closing(scene: Scene) -> None:
    """Killed while cancelling: WeChat's side is closed, and ours follows."""
    order_id = scene.buyer.buy()
    scene.dies(lambda: scene.buyer.post(f"/checkout/{order_id}/cancel"))
    scene.clock.travel(seconds=61)
    scene.work()
    assert scene.buyer.state(order_id) == "cancelled"
    assert [book["state"] for book in scene.shop.books()] == ["CLOSED"]


def working(scene: Scene) -> None:
    """The worker is killed with the license's mail in its hands (F24, F34): the next one takes it over."""
    order_id = scene.buyer.buy()
    scene.delivered(order_id)
    scene.dies(scene.work)


def one_line(batch: Batch, _tools: object) -> Step:
    """Write the next line; the third is the last."""
    return Step(1, batch.cursor + 1, batch.cursor == 2, text=f"line {batch.cursor}\n")


def long_work(scene: Scene) -> None:
    """Killed in the middle of long work: it goes on behind the last step that counted."""
    with scene.app.app_context(), transaction():
        public_id = batches.begin_batch("lines", scene.buyer.learner.id, "staff:x", {}, "", 3)
    scene.dies(scene.work)
    scene.clock.travel(seconds=61)
    scene.work()
    with scene.app.app_context():
        batch = batch_of(public_id)
        assert "".join(result_of(batch.id)) == "line 0\nline 1\nline 2\n"


def reconciling(scene: Scene) -> None:
    """Killed in the middle of a bill (F43): nothing of it is there, and the next round takes it whole."""
    order_id = scene.buyer.buy()
    scene.delivered(order_id)
    paid_at = scene.shop.payment(order_id).paid_at
    assert paid_at is not None
    day = beijing.day_of(paid_at)
    ready = beijing.begin_of(day) + timedelta(days=1, hours=11)
    scene.clock.travel(seconds=(ready - scene.clock.now()).total_seconds())
    scene.dies(scene.work)
    with scene.app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(ImportedLine)) == 0
    scene.clock.travel(seconds=61)
    scene.work()
    with scene.app.app_context():
        run = db.session.scalars(sa.select(BillRun)).one()
        assert (run.state, run.line_count) == (RunState.BALANCED, 1)


def watching(scene: Scene) -> None:
    """Killed while WeChat is asked about a payment whose notification was lost (F18)."""
    order_id = scene.buyer.buy()
    scene.shop.pay(order_id)
    scene.clock.travel(seconds=31)
    scene.dies(scene.work)
    scene.clock.travel(seconds=61)
    scene.work()
    assert scene.buyer.state(order_id) == "delivered"


def expiring(scene: Scene) -> None:
    """Killed while orders whose time is over are marked: they end all the same."""
    order_id = scene.buyer.buy()
    scene.clock.travel(seconds=3601)
    scene.dies(scene.work)
    scene.clock.travel(seconds=61)
    scene.work()
    scene.buyer.sign_in_again()
    assert scene.buyer.state(order_id) == "expired"


def looking_again(scene: Scene) -> None:
    """Killed while an ended attempt is asked about once more: the next worker asks."""
    order_id = scene.buyer.buy()
    scene.buyer.post(f"/checkout/{order_id}/cancel")
    scene.clock.travel(minutes=61)
    scene.dies(scene.work)
    before = scene.shop.calls(order_id, "query")
    scene.clock.travel(seconds=61)
    scene.work()
    assert scene.shop.calls(order_id, "query") == before + 1


def signing_late(scene: Scene) -> None:
    """Killed while a license is made whose key had been away (F21)."""
    order_id = scene.buyer.buy()
    key = active_key_file(scene.app.extensions["portal_tools"].key_ring)
    away = key.rename(key.with_suffix(".away"))
    scene.shop.pay(order_id)
    assert scene.shop.notify(order_id).status_code == 200
    away.rename(key)
    scene.clock.travel(seconds=3)
    scene.dies(scene.work)
    assert scene.buyer.state(order_id) == "delivering"
    scene.clock.travel(seconds=61)
    scene.work()
    assert scene.buyer.state(order_id) == "delivered"


def mending(scene: Scene) -> None:
    """Killed while work is put on record that had been lost."""
    order_id = scene.buyer.buy()
    with scene.app.app_context(), transaction() as session:
        session.execute(sa.text("DELETE FROM outbox"))
    scene.shop.pay(order_id)
    scene.clock.travel(minutes=3)
    scene.dies(scene.work)
    scene.work()
    scene.work()
    assert scene.buyer.state(order_id) == "delivered"


def fetching_keys(scene: Scene) -> None:
    """Killed while the platform's certificates are replaced: whole, or as they were."""
    scene.shop.sandbox.control("POST", "/control/mode", {"mode": "switching"})
    order_id = scene.buyer.buy()
    assert scene.shop.notify(order_id, sign="certificate").status_code == 401
    scene.dies(scene.work)
    with scene.app.app_context():
        jobs.refresh_keys(scene.app.extensions["portal_tools"])
    scene.shop.pay(order_id)
    assert scene.shop.notify(order_id, sign="certificate").status_code == 200


def refunding(scene: Scene) -> None:
    """Killed while money goes back: it goes back once, and the license ends with it."""
    desk = Desk(scene.shop, scene.app.extensions["portal_tools"])
    desk.limits(single_fen=0)
    order_id = scene.buyer.buy()
    scene.delivered(order_id)
    asker, approver = desk.person(), desk.person()

    def ask() -> None:
        desk.ask(order_id, person=asker, key="the same form")

    def approve() -> None:
        refund = desk.refunds(order_id)[0]
        if refund.status == RefundStatus.REQUESTED:
            desk.approve(refund.out_refund_no, approver)

    def settle() -> None:
        scene.clock.travel(minutes=2)
        scene.work()

    moment = scene.point.partition(".")[2]
    for deed, moments in (
        (ask, {"after_reserve", "before_request_commit"}),
        (approve, {"before_approve_commit", "after_approve"}),
        (scene.work, {"before_call", "after_call"}),
        (settle, {"before_settle_commit"}),
    ):
        if moment in moments:
            scene.dies(deed)
        deed()
    come_to_rest(scene.shop, scene.clock)
    assert [refund.status for refund in desk.refunds(order_id)] == [RefundStatus.SUCCEEDED]
    assert [refund["amount"] for refund in desk.at_gateway(order_id)] == [PAID]
    assert desk.booked(order_id) == PAID


def migrating(scene: Scene) -> None:
    """Killed between a statement of a migration and its note (F45): the next run completes it."""
    with scene.app.app_context():
        downgrade()
        scene.dies(upgrade)
        upgrade()
    scene.delivered(scene.buyer.buy())


JOURNEYS: dict[str, list[Callable[[Scene], None]]] = {
    "order": [ordering],
    "notify": [settling, settling_by_sweep],
    "settle": [settling, settling_by_sweep],
    "license": [settling, settling_by_sweep],
    "close": [closing],
    "mail": [working],
    "batch": [long_work],
    "bill": [reconciling],
    "work": [working],
    "audit": [working],
    "watch": [watching],
    "expiry": [expiring],
    "again": [looking_again],
    "late": [signing_late],
    "mend": [mending],
    "keys": [fetching_keys],
    "refund": [refunding],
    # Each kind of statement: tests/test_migrations.py.
    "migrate": [migrating],
}
CASES = [
    (point, journey)
    for point in sorted(faults.POINTS)
    for journey in JOURNEYS.get(point.split(".")[0], [None])
]


@pytest.mark.parametrize(
    ("point", "journey"), CASES, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_killed_at(point, journey, app, shop, clock, mails, tmp_path, monkeypatch):
    monkeypatch.setitem(STEPS, "lines", one_line)
    assert journey is not None, f"no journey for {point}"
    scene = Scene(app, shop, clock, shop.buyer(), point, tmp_path / "last-words")
    journey(scene)
    come_to_rest(shop, clock)
    assert not shop.differences()
    with app.app_context():
        paid = [book for book in shop.books() if book["state"] in {"SUCCESS", "REFUND"}]
    with_license = [mail for mail in mails() if b".lic.txt" in mail.read_bytes()]
    assert len(with_license) == len(paid)
