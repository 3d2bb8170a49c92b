"""Money becomes a license once, whoever brings the news and however often."""

import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.cases.models import Case, CaseKind
from portal.catalogue.models import Course
from portal.kit.db import db, transaction
from portal.learners.models import Learner
from portal.ledger.models import LedgerEntry
from portal.licenses.models import Entitlement, License
from portal.notifications.models import Notification
from portal.orders.models import OrderStatus
from portal.outbox.models import Job
from portal.payments import rights
from portal.payments.models import Payment, PaymentStatus
from tests.support.shop import COURSE
from tests.support.statements import counted_statements

pytestmark = pytest.mark.database


@pytest.fixture
def order_id(shop):
    return shop.buyer().buy()


@pytest.fixture
def statements(app):
    """Collect the SQL statements that are run."""
    with counted_statements(app) as seen:
        yield seen


class TestNotification:
    def test_it_pays_posts_grants_and_licenses_in_one_commit(self, shop, order_id, count):
        shop.pay(order_id)
        assert shop.notify(order_id).status_code == 200
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert shop.payment(order_id).status == PaymentStatus.PAID
        assert shop.payment(order_id).verified_by == "notify"
        assert [count(model) for model in (LedgerEntry, Entitlement, License, Notification)] == [1, 1, 1, 1]
        assert count(Job, Job.kind == "mail_license") == 1
        assert count(AuditRow, AuditRow.action == "payment.settled") == 1

    def test_it_takes_at_most_twelve_statements(self, shop, order_id, statements):
        notification = shop.notification(order_id)
        shop.deliver(shop.notification(order_id, event_type="SECURITY_ECHO.SUCCESS", new_event_id=True))
        statements.clear()
        assert shop.deliver(notification).status_code == 200
        assert len(statements) <= 12, "\n".join(statements)

    def test_it_does_nothing_when_it_comes_twice(self, shop, order_id, count):
        notification = shop.notification(order_id)
        assert [shop.deliver(notification).status_code for _ in range(3)] == [200, 200, 200]
        assert [count(model) for model in (LedgerEntry, License, Notification)] == [1, 1, 1]

    def test_it_does_nothing_when_it_comes_again_under_another_event_id(self, shop, order_id, count):
        shop.pay(order_id)
        shop.notify(order_id)
        assert shop.notify(order_id, new_event_id=True).status_code == 200
        assert [count(model) for model in (LedgerEntry, License)] == [1, 1]
        assert count(Notification, Notification.verdict == "duplicate") == 1

    def test_two_hundred_copies_from_sixteen_threads_make_one_license_and_one_mail(
        self, shop, order_id, count, mails
    ):
        notification = shop.notification(order_id)
        answers: list[int] = []

        def deliver_some() -> None:
            for _ in range(200 // 16 + 1):
                answers.append(shop.deliver(notification).status_code)

        threads = [threading.Thread(target=deliver_some) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A lock wait may be answered 503, which only makes WeChat send it again.
        assert len(answers) >= 200
        assert set(answers) <= {200, 503}
        assert answers.count(200) > 150
        shop.work(2)
        counts = [count(model) for model in (LedgerEntry, Entitlement, License, Notification)]
        assert counts == [1, 1, 1, 1]
        assert len(mails()) == 1

    def test_different_notifications_of_one_payment_at_once_make_one_license(self, shop, order_id, count):
        shop.pay(order_id)
        copies = [shop.notification(order_id, new_event_id=True) for _ in range(12)]
        threads = [threading.Thread(target=shop.deliver, args=(copy,)) for copy in copies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [count(model) for model in (LedgerEntry, License)] == [1, 1]

    def test_a_refunded_order_was_paid(self, shop, order_id):
        assert shop.notify(order_id, mutate={"trade_state": "REFUND"}).status_code == 200
        assert shop.order(order_id).status == OrderStatus.COMPLETED

    @pytest.mark.parametrize("state", ["NOTPAY", "CLOSED", "USERPAYING", "PAYERROR"])
    def test_news_that_is_not_of_money_changes_nothing(self, shop, order_id, state, count):
        assert shop.notify(order_id, mutate={"trade_state": state}).status_code == 200
        assert shop.order(order_id).status == OrderStatus.PENDING
        assert count(License) == 0

    def test_it_is_processed_before_the_order_call_has_its_answer(self, shop, app, count):
        """The attempt is on record before WeChat hears of it (F19)."""
        shop.sandbox.control("POST", "/control/faults", {"route": "create", "kind": "accept_then_drop"})
        order_id = shop.buyer().buy()
        assert shop.payment(order_id).status == PaymentStatus.CREATED
        assert shop.notify(order_id).status_code == 200
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        shop.sandbox.control("DELETE", "/control/faults")
        shop.work()
        assert count(License) == 1


class TestGenuineButNotToBeApplied:
    @pytest.mark.parametrize(
        ("mutate", "kind"),
        [
            ({"amount.total": 9899}, CaseKind.MISMATCH),
            ({"amount.total": 1}, CaseKind.MISMATCH),
            ({"amount.currency": "USD"}, CaseKind.MISMATCH),
            ({"trade_type": "JSAPI"}, CaseKind.MISMATCH),
            ({"mchid": "1900000001"}, CaseKind.FOREIGN),
            ({"appid": "wx0000000000000000"}, CaseKind.FOREIGN),
            ({"out_trade_no": "LBT26112400NOSUCHNUMBER"}, CaseKind.UNKNOWN_ORDER),
        ],
        ids=lambda value: str(value),
    )
    def test_it_is_kept_with_a_case_and_answered_200(self, shop, order_id, mutate, kind, count):
        assert shop.notify(order_id, mutate=mutate).status_code == 200
        assert shop.order(order_id).status == OrderStatus.PENDING
        assert [count(License), count(LedgerEntry), count(Entitlement)] == [0, 0, 0]
        assert count(Case, Case.kind == kind.value) == 1
        assert count(Notification, Notification.verdict == "case") == 1

    def test_news_of_another_merchants_unknown_order_is_foreign(self, shop, order_id, count):
        """It tells that our APIv3 key may be known to others, which an unknown number does not."""
        strange = {"mchid": "1900000001", "out_trade_no": "LBT26112400NOSUCHNUMBER"}
        assert shop.notify(order_id, mutate=strange).status_code == 200
        assert count(Case, Case.kind == CaseKind.FOREIGN.value) == 1

    def test_the_right_news_afterwards_still_delivers(self, shop, order_id, count):
        shop.notify(order_id, mutate={"amount.total": 1})
        shop.pay(order_id)
        shop.notify(order_id, new_event_id=True)
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert count(License) == 1

    def test_what_the_payer_paid_after_coupons_does_not_matter(self, shop, order_id):
        shop.notify(order_id, mutate={"amount.payer_total": 100})
        assert shop.order(order_id).status == OrderStatus.COMPLETED

    def test_an_attempt_paid_by_two_transactions_is_a_duplicate(self, shop, order_id, count):
        shop.notify(order_id)
        other = {"transaction_id": "4200000000202611240000000001"}
        assert shop.notify(order_id, mutate=other, new_event_id=True).status_code == 200
        assert count(Case, Case.kind == CaseKind.DUPLICATE.value) == 1
        assert count(License) == 1

    def test_both_attempts_of_an_order_paid_is_a_duplicate(self, shop, clock, app, sandbox, count):
        """F17: WeChat called the first number used, a second took its place, and both were paid."""
        sandbox.control(
            "POST", "/control/faults", {"route": "create", "kind": "accept_then_drop", "times": 1}
        )
        buyer = shop.buyer()
        order_id = buyer.buy()
        first = shop.payment(order_id)
        with app.app_context(), transaction():
            changed = {**first.request, "description": "something else"}
            db.session.execute(sa.update(Payment).where(Payment.id == first.id).values(request=changed))
        clock.travel(seconds=15)
        shop.work(2)
        shop.notify(order_id)
        assert buyer.state(order_id) == "delivered"
        assert shop.notify(order_id, out_trade_no=first.out_trade_no).status_code == 200
        assert count(Case, Case.kind == CaseKind.DUPLICATE.value) == 1
        assert [count(License), count(LedgerEntry)] == [1, 2]
        assert buyer.state(order_id) == "delivered"

    def test_one_cause_is_one_case(self, shop, order_id, count):
        for _ in range(3):
            shop.notify(order_id, mutate={"amount.total": 1}, new_event_id=True)
        assert count(Case) == 1


class TestLateMoney:
    def test_money_after_the_end_is_honoured_while_the_course_is_not_owned(self, shop, clock, app, count):
        buyer = shop.buyer()
        order_id = buyer.buy()
        clock.travel(hours=2)
        shop.work(2)
        assert shop.order(order_id).status == OrderStatus.EXPIRED
        shop.notify(order_id)
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert buyer.state(order_id) == "delivered"
        assert count(License) == 1

    def test_money_for_a_course_owned_meanwhile_is_a_case_with_a_refund_proposed(self, shop, clock, count):
        buyer = shop.buyer()
        first = buyer.buy()
        clock.travel(hours=2)
        shop.work(2)
        second = buyer.buy()
        assert second != first
        shop.notify(second)
        shop.notify(first)
        assert shop.order(second).status == OrderStatus.COMPLETED
        assert shop.order(first).status == OrderStatus.EXPIRED
        assert shop.payment(first).status == PaymentStatus.PAID
        assert count(Case, Case.kind == CaseKind.LATE_UNWANTED.value) == 1
        assert [count(License), count(LedgerEntry)] == [1, 2]
        assert count(LedgerEntry, LedgerEntry.credit_account == "unapplied") == 1
        assert buyer.state(first) == "refund_due"

    def test_an_order_cancelled_while_its_course_is_given_away_ends_though_its_money_is_a_case(
        self, shop, app, tools, count
    ):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id, notify=False)
        with app.app_context():
            learner, course = (
                db.session.get_one(Learner, buyer.learner.id),
                db.session.get_one(Course, COURSE),
            )
            rights.grant_course(learner, course, "a gift", "operator:test", tools)
        buyer.post(f"/checkout/{order_id}/cancel")
        assert shop.order(order_id).status == OrderStatus.CANCELLED
        assert shop.payment(order_id).status == PaymentStatus.PAID
        assert count(Case, Case.kind == CaseKind.LATE_UNWANTED.value) == 1
        assert buyer.state(order_id) == "refund_due"

    def test_a_course_withdrawn_meanwhile_is_still_delivered(self, shop, order_id, app):
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(sa.text("UPDATE products SET is_on_sale = 0, price_fen = 1"))
        shop.notify(order_id)
        assert shop.order(order_id).status == OrderStatus.COMPLETED

    def test_a_license_past_its_end_can_be_bought_again(self, shop, clock, count):
        buyer = shop.buyer()
        shop.notify(buyer.buy())
        clock.travel(days=366)
        buyer.sign_in_again()
        again = buyer.buy()
        shop.notify(again)
        assert shop.order(again).status == OrderStatus.COMPLETED
        assert count(License) == 2
        assert count(Entitlement, Entitlement.active_key.is_not(None)) == 1


def test_the_payments_table_refuses_two_rows_of_one_transaction(shop, app):
    first, second = shop.buyer().buy(), shop.buyer().buy()
    shop.notify(first)
    transaction_id = shop.payment(first).transaction_id
    with app.app_context(), pytest.raises(sa.exc.IntegrityError):
        db.session.execute(
            sa.update(Payment)
            .where(Payment.id == shop.payment(second).id)
            .values(status="paid", verified_by="query", transaction_id=transaction_id)
        )


def test_lifetimes_are_those_of_the_course(shop, order_id, app):
    shop.notify(order_id)
    with app.app_context():
        license_ = db.session.scalars(sa.select(License)).one()
        assert license_.expires_at - license_.issued_at == timedelta(days=365)


class TestLostNotification:
    def test_wechat_is_asked_after_thirty_seconds(self, shop, clock, count):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        clock.travel(seconds=29)
        shop.work()
        assert buyer.state(order_id) == "awaiting_payment"
        clock.travel(seconds=2)
        shop.work()
        assert buyer.state(order_id) == "delivered"
        assert shop.payment(order_id).verified_by == "query"
        assert count(License) == 1

    def test_an_unpaid_order_is_asked_about_ever_less_often(self, shop, clock):
        order_id = shop.buyer().buy()
        asked = []
        for minute in (0.6, 2.2, 5.5, 11, 21.5, 32):
            clock.travel(seconds=minute * 60 - clock.offset.total_seconds())
            shop.work()
            asked.append(shop.calls(order_id, "query"))
        assert asked == [1, 2, 3, 4, 5, 6]


class TestLockedRow:
    def test_a_notification_that_has_to_wait_too_long_is_answered_503_within_four_seconds(
        self, shop, app, count
    ):
        order_id = shop.buyer().buy()
        notification = shop.notification(order_id)
        with app.app_context():
            engine = db.engine
        with engine.connect().execution_options(portal_write=True) as other:
            if engine.dialect.name == "sqlite":
                other.exec_driver_sql("SELECT 1")
            else:
                other.exec_driver_sql("SELECT id FROM payments FOR UPDATE")
            started = time.monotonic()
            assert shop.deliver(notification).status_code == 503
            assert time.monotonic() - started < 4
            other.rollback()
        assert count(Notification) == 0
        assert shop.deliver(notification).status_code == 200
        assert count(License) == 1
