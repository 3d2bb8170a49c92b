"""Whatever brings the news of a refund, in whatever order and however often: it is booked once."""

import itertools
import threading

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.cases.models import Case, CaseKind, CaseStatus
from portal.cases.services import close_case
from portal.catalogue.models import Course
from portal.doctor.examination import examine_promises
from portal.gateways.base import RefundNotice, RefundState
from portal.kit import faults
from portal.kit.db import db
from portal.ledger.models import LedgerEntry
from portal.licenses.key_ring import NoSigningKey
from portal.licenses.models import Entitlement, License, LicenseStatus
from portal.notifications.models import Notification
from portal.orders.models import Order, OrderStatus
from portal.payments.ask import ask_gateway
from portal.payments.models import Verdict, VerifiedBy
from portal.payments.rights import grant_course
from portal.refunds.models import LicenseEffect, Refund, RefundStatus
from portal.refunds.settle import settle_refund
from tests.support.desk import PAID
from tests.support.shop import COURSE

pytestmark = pytest.mark.database


def sent(desk, order_id, amount=None, **facts):
    """Ask for a refund and let it be accepted."""
    number = desk.ask(order_id, amount, **facts)
    desk.shop.work()
    assert desk.refund(number).status == RefundStatus.PROCESSING
    return number


def done(desk, order_id, amount=None, **facts):
    """Ask for a refund and let it be done."""
    number = sent(desk, order_id, amount, **facts)
    desk.settle(number)
    assert desk.tell(number) == 200
    return number


def license_of(desk, order_id):
    with desk.shop.app.app_context():
        return db.session.execute(
            sa.select(License.status, Entitlement.status)
            .join(Entitlement, Entitlement.id == License.entitlement_id)
            .join(Order, Order.id == Entitlement.order_id)
            .where(Order.public_id == order_id)
        ).one()


class TestFullRefund:
    def test_books_revokes_and_moves_the_order_in_one_commit(self, desk, shop, count):
        order_id = desk.bought()
        number = done(desk, order_id)
        refund = desk.refund(number)
        assert (refund.status, refund.verified_by) == (RefundStatus.SUCCEEDED, "notify")
        assert refund.account == "支付用户零钱"
        assert desk.sums(order_id) == (PAID, PAID)
        assert tuple(license_of(desk, order_id)) == ("revoked", "revoked")
        assert shop.order(order_id).status == OrderStatus.REFUNDED
        assert desk.booked(order_id) == desk.given_back(order_id) == PAID
        assert count(AuditRow, AuditRow.action == "refund.settled") == 1
        assert count(AuditRow, AuditRow.action == "license.revoked") == 1

    def test_a_crash_before_the_commit_leaves_neither_half(self, desk, shop):
        """The refund and the revocation are one fact (I20)."""
        order_id = desk.bought()
        number = sent(desk, order_id)
        desk.settle(number)
        faults.arm("refund.before_settle_commit:raise")
        assert desk.tell(number) == 500
        faults.arm(None)
        assert license_of(desk, order_id)[0] == LicenseStatus.ACTIVE
        assert (desk.booked(order_id), desk.sums(order_id)) == (0, (PAID, 0))
        assert desk.tell(number) == 200
        assert license_of(desk, order_id)[0] == LicenseStatus.REVOKED

    def test_the_ledger_takes_it_from_sales(self, desk, app):
        order_id = desk.bought()
        done(desk, order_id)
        with app.app_context():
            entry = db.session.scalars(
                sa.select(LedgerEntry).where(LedgerEntry.source_type == "refund")
            ).one()
        assert (entry.debit_account, entry.credit_account) == ("sales", "gateway:wechat_pay")

    def test_the_course_can_be_bought_again(self, desk, shop):
        buyer = shop.buyer()
        order_id = desk.bought(buyer)
        done(desk, order_id)
        again = desk.bought(buyer)
        assert again != order_id
        assert shop.order(again).status == OrderStatus.COMPLETED

    def test_mails_say_that_it_is_on_its_way_and_done(self, desk, shop, mails):
        done(desk, desk.bought())
        shop.work(3)
        subjects = " ".join(path.read_text() for path in mails())
        assert "is on its way" in subjects
        assert "is done" in subjects
        assert "can no longer be used" in subjects

    def test_a_license_that_was_not_made_yet_is_never_made(self, desk, shop, app, tools, monkeypatch, count):
        def no_key():
            raise NoSigningKey("gone")

        with monkeypatch.context() as without_key:
            without_key.setattr(tools.key_ring, "signer", no_key)
            order_id = desk.bought()
        assert shop.order(order_id).status == OrderStatus.PAID
        number = desk.ask(order_id)
        with monkeypatch.context() as without_key:
            without_key.setattr(tools.key_ring, "signer", no_key)
            shop.work()
            desk.settle(number)
            desk.tell(number)
        shop.work(2)
        assert shop.order(order_id).status == OrderStatus.REFUNDED
        assert count(License) == 0

    def test_nor_when_its_right_was_taken_away_with_a_part(
        self, desk, shop, app, tools, monkeypatch, count, clock
    ):
        """The order ends without a license, with nothing for the doctor or the sweeps to find."""

        def no_key():
            raise NoSigningKey("gone")

        with monkeypatch.context() as without_key:
            without_key.setattr(tools.key_ring, "signer", no_key)
            order_id = desk.bought()
            number = desk.ask(order_id, 4000, license_effect=LicenseEffect.REVOKE)
            shop.work()
            desk.settle(number)
            desk.tell(number)
        assert shop.order(order_id).status == OrderStatus.PAID
        clock.travel(minutes=5)
        shop.work(3)
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert count(License) == 0
        assert not shop.differences()
        with app.app_context():
            assert examine_promises(tools) == []


