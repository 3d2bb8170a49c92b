"""The worker fetches the bill of every day from WeChat itself, believes only what is proven, and waits for what is late (F43)."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import jobs
from portal.cases.models import Case, CaseKind
from portal.kit import beijing
from portal.kit import clock as portal_clock
from portal.kit.db import db, transaction
from portal.licenses.models import License
from portal.outbox.models import Job
from portal.payments.models import VerifiedBy
from portal.reconciliation.models import BillRun, ImportedLine, RunState, Source
from portal.reconciliation.queries import day_facts
from portal.reconciliation.services import NoBillYet, plan_days, reconcile_day

pytestmark = pytest.mark.database


@pytest.fixture
def until(clock):
    """Go to a time of day in Beijing, `days` after today."""

    def travel(hour, minute=0, days=0):
        now = clock.now()
        then = beijing.begin_of(beijing.day_of(now)) + timedelta(days=days, hours=hour, minutes=minute)
        clock.travel(seconds=(then - now).total_seconds())

    return travel


@pytest.fixture
def buyer(shop, until):
    """Somebody who buys at noon."""
    until(12, days=1)
    return shop.buyer()


@pytest.fixture
def paid(shop, buyer):
    """An order that was paid and delivered at noon."""
    order_id = buyer.buy()
    shop.pay(order_id)
    shop.notify(order_id)
    return order_id


@pytest.fixture
def lost(shop, buyer):
    """An order that was paid at noon, and nobody told us."""
    order_id = buyer.buy()
    shop.pay(order_id)
    return order_id


@pytest.fixture
def fault(sandbox):
    """Make WeChat misbehave about bills."""
    return lambda kind, route="bill", **facts: sandbox.control(
        "POST", "/control/faults", {"route": route, "kind": kind, **facts}
    )


@pytest.fixture
def heal(sandbox):
    """Make WeChat well again."""
    return lambda: sandbox.control("DELETE", "/control/faults")


@pytest.fixture
def work(app, tools):
    """Do what the worker does about bills; whatever else it has to do waits, so that only the bill can tell."""

    def run():
        with app.app_context():
            plan_days(tools)
            with transaction():
                others = sa.update(Job).where(Job.kind != "reconcile_day")
                db.session.execute(others.values(due_at=portal_clock.now() + timedelta(days=30)))
            jobs.run_due(tools)

    return run


@pytest.fixture
def runs(app):
    """Return the days, oldest first."""

    def listed():
        with app.app_context():
            return list(db.session.scalars(sa.select(BillRun).order_by(BillRun.bill_date)))

    return listed


@pytest.fixture
def kinds(app):
    """List the kinds of the open and closed cases."""

    def listed(status="open"):
        with app.app_context():
            return list(db.session.scalars(sa.select(Case.kind).where(Case.status == status)))

    return listed


class TestTimetable:
    def test_from_ten_in_the_morning_on_the_day_before_is_reconciled(self, paid, until, work, runs, kinds):
        until(9, 59, days=1)
        work()
        assert runs() == []
        until(10, 1)
        work()
        (run,) = runs()
        assert (run.state, run.source, run.line_count) == (RunState.BALANCED, Source.GATEWAY, 1)
        assert run.their_paid_fen == run.our_paid_fen == 9900
        assert kinds() == []

    def test_once(self, paid, until, work, runs, sandbox):
        until(10, 1, days=1)
        for _ in range(3):
            work()
        assert len(runs()) == 1
        log = sandbox.control("GET", "/control/requests?route=bill")
        assert len(log["requests"] if isinstance(log, dict) else log) == 1

    def test_days_without_a_worker_are_caught_up(self, paid, until, work, runs):
        until(11, days=5)
        work()
        assert [run.state for run in runs()] == [RunState.BALANCED] * 5
        assert [run.line_count for run in runs()] == [1, 0, 0, 0, 0]

    def test_nothing_is_asked_about_before_anybody_began_to_pay(self, app, until, work, runs):
        until(11, days=1)
        work()
        assert runs() == []

    def test_a_bill_that_is_late_is_asked_for_every_half_hour_and_a_case_at_three(
        self, paid, until, work, runs, kinds, fault, heal
    ):
        fault("bill_not_ready")
        until(10, 1, days=1)
        work()
        assert runs()[0].state == RunState.WAITING
        assert "STATEMENTCREATING" in runs()[0].last_error
        for hour, minute in ((10, 32), (12, 0), (14, 30), (14, 59)):
            until(hour, minute)
            work()
        assert kinds() == []
        until(15, 31)
        work()
        assert kinds() == [CaseKind.BILL_OVERDUE]
        heal()
        until(16, 2)
        work()
        assert runs()[0].state == RunState.BALANCED
        assert (kinds(), kinds("closed")) == ([], [CaseKind.BILL_OVERDUE])

    def test_no_bill_is_believed_only_where_we_know_of_no_payment(self, paid, until, work, runs, fault):
        fault("error", status=400, code="NO_STATEMENT_EXIST", message="none")
        until(10, 1, days=1)
        work()
        assert runs()[0].state == RunState.WAITING


BROKEN = [
    ("bill", {"kind": "wrong_hash"}),
    ("bill", {"kind": "other_host"}),
    ("bill", {"kind": "other_day"}),
    ("bill", {"kind": "other_mchid"}),
    ("bill", {"kind": "columns_missing"}),
    ("bill", {"kind": "unsigned"}),
    ("bill", {"kind": "bad_signature"}),
    ("bill", {"kind": "5xx"}),
    ("bill", {"kind": "429"}),
    ("bill", {"kind": "drop"}),
    ("bill", {"kind": "html"}),
    ("bill", {"kind": "error", "status": 403, "code": "NO_AUTH", "message": "no"}),
    ("bill", {"kind": "mutate", "set": {"download_url": None}}),
    ("bill", {"kind": "mutate", "set": {"hash_type": "MD5"}}),
    ("billdownload", {"kind": "damaged_gzip"}),
    ("billdownload", {"kind": "bomb"}),
    ("billdownload", {"kind": "5xx"}),
    ("billdownload", {"kind": "error", "status": 403, "code": "NO_AUTH", "message": "no"}),
    ("billdownload", {"kind": "drop"}),
]


class TestABillThatIsNone:
    @pytest.mark.parametrize(("route", "broken"), BROKEN, ids=lambda value: str(value))
    def test_changes_nothing_and_is_fetched_again(
        self, lost, until, work, runs, count, fault, heal, route, broken
    ):
        fault(route=route, **broken)
        until(10, 1, days=1)
        work()
        assert runs()[0].state == RunState.WAITING
        assert runs()[0].last_error
        assert (count(ImportedLine), count(License), count(Case)) == (0, 0, 0)
        heal()
        until(10, 32)
        work()
        assert runs()[0].state == RunState.BALANCED
        assert count(License) == 1

    def test_one_with_a_line_twice_is_refused(self, shop, paid, until, work, runs, fault, count):
        number = shop.payment(paid).out_trade_no
        fault("bill_line", change="duplicate", number=number)
        until(10, 1, days=1)
        work()
        assert (runs()[0].state, count(ImportedLine)) == (RunState.WAITING, 0)

    @pytest.mark.parametrize("kind", ["columns_reordered", "columns_added"])
    def test_another_order_of_columns_is_no_fault(self, paid, until, work, runs, fault, kind):
        fault(kind)
        until(10, 1, days=1)
        work()
        assert runs()[0].state == RunState.BALANCED

    @pytest.mark.parametrize(("bom", "ends"), [(True, "lf"), (False, "crlf")])
    def test_nor_are_line_ends_and_a_mark(self, paid, until, work, runs, sandbox, bom, ends):
        sandbox.control("POST", "/control/switch", {"bill_bom": bom, "bill_line_ends": ends})
        until(10, 1, days=1)
        work()
        assert runs()[0].state == RunState.BALANCED


class TestWhatTheBillTells:
    def test_it_settles_a_payment_whose_notification_was_lost(
        self, shop, buyer, lost, until, work, runs, count
    ):
        until(10, 1, days=1)
        work()
        assert runs()[0].state == RunState.BALANCED
        payment = shop.payment(lost)
        assert (payment.status, payment.verified_by) == ("paid", VerifiedBy.BILL)
        assert beijing.day_of(payment.paid_at) == runs()[0].bill_date
        assert count(License) == 1
        buyer.sign_in_again()
        assert buyer.state(lost) == "delivered"

    def test_an_amount_that_is_not_the_orders_gives_no_license(
        self, shop, lost, until, work, runs, kinds, count, fault
    ):
        fault("bill_line", change="amount", number=shop.payment(lost).out_trade_no, amount=1)
        until(10, 1, days=1)
        work()
        assert (runs()[0].state, count(License)) == (RunState.DIFFERENT, 0)
        assert kinds() == [CaseKind.MISMATCH]

    @pytest.mark.parametrize(
        ("change", "facts", "kind"),
        [
            ("missing", {}, CaseKind.BILL_MISSING_THERE),
            ("added", {"number": "SHOP00000001", "amount": 700}, CaseKind.UNKNOWN_ORDER),
            ("amount", {"amount": 9899}, CaseKind.BILL_AMOUNT),
            ("state", {"state": "REVOKED"}, CaseKind.BILL_STATE),
        ],
    )
    def test_each_difference_is_a_case(
        self, shop, paid, until, work, runs, kinds, fault, change, facts, kind
    ):
        fault("bill_line", change=change, **({"number": shop.payment(paid).out_trade_no} | facts))
        if change == "missing":
            # A bill without any line is none.
            fault("bill_line", change="added", number="SHOP00000001", amount=700)
        until(10, 1, days=1)
        work()
        assert runs()[0].state == RunState.DIFFERENT
        assert kind in kinds()

    def test_money_that_had_a_case_before_gets_no_second_one(
        self, shop, lost, until, work, runs, kinds, fault
    ):
        shop.notify(lost, mutate={"amount.total": 1})
        assert kinds() == [CaseKind.MISMATCH]
        fault("bill_line", change="amount", number=shop.payment(lost).out_trade_no, amount=1)
        until(10, 1, days=1)
        work()
        assert runs()[0].state == RunState.DIFFERENT
        assert kinds() == [CaseKind.MISMATCH]


def test_two_at_once_take_a_bill_in_once(app, tools, paid, until, count):
    until(10, 1, days=1)
    day = beijing.day_of(portal_clock.now()) - timedelta(days=1)
    start, ended = threading.Barrier(4), []

    def run() -> None:
        start.wait(10)
        with app.app_context():
            try:
                ended.append(day_facts(reconcile_day("wechat_pay", day, tools)).state)
            except sa.exc.OperationalError:
                ended.append("busy")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert RunState.BALANCED in ended
    assert set(ended) <= {RunState.BALANCED, "busy"}
    assert (count(ImportedLine), count(BillRun)) == (1, 1)


def test_the_day_is_not_asked_for_before_it_is_over(app, tools, paid):
    with app.app_context(), pytest.raises(NoBillYet):
        reconcile_day("wechat_pay", beijing.day_of(portal_clock.now()), tools)
