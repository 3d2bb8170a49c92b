"""A refund made in WeChat's console that nobody told us of is found by the bill, and booked once (F29, I4)."""

import io
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.cases.models import Case, CaseKind, CaseStatus
from portal.kit import beijing
from portal.kit.db import db, transaction
from portal.ledger.models import LedgerEntry
from portal.licenses.models import License
from portal.payments.models import Payment, VerifiedBy
from portal.reconciliation.desk import adopt
from portal.reconciliation.models import BillDifference, RunState
from portal.reconciliation.queries import day_facts
from portal.reconciliation.services import reconcile_day
from portal.refunds.models import Origin, Refund, RefundStatus
from tests.support.bills import Bill
from tests.support.desk import PAID, Desk

pytestmark = pytest.mark.database


@pytest.fixture
def desk(shop, tools, sandbox):
    """People who give money back; WeChat does it at once."""
    return Desk(shop, tools)


@pytest.fixture
def order_id(desk):
    """A course that was bought."""
    return desk.bought()


@pytest.fixture
def day(desk, order_id):
    """The day it was bought on."""
    return beijing.day_of(desk.shop.payment(order_id).paid_at)


@pytest.fixture
def reconcile(app, tools, clock, day):
    """Reconcile the day once it is over, with WeChat's bill or one given by hand; return what it came to."""

    def run(bill=None):
        noon = beijing.begin_of(day) + timedelta(hours=36)
        if clock.now() < noon:
            clock.travel(seconds=(noon - clock.now()).total_seconds())
        file = io.BytesIO(bill.packed()) if bill else None
        with app.app_context():
            return day_facts(reconcile_day("wechat_pay", day, tools, "operator:test", file))

    return run


@pytest.fixture
def bill(tools, day, desk, order_id):
    """The day's bill, made by hand, without a refund."""
    gateway, payment = tools.gateway("wechat_pay"), desk.shop.payment(order_id)
    made = Bill(day, gateway.mchid, gateway.appid)
    return made.paid(payment.transaction_id, payment.out_trade_no, payment.amount_fen)


@pytest.fixture
def licenses(app):
    """List what became of the licenses."""

    def listed():
        with app.app_context():
            return list(db.session.scalars(sa.select(License.status)))

    return listed


@pytest.fixture
def cases(app):
    """List the kinds of the open cases."""

    def listed():
        with app.app_context():
            return list(db.session.scalars(sa.select(Case.kind).where(Case.status == CaseStatus.OPEN.value)))

    return listed


class TestByTheGatewaysBill:
    def test_it_is_booked_and_the_license_taken_back(self, desk, order_id, reconcile, licenses, cases):
        number = desk.by_hand(order_id)
        assert desk.refunds(order_id) == []
        found = reconcile()
        (refund,) = desk.refunds(order_id)
        assert (refund.out_refund_no, refund.origin) == (number, Origin.CONSOLE)
        assert (refund.status, refund.verified_by) == (RefundStatus.SUCCEEDED, VerifiedBy.BILL)
        assert desk.sums(order_id) == (PAID, PAID)
        assert desk.booked(order_id) == PAID
        assert licenses() == ["revoked"]
        assert (found.state, found.our_refunded_fen) == (RunState.BALANCED, PAID)
        assert cases() == []

    def test_a_part_leaves_the_license(self, desk, order_id, reconcile, licenses):
        desk.by_hand(order_id, 500)
        assert reconcile().state == RunState.BALANCED
        assert (desk.sums(order_id), desk.booked(order_id)) == ((500, 500), 500)
        assert licenses() == ["active"]

    def test_twice_is_harmless(self, desk, order_id, reconcile, count):
        desk.by_hand(order_id)
        first = reconcile()
        assert reconcile() == first
        assert desk.sums(order_id) == (PAID, PAID)
        assert count(Refund) == count(LedgerEntry, LedgerEntry.source_type == "refund") == 1

    def test_its_payment_may_be_lost_as_well(self, desk, shop, order_id, reconcile):
        lost = shop.buyer().buy()
        shop.pay(lost)
        desk.by_hand(lost)
        assert reconcile().state == RunState.BALANCED
        assert desk.booked(lost) == PAID
        assert shop.order(lost).status == "refunded"

    def test_one_of_ours_whose_news_was_lost_is_done(self, desk, shop, order_id, reconcile):
        desk.switch(refund_mode="manual")
        number = desk.ask(order_id)
        shop.work()
        desk.settle(number)
        assert desk.refund(number).status == RefundStatus.PROCESSING
        assert reconcile().state == RunState.BALANCED
        assert desk.refund(number).verified_by == VerifiedBy.BILL
        assert desk.booked(order_id) == PAID

    def test_one_of_an_order_that_we_lost_has_one_case(self, app, desk, shop, order_id, reconcile, cases):
        desk.by_hand(order_id, 500)
        with app.app_context(), transaction():
            payment = db.session.get_one(Payment, shop.payment(order_id).id)
            payment.out_trade_no, payment.transaction_id = "LBT261124LOSTLOSTLOSTLOST0", "4200000000"
        for _ in range(2):
            assert reconcile().our_refunded_fen == 0
        assert sorted(cases()) == [
            CaseKind.BILL_MISSING_THERE,
            CaseKind.REFUND_UNKNOWN,
            CaseKind.UNKNOWN_ORDER,
        ]
        assert (desk.refunds(order_id), desk.booked(order_id)) == ([], 0)


class TestByAFile:
    def test_it_proves_nothing_and_wechat_is_asked(self, desk, order_id, reconcile, bill, licenses):
        number = desk.by_hand(order_id)
        payment = desk.shop.payment(order_id)
        bill.refunded(payment.transaction_id, payment.out_trade_no, PAID, "5030000009", number)
        reconcile(bill)
        (refund,) = desk.refunds(order_id)
        assert (refund.origin, refund.verified_by) == (Origin.CONSOLE, VerifiedBy.QUERY)
        assert (desk.booked(order_id), licenses()) == (PAID, ["revoked"])

    @pytest.mark.parametrize("number", ["CONSOLE01", "x", "../../orders"])
    def test_a_refund_that_wechat_does_not_know_is_not_booked(
        self, desk, order_id, reconcile, bill, licenses, cases, number
    ):
        payment = desk.shop.payment(order_id)
        bill.refunded(payment.transaction_id, payment.out_trade_no, PAID, "5030000009", number)
        assert reconcile(bill).differences == 1
        assert (desk.refunds(order_id), desk.booked(order_id), licenses()) == ([], 0, ["active"])
        assert cases() == [CaseKind.BILL_MISSING_HERE]

    def test_one_without_an_answer_is_adopted_later(
        self, app, tools, sandbox, desk, order_id, reconcile, bill, cases
    ):
        number = desk.by_hand(order_id)
        payment = desk.shop.payment(order_id)
        refund_id = desk.at_gateway(order_id)[0]["refund_id"]
        bill.refunded(payment.transaction_id, payment.out_trade_no, PAID, refund_id, number)
        sandbox.control("POST", "/control/faults", {"route": "refund_query", "kind": "5xx"})
        assert reconcile(bill).differences == 1
        assert desk.refunds(order_id) == []
        sandbox.control("DELETE", "/control/faults")
        with app.app_context():
            found = db.session.execute(sa.select(BillDifference.run_id, BillDifference.id)).one()
            assert adopt(*found, tools, "staff:test")
        assert desk.booked(order_id) == PAID
        assert cases() == []
