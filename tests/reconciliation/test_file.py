"""A bill given by hand: every difference becomes a case, once, and goes away with its cause."""

import io
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.cases.models import Case, CaseKind, CaseStatus
from portal.cases.services import case_of, close_case
from portal.gateways.base import BadBill
from portal.kit import beijing, faults
from portal.kit.db import db, transaction
from portal.licenses.models import License
from portal.payments.models import Payment, VerifiedBy
from portal.reconciliation.importing import AnotherBill, run_of
from portal.reconciliation.models import BillDifference, BillPart, BillRun, ImportedLine, RunState
from portal.reconciliation.queries import day_facts
from portal.reconciliation.services import reconcile_day
from portal.refunds.models import LicenseEffect, Origin, Refund, RefundStatus
from tests.support.bills import Bill

pytestmark = pytest.mark.database


@pytest.fixture
def sold(shop, clock):
    """Two courses sold on one day, which is over."""
    made = []
    for course in ("cpp-primer-5th", "cpp-primer-5th"):
        order_id = shop.buyer().buy(course)
        shop.pay(order_id)
        shop.notify(order_id)
        made.append(shop.payment(order_id))
    clock.travel(days=1)
    return made


@pytest.fixture
def day(sold):
    """The day they were sold on."""
    return beijing.day_of(sold[0].paid_at)


@pytest.fixture
def bill(sold, day, tools):
    """The day's bill, as it should be."""
    gateway = tools.gateway("wechat_pay")
    made = Bill(day, gateway.mchid, gateway.appid)
    for payment in sold:
        made.paid(payment.transaction_id, payment.out_trade_no, payment.amount_fen)
    return made


@pytest.fixture
def reconcile(app, tools, day):
    """Reconcile the day with a bill; return what it came to."""

    def run(bill, on=None):
        with app.app_context():
            file = io.BytesIO(bill if isinstance(bill, bytes) else bill.packed())
            return day_facts(reconcile_day("wechat_pay", on or day, tools, "operator:test", file))

    return run


@pytest.fixture
def cases(app):
    """List kind and status of all cases."""

    def listed():
        with app.app_context():
            return [
                tuple(row) for row in db.session.execute(sa.select(Case.kind, Case.status).order_by(Case.id))
            ]

    return listed


def test_a_day_that_agrees_is_balanced(reconcile, bill, cases, sold):
    found = reconcile(bill)
    total = sum(payment.amount_fen for payment in sold)
    assert (found.state, found.lines, found.differences) == (RunState.BALANCED, 2, 0)
    assert found.their_paid_fen == found.our_paid_fen == total
    assert cases() == []


def test_twice_is_harmless(reconcile, bill, count):
    first = reconcile(bill)
    assert reconcile(bill) == first
    assert (count(ImportedLine), count(BillRun), count(BillPart)) == (2, 1, 1)


def test_another_bill_for_the_same_day_is_not_mixed_with_the_first(reconcile, bill, count):
    reconcile(bill)
    bill.paid("4200000009", "LBT261124CCCCCCCCCCCCCCCCCC", 1)
    with pytest.raises(AnotherBill):
        reconcile(bill)
    assert count(ImportedLine) == 2