class TestPartialRefund:
    def test_keeps_the_license_and_the_order(self, desk, shop):
        order_id = desk.bought()
        done(desk, order_id, 4000)
        assert desk.sums(order_id) == (4000, 4000)
        assert license_of(desk, order_id)[0] == LicenseStatus.ACTIVE
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert shop.order(order_id).refund_state is None

    def test_revokes_it_when_staff_decided_so(self, desk, shop):
        order_id = desk.bought()
        done(desk, order_id, 4000, license_effect=LicenseEffect.REVOKE)
        assert license_of(desk, order_id)[0] == LicenseStatus.REVOKED
        assert shop.order(order_id).status == OrderStatus.COMPLETED

    def test_the_last_part_is_a_full_refund(self, desk, shop, clock):
        order_id = desk.bought()
        done(desk, order_id, 4000)
        clock.travel(seconds=61)
        done(desk, order_id)
        assert license_of(desk, order_id)[0] == LicenseStatus.REVOKED
        assert shop.order(order_id).status == OrderStatus.REFUNDED
        assert desk.sums(order_id) == (PAID, PAID)


class TestTwiceAndInAnyOrder:
    def test_copies_and_another_event_id_count_once(self, desk, count):
        order_id = desk.bought()
        number = sent(desk, order_id, 4000)
        desk.settle(number)
        news = desk.news(number)
        assert {desk.shop.deliver(news).status_code for _ in range(3)} == {200}
        assert desk.tell(number, new_event_id=True) == 200
        assert (desk.booked(order_id), desk.sums(order_id)) == (4000, (4000, 4000))
        assert count(Notification, Notification.verdict == "duplicate") == 1

    def test_sixteen_threads_with_the_same_news_count_once(self, desk):
        order_id = desk.bought()
        number = sent(desk, order_id)
        desk.settle(number)
        copies = [desk.news(number, new_event_id=True) for _ in range(16)]
        threads = [threading.Thread(target=desk.shop.deliver, args=(copy,)) for copy in copies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (desk.booked(order_id), desk.sums(order_id)) == (PAID, (PAID, PAID))

    def test_success_before_the_answer_of_the_call(self, desk, sandbox, clock):
        """The notification is faster than the answer, which is lost besides (F19 of refunds)."""
        order_id = desk.bought()
        sandbox.control(
            "POST", "/control/faults", {"route": "refund", "kind": "accept_then_drop", "times": 1}
        )
        number = desk.ask(order_id)
        desk.shop.work()
        desk.settle(number)
        assert desk.tell(number) == 200
        assert desk.refund(number).status == RefundStatus.SUCCEEDED
        clock.travel(seconds=70)
        desk.shop.work(3)
        assert (desk.booked(order_id), desk.given_back(order_id)) == (PAID, PAID)

    def test_an_old_answer_does_not_take_success_back(self, desk, app, tools):
        order_id = desk.bought()
        number = done(desk, order_id)
        for state in (RefundState.PROCESSING, RefundState.ABNORMAL, RefundState.CLOSED):
            notice = RefundNotice("wechat_pay", tools.gateway("wechat_pay").mchid, number, state)
            with app.app_context():
                assert settle_refund(notice, VerifiedBy.QUERY, tools) is Verdict.DUPLICATE
        assert desk.refund(number).status == RefundStatus.SUCCEEDED

    @pytest.mark.parametrize(
        "events", list(itertools.permutations(["paid", "accepted", "done"])), ids="-".join
    )
    def test_all_orders_of_paid_accepted_and_done_end_alike(self, desk, shop, clock, events, app, tools):
        """A refund in the console may be told of before its payment is (F15)."""
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        number = desk.by_hand(order_id)
        accepted = self._accepted(app, tools, number)
        desk.settle(number)
        for event in events:
            if event == "paid":
                assert shop.notify(order_id).status_code == 200
            elif event == "done":
                assert desk.tell(number) == 200
            else:
                with app.app_context():
                    settle_refund(accepted, VerifiedBy.QUERY, tools)
        clock.travel(seconds=61)
        shop.work(3)
        refund = desk.refund(number)
        assert (refund.status, refund.origin, refund.held_fen) == (RefundStatus.SUCCEEDED, "console", PAID)
        assert shop.order(order_id).status == OrderStatus.REFUNDED
        assert license_of(desk, order_id)[0] == LicenseStatus.REVOKED
        assert (desk.booked(order_id), desk.sums(order_id)) == (PAID, (PAID, PAID))

    def _accepted(self, app, tools, number):
        """What the gateway says of a refund that it has accepted and not done."""
        with app.app_context():
            notice = tools.gateway("wechat_pay").query_refund(number)
        assert notice.state is RefundState.PROCESSING
        return notice


class TestNotDone:
    def test_abnormal_keeps_the_money_held_the_license_good_and_calls_a_person(self, desk, shop, count):
        order_id = desk.bought()
        number = sent(desk, order_id)
        desk.settle(number, "ABNORMAL")
        assert desk.tell(number) == 200
        assert desk.refund(number).status == RefundStatus.ABNORMAL
        assert desk.sums(order_id) == (PAID, 0)
        assert license_of(desk, order_id)[0] == LicenseStatus.ACTIVE
        assert shop.order(order_id).refund_state == "abnormal"
        assert count(Case, Case.kind == CaseKind.REFUND_FAILED.value, Case.status == "open") == 1

    def test_abnormal_put_right_at_the_gateway_succeeds_under_the_same_number(self, desk, shop, count):
        order_id = desk.bought()
        number = sent(desk, order_id)
        desk.settle(number, "ABNORMAL")
        desk.tell(number)
        desk.settle(number, "SUCCESS")
        desk.tell(number)
        assert desk.refund(number).status == RefundStatus.SUCCEEDED
        assert shop.order(order_id).status == OrderStatus.REFUNDED
        assert count(Case, Case.status == CaseStatus.OPEN.value) == 0

    def test_closed_after_abnormal_calls_a_person_who_had_closed_the_case(self, desk, shop, app):
        """Each end of a refund is news: what was decided about the one before does not hide it (F28)."""
        order_id = desk.bought()
        number = sent(desk, order_id)
        desk.settle(number, "ABNORMAL")
        desk.tell(number)
        with app.app_context():
            [case] = db.session.scalars(sa.select(Case).where(Case.kind == CaseKind.REFUND_FAILED.value))
            close_case(case.id, "paid out to another card", "staff:x")
        desk.settle(number, "CLOSED")
        desk.tell(number)
        assert desk.refund(number).status == RefundStatus.CLOSED
        with app.app_context():
            assert db.session.scalars(sa.select(Case.status).where(Case.id == case.id)).one() == "open"

    def test_closed_holds_the_money_until_it_is_given_up_and_then_a_new_number_may_be_asked_for(
        self, desk, shop, clock
    ):
        order_id = desk.bought()
        number = sent(desk, order_id)
        desk.settle(number, "CLOSED")
        desk.tell(number)
        assert desk.refund(number).status == RefundStatus.CLOSED
        assert desk.sums(order_id) == (PAID, 0)
        desk.give_up(number)
        assert desk.sums(order_id) == (0, 0)
        clock.travel(seconds=61)
        assert done(desk, order_id) != number
        assert desk.given_back(order_id) == desk.booked(order_id) == PAID


class TestMadeInTheConsole:
    @pytest.mark.parametrize("amount", [PAID, 4000])
    def test_told_by_notification_it_is_booked_and_the_rest_follows(self, desk, shop, amount):
        order_id = desk.bought()
        number = desk.by_hand(order_id, amount)
        desk.settle(number)
        assert [desk.tell(number), desk.tell(number, new_event_id=True)] == [200, 200]
        refund = desk.refund(number)
        assert (refund.origin, refund.status) == ("console", RefundStatus.SUCCEEDED)
        assert (desk.booked(order_id), desk.sums(order_id)) == (amount, (amount, amount))
        assert (license_of(desk, order_id)[0] == LicenseStatus.REVOKED) == (amount == PAID)

    def test_takes_the_place_of_a_request_nobody_has_decided_about(self, desk, shop):
        buyer = shop.buyer()
        order_id = desk.bought(buyer)
        asked = desk.ask_as_learner(buyer, order_id)
        number = desk.by_hand(order_id)
        desk.settle(number)
        assert desk.tell(number) == 200
        assert desk.refund(asked).status == RefundStatus.REFUSED
        assert (desk.booked(order_id), desk.sums(order_id)) == (PAID, (PAID, PAID))

    def test_more_than_what_is_left_is_a_case_and_booked_when_there_is_room(self, desk, shop, count, clock):
        """Ours was approved and is refused at the gateway, because the console was faster (F29)."""
        order_id = desk.bought()
        number = desk.by_hand(order_id)
        desk.settle(number)
        ours = desk.ask(order_id)
        assert desk.tell(number) == 200
        assert desk.booked(order_id) == 0
        assert count(Case, Case.kind == CaseKind.REFUND_UNKNOWN.value) == 1
        shop.work()
        desk.give_up(ours)
        clock.travel(seconds=130)
        shop.work(3)
        assert (desk.booked(order_id), desk.given_back(order_id), desk.sums(order_id)) == (
            PAID,
            PAID,
            (PAID, PAID),
        )
        assert count(Case, Case.status == CaseStatus.OPEN.value) == 0

    def test_hinted_at_by_a_payment_query_it_becomes_a_case_until_its_news_comes(
        self, desk, shop, count, app, tools
    ):
        order_id = desk.bought()
        number = desk.by_hand(order_id)
        with app.app_context():
            ask_gateway(order_id, tools)
        shop.work(2)
        assert count(Case, Case.kind == CaseKind.REFUND_UNKNOWN.value, Case.status == "open") == 1
        desk.settle(number)
        desk.tell(number)
        assert count(Case, Case.status == CaseStatus.OPEN.value) == 0

    def test_a_payment_query_that_tells_of_our_own_refund_settles_it(self, desk, shop, count, app, tools):
        order_id = desk.bought()
        number = sent(desk, order_id)
        desk.settle(number)
        with app.app_context():
            ask_gateway(order_id, tools)
        shop.work(2)
        assert desk.refund(number).status == RefundStatus.SUCCEEDED
        assert count(Case) == 0

    def test_found_by_the_bill_it_is_booked_as_well(self, desk, app, tools, shop):
        order_id = desk.bought()
        number = desk.by_hand(order_id, 4000)
        payment = shop.payment(order_id)
        line = RefundNotice(
            "wechat_pay",
            payment.mchid,
            number,
            RefundState.SUCCESS,
            refund_id="50000000000000000000000000001",
            out_trade_no=payment.out_trade_no,
            transaction_id=payment.transaction_id,
            amount_fen=4000,
        )
        with app.app_context():
            assert settle_refund(line, VerifiedBy.BILL, tools) is Verdict.SETTLED
            assert settle_refund(line, VerifiedBy.BILL, tools) is Verdict.DUPLICATE
        assert desk.refund(number).verified_by == "bill"
        assert desk.sums(order_id) == (4000, 4000)


class TestNotToBeBooked:
    @pytest.mark.parametrize(
        ("mutate", "kind"),
        [
            ({"amount.refund": 3999}, CaseKind.REFUND_UNKNOWN),
            ({"amount.total": 1}, CaseKind.REFUND_UNKNOWN),
            ({"transaction_id": "4200000000000000000000000000"}, CaseKind.REFUND_UNKNOWN),
            ({"refund_id": "50000000000000000000000000000"}, CaseKind.REFUND_UNKNOWN),
            ({"out_trade_no": "LBT26112400NOSUCHNUMBER"}, CaseKind.REFUND_UNKNOWN),
            ({"mchid": "1900000001"}, CaseKind.FOREIGN),
        ],
        ids=str,
    )
    def test_genuine_news_that_does_not_fit_is_a_case(self, desk, mutate, kind, count):
        order_id = desk.bought()
        number = sent(desk, order_id, 4000)
        desk.settle(number)
        assert desk.tell(number, mutate=mutate) == 200
        assert count(Case, Case.kind == kind.value) == 1
        assert (desk.booked(order_id), desk.sums(order_id)) == (0, (4000, 0))

    def test_a_refund_of_an_order_nobody_has_is_a_case(self, desk, count):
        order_id = desk.bought()
        number = desk.by_hand(order_id)
        desk.settle(number)
        desk.tell(number, mutate={"out_trade_no": "LBT26112400NOSUCHNUMBER", "transaction_id": "42"})
        assert count(Case, Case.kind == CaseKind.REFUND_UNKNOWN.value) == 1
        assert count(Refund) == 0

    def test_an_unreadable_one_is_kept(self, desk, count):
        number = sent(desk, desk.bought())
        desk.settle(number)
        assert desk.tell(number, mutate={"refund_status": "WHATEVER"}) == 200
        assert count(Case, Case.kind == CaseKind.UNREADABLE.value) == 1
        assert desk.refund(number).status == RefundStatus.PROCESSING


class TestMoneyThatBoughtNothing:
    def test_its_refund_touches_no_license_and_closes_its_case(self, desk, shop, count, app, tools):
        buyer = shop.buyer()
        order_id = buyer.buy()
        with app.app_context():
            course = db.session.get_one(Course, COURSE)
            granted = grant_course(buyer.learner, course, "Reviewed the book", "operator:test", tools).id
        shop.pay(order_id)
        shop.notify(order_id)
        assert count(Case, Case.kind == CaseKind.LATE_UNWANTED.value, Case.status == "open") == 1
        number = done(desk, order_id)
        assert desk.refund(number).license_effect == LicenseEffect.KEEP
        with app.app_context():
            assert db.session.get_one(License, granted).status == LicenseStatus.ACTIVE
            entry = db.session.scalars(
                sa.select(LedgerEntry).where(LedgerEntry.source_type == "refund")
            ).one()
        assert entry.debit_account == "unapplied"
        assert count(Case, Case.status == CaseStatus.OPEN.value) == 0