class TestDifferences:
    def test_a_payment_that_the_bill_lacks(self, reconcile, bill, cases, sold):
        bill.rows.pop()
        found = reconcile(bill)
        assert (found.state, found.differences) == (RunState.DIFFERENT, 1)
        assert found.our_paid_fen - found.their_paid_fen == sold[1].amount_fen
        assert cases() == [(CaseKind.BILL_MISSING_THERE, "open")]

    def test_a_payment_of_another_system_under_our_merchant(self, reconcile, bill, cases, count):
        bill.paid("4200000009", "SHOP00001", 700)
        found = reconcile(bill)
        assert found.differences == 1
        assert cases() == [(CaseKind.BILL_MISSING_HERE, "open")]
        assert count(License) == 2

    def test_another_amount(self, reconcile, bill, cases, app):
        bill.rows[0] |= {"订单金额": "98.99", "应结订单金额": "98.99"}
        found = reconcile(bill)
        assert found.differences == 1
        assert cases() == [(CaseKind.BILL_AMOUNT, "open")]
        with app.app_context():
            evidence = case_of(found.open_cases[0]).evidence
        assert (evidence["theirs_fen"], evidence["ours_fen"], evidence["line"]) == (9899, 9900, 2)

    @pytest.mark.parametrize(
        "change",
        [{"交易状态": "REVOKED"}, {"商户订单号": "LBT261124OTHEROTHEROTHER00"}],
        ids=["undone", "number"],
    )
    def test_another_state(self, reconcile, bill, cases, change):
        bill.rows[0] |= change
        reconcile(bill)
        assert (CaseKind.BILL_STATE, "open") in cases()

    def test_each_has_one_case_however_often_it_is_found(self, reconcile, bill, cases, count):
        bill.rows.pop()
        bill.paid("4200000009", "SHOP00001", 700)
        for _ in range(3):
            assert reconcile(bill).differences == 2
        assert len(cases()) == count(BillDifference) == 2

    def test_one_that_a_person_decided_about_stays_decided(self, reconcile, bill, cases, app):
        bill.rows.pop()
        case_id = reconcile(bill).open_cases[0]
        with app.app_context():
            close_case(case_id, "asked WeChat, it is theirs", "staff:finance")
        found = reconcile(bill)
        assert (found.differences, found.open_differences) == (1, 0)
        assert cases() == [(CaseKind.BILL_MISSING_THERE, "closed")]

    def test_a_payment_of_midnight_is_found_in_the_neighbours_bill(
        self, reconcile, bill, cases, day, sold, clock
    ):
        late = bill.rows.pop()
        assert reconcile(bill).differences == 1
        clock.travel(days=1)
        following = Bill(day + timedelta(days=1), bill.mchid, bill.appid)
        following.rows.append(late | {"交易时间": f"{day + timedelta(days=1)} 00:00:01"})
        assert reconcile(following, day + timedelta(days=1)).differences == 0
        assert cases() == [(CaseKind.BILL_MISSING_THERE, "closed")]
        assert reconcile(bill).state == RunState.BALANCED


class TestRefunds:
    @pytest.fixture
    def refund(self, app, sold):
        """A refund of the first payment, succeeded on the same day."""
        payment = sold[0]
        row = Refund(
            payment_id=payment.id,
            order_id=payment.order_id,
            gateway=payment.gateway,
            mchid=payment.mchid,
            mode=payment.mode,
            out_refund_no="LBTR261124AAAAAAAAAAAAAAAAAA",
            refund_id="50300000012026112400000001",
            amount_fen=500,
            held_fen=500,
            currency="CNY",
            reason="asked for",
            origin=Origin.STAFF.value,
            status=RefundStatus.SUCCEEDED.value,
            license_effect=LicenseEffect.KEEP.value,
            requested_by="staff:a",
            created_at=payment.paid_at,
            called_at=payment.paid_at,
            succeeded_at=payment.paid_at,
        )
        with app.app_context(), transaction():
            db.session.add(row)
            db.session.flush()
            db.session.expunge(row)
        return row

    @staticmethod
    def add_to(bill, payment, refund, **changes):
        bill.refunded(
            payment.transaction_id,
            payment.out_trade_no,
            500,
            refund.refund_id,
            refund.out_refund_no,
            **changes,
        )

    @pytest.mark.parametrize("state", ["SUCCESS", "PROCESSING", "CHANGE"])
    def test_one_that_agrees_is_balanced_whatever_was_known_in_the_morning(
        self, reconcile, bill, sold, refund, state
    ):
        self.add_to(bill, sold[0], refund, 退款状态=state)
        found = reconcile(bill)
        assert found.state == RunState.BALANCED
        assert found.their_refunded_fen == found.our_refunded_fen == 500

    def test_one_that_the_bill_lacks(self, reconcile, bill, refund, cases):
        found = reconcile(bill)
        assert (found.differences, found.our_refunded_fen) == (1, 500)
        assert cases() == [(CaseKind.BILL_MISSING_THERE, "open")]

    def test_one_that_we_lack(self, reconcile, bill, sold, cases):
        bill.refunded(sold[0].transaction_id, sold[0].out_trade_no, 500, "5030000002", "CONSOLE01")
        found = reconcile(bill)
        assert (found.differences, found.their_refunded_fen, found.our_refunded_fen) == (1, 500, 0)
        assert cases() == [(CaseKind.BILL_MISSING_HERE, "open")]

    def test_one_of_midnight_counts_for_the_day_of_its_line_and_no_other(
        self, reconcile, bill, sold, refund, day, clock, app, tools, cases
    ):
        assert reconcile(bill).our_refunded_fen == 500
        clock.travel(days=1)
        following = Bill(day + timedelta(days=1), bill.mchid, bill.appid)
        self.add_to(following, sold[0], refund)
        assert reconcile(following, day + timedelta(days=1)).our_refunded_fen == 500
        with app.app_context():
            first = day_facts(run_of("wechat_pay", bill.mchid, day))
        assert (first.state, first.our_refunded_fen) == (RunState.BALANCED, 0)
        assert cases() == [(CaseKind.BILL_MISSING_THERE, "closed")]

    def test_another_amount(self, reconcile, bill, sold, refund, cases):
        self.add_to(bill, sold[0], refund, 申请退款金额="4.99", 退款金额="4.99")
        reconcile(bill)
        assert cases() == [(CaseKind.BILL_AMOUNT, "open")]

    def test_one_that_failed_there_and_succeeded_here(self, reconcile, bill, sold, refund, cases):
        self.add_to(bill, sold[0], refund, 退款状态="FAIL")
        reconcile(bill)
        assert cases() == [(CaseKind.BILL_STATE, "open")]


class TestPaymentsThatOnlyTheBillKnows:
    @pytest.fixture
    def lost(self, shop, clock, tools):
        """A payment that nobody told us of, and the bill that has it."""
        order_id = shop.buyer().buy()
        transaction_id = shop.pay(order_id)["transaction_id"]
        payment = shop.payment(order_id)
        clock.travel(days=1)
        day = beijing.day_of(payment.created_at)
        made = Bill(day, payment.mchid, payment.appid)
        made.paid(transaction_id, payment.out_trade_no, payment.amount_fen)
        return order_id, made, day

    def test_a_file_makes_us_ask_wechat_and_its_answer_settles_it(self, shop, app, tools, lost, count):
        order_id, bill, day = lost
        with app.app_context():
            found = day_facts(
                reconcile_day("wechat_pay", day, tools, "operator:test", io.BytesIO(bill.packed()))
            )
        assert (found.state, found.our_paid_fen) == (RunState.BALANCED, 9900)
        assert shop.payment(order_id).verified_by == VerifiedBy.QUERY
        assert (count(License), count(Case)) == (1, 0)

    def test_a_file_alone_proves_nothing(self, shop, app, tools, lost, count, sandbox):
        order_id, bill, day = lost
        sandbox.control("POST", "/control/faults", {"route": "query", "kind": "5xx"})
        with app.app_context():
            found = day_facts(
                reconcile_day("wechat_pay", day, tools, "operator:test", io.BytesIO(bill.packed()))
            )
        assert (found.state, count(License)) == (RunState.DIFFERENT, 0)
        assert shop.payment(order_id).transaction_id is None
        sandbox.control("DELETE", "/control/faults")
        with app.app_context():
            again = day_facts(
                reconcile_day("wechat_pay", day, tools, "operator:test", io.BytesIO(bill.packed()))
            )
            case = case_of(found.open_cases[0])
            assert (again.state, case.status) == (RunState.BALANCED, CaseStatus.CLOSED)


class TestAllOrNothing:
    @pytest.mark.parametrize("spoil", ["damaged", "other day", "other merchant"])
    def test_a_wrong_file_changes_nothing(self, reconcile, bill, day, count, spoil):
        raw = bill.packed()
        if spoil == "damaged":
            raw = raw[:-20]
        elif spoil == "other day":
            raw = (
                Bill(day - timedelta(days=1), bill.mchid, bill.appid).paid("4200000009", "X00001", 1).packed()
            )
        else:
            raw = Bill(day, "1900000001", bill.appid).paid("4200000009", "X00001", 1).packed()
        with pytest.raises(BadBill):
            reconcile(raw)
        assert (count(ImportedLine), count(BillPart), count(Case)) == (0, 0, 0)

    def test_one_that_ends_in_the_middle_of_the_import_leaves_nothing(
        self, reconcile, bill, count, monkeypatch
    ):
        monkeypatch.setattr("portal.reconciliation.importing._ROWS_AT_ONCE", 1)
        faults.arm("bill.mid_import:raise")
        try:
            with pytest.raises(faults.FaultInjected):
                reconcile(bill)
        finally:
            faults.arm(None)
        assert (count(ImportedLine), count(BillPart)) == (0, 0)
        assert reconcile(bill).state == RunState.BALANCED
        assert count(ImportedLine) == 2


def test_the_original_is_kept_in_pieces(reconcile, bill, app, monkeypatch):
    monkeypatch.setattr("portal.reconciliation.importing._PART", 100)
    reconcile(bill)
    with app.app_context():
        parts = db.session.scalars(sa.select(BillPart.content).order_by(BillPart.number)).all()
    assert len(parts) > 1
    assert b"".join(parts) == bill.packed()


def test_no_payment_of_ours_is_touched_by_comparing(reconcile, bill, app, sold):
    bill.rows[0] |= {"订单金额": "98.99"}
    reconcile(bill)
    with app.app_context():
        kept = {
            row.id: (row.amount_fen, row.transaction_id) for row in db.session.scalars(sa.select(Payment))
        }
    assert kept == {payment.id: (payment.amount_fen, payment.transaction_id) for payment in sold}
