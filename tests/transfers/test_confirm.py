"""A transfer that people confirm becomes a license once, and never one that nobody saw arrive."""

import threading
from email import policy
from email.parser import BytesParser

import pytest
import sqlalchemy as sa

from portal.approvals.services import ChangedSinceAsked, OwnRequest
from portal.cases.models import Case, CaseKind
from portal.catalogue.models import Course
from portal.grants.errors import ReferenceKnown, ReferenceUsed
from portal.grants.models import Grant
from portal.grants.services import ask_course
from portal.kit.db import db
from portal.learners.models import Learner
from portal.ledger.models import LedgerEntry
from portal.licenses.models import License
from portal.orders.models import OrderStatus
from portal.outbox.models import Job
from portal.payments.models import TransferNumber
from portal.payments.numbers import claim_number
from portal.payments.rights import grant_course
from portal.pictures.models import Picture
from portal.transfers import confirm
from portal.transfers.confirm import NoPicture, NumberUsed
from portal.transfers.tell import AlreadyDecided
from tests.support import databases
from tests.support.shop import COURSE

pytestmark = pytest.mark.database


def read(path):
    return BytesParser(policy=policy.default).parsebytes(path.read_bytes())


class TestConfirmed:
    def test_one_person_within_the_limit_delivers_by_the_same_settle(self, desk, shop, count, mails):
        buyer = shop.buyer()
        order_id = desk.told(buyer)
        assert desk.check(order_id) == "confirmed"
        payment, order = shop.payment(order_id), shop.order(order_id)
        assert (payment.status, payment.verified_by, payment.transaction_id) == (
            "paid",
            "person",
            "1000050001",
        )
        assert order.status == OrderStatus.COMPLETED
        assert count(LedgerEntry, LedgerEntry.debit_account == "gateway:transfer") == 1
        assert buyer.state(order_id) == "delivered"
        shop.work(2)
        assert len(mails()) == 1
        assert shop.calls(order_id, "query") == 0
        assert shop.differences() == []

    def test_above_the_limit_another_person_has_to_agree(self, desk, shop, count):
        desk.limits(single_fen=0)
        order_id, someone = desk.told(), desk.person()
        assert desk.check(order_id, person=someone) == "checked"
        assert count(License) == 0
        with pytest.raises(OwnRequest):
            desk.approve(order_id, person=someone)
        assert count(License) == 0
        assert desk.approve(order_id) == "confirmed"
        assert count(License) == 1
        with pytest.raises(AlreadyDecided):
            desk.approve(order_id)
        shop.work(2)
        assert shop.differences() == []

    def test_nobody_confirms_what_they_bought_themselves(self, desk, shop, count):
        someone = shop.staff()
        order_id = desk.told(someone)
        with pytest.raises(OwnRequest):
            desk.check(order_id, person=someone.learner)
        assert count(License) == 0

    def test_what_changed_since_it_was_shown_is_not_approved(self, desk, count):
        desk.limits(single_fen=0)
        order_id, someone = desk.told(), desk.person()
        desk.check(order_id, person=someone)
        shown, reference = desk.digest(order_id), desk.transfer(order_id).reference
        desk.within(lambda: confirm.send_back(someone, reference, "wrong number", None))
        desk.check(order_id, number="1000050002", person=someone)
        with pytest.raises(ChangedSinceAsked):
            desk.approve(order_id, digest=shown)
        assert count(License) == 0

    def test_twelve_confirmations_at_once_settle_once(self, desk, shop, count):
        order_id, people = desk.told(), [desk.person() for _ in range(12)]
        outcomes: list[str] = []

        def check(person) -> None:
            try:
                outcomes.append(desk.check(order_id, person=person))
            except AlreadyDecided:
                outcomes.append("decided")

        threads = [threading.Thread(target=check, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("confirmed") == 1
        assert [count(model) for model in (LedgerEntry, License)] == [1, 1]
        assert count(Job, Job.kind == "mail_license") == 1
        shop.work(2)
        assert shop.differences() == []

    def test_it_needs_a_picture_of_the_learners_or_of_the_staffs(self, desk, shop, count):
        order_id = desk.order(shop.buyer())
        with pytest.raises(NoPicture):
            desk.check(order_id)
        assert count(License) == 0


class TestNumber:
    def test_one_transfer_pays_one_order(self, desk, count):
        first, second = desk.told(), desk.told()
        desk.check(first)
        with pytest.raises(NumberUsed):
            desk.check(second)
        assert count(License) == 1

    def test_two_orders_at_once_by_one_transfer_pay_one(self, desk, shop, count):
        desk.limits(single_fen=0)
        orders, people = [desk.told() for _ in range(6)], [desk.person() for _ in range(6)]
        refused: list[str] = []

        def check(order_id, person) -> None:
            try:
                desk.check(order_id, person=person)
            except NumberUsed:
                refused.append(order_id)

        threads = [threading.Thread(target=check, args=pair) for pair in zip(orders, people, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 5
        (entered,) = set(orders) - set(refused)
        desk.approve(entered)
        assert count(License) == 1

    def test_a_confirmation_in_the_middle_of_another_takes_the_number(self, desk, count, monkeypatch):
        if databases.wanted_kind() == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        desk.limits(single_fen=0)
        first, second = desk.told(), desk.told()

        def late(number, payment_id):
            # Another's whole confirmation, after this one has begun.
            monkeypatch.undo()
            other = threading.Thread(target=desk.check, args=(first,))
            other.start()
            other.join()
            claim_number(number, payment_id)

        monkeypatch.setattr("portal.transfers.confirm.claim_number", late)
        with pytest.raises(NumberUsed):
            desk.check(second)
        assert count(TransferNumber) == 1

    def test_an_order_and_a_grant_at_once_by_one_transfer_are_one(self, desk, shop, count):
        desk.limits(single_fen=0)
        orders = [desk.told() for _ in range(2)]
        refused: list[str] = []

        def check(order_id) -> None:
            try:
                desk.check(order_id, person=people.pop())
            except NumberUsed:
                refused.append("transfer")

        def give(learner) -> None:
            person = people.pop()
            try:
                desk.within(
                    lambda: ask_course(person, learner, COURSE, "paid", desk.tools, None, "1000-050001")
                )
            except (ReferenceKnown, ReferenceUsed):
                refused.append("grant")

        people = [desk.person() for _ in range(4)]
        learners = [shop.buyer().learner for _ in range(2)]
        threads = [threading.Thread(target=check, args=(order_id,)) for order_id in orders]
        threads += [threading.Thread(target=give, args=(learner,)) for learner in learners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 3
        assert count(TransferNumber) + count(Grant) == 1

    @pytest.mark.parametrize("spelled", ["10000 50001", "1000-050001"])
    def test_however_it_is_spelled(self, desk, count, spelled):
        desk.check(desk.told())
        with pytest.raises(NumberUsed):
            desk.check(desk.told(), number=spelled)
        assert count(License) == 1

    def test_what_came_in_two_transfers_uses_up_both(self, desk, count):
        first = desk.told()
        desk.check(first, number="1000050001", amount_fen=6000)
        desk.check(first, number="1000050002")
        for number in ("1000050001", "1000050002"):
            with pytest.raises(NumberUsed):
                desk.check(desk.told(), number=number)
        assert count(License) == 1

    @pytest.mark.parametrize("refused", [False, True])
    def test_entered_on_the_wrong_order_it_can_be_taken_back(self, desk, shop, count, refused):
        wrong, right = desk.told(), desk.told()
        assert desk.check(wrong, amount_fen=5000) == "mismatch"
        if refused:
            desk.refuse(wrong)
        desk.send_back(wrong)
        assert desk.transfer(wrong).status == ("refused" if refused else "told")
        assert count(Case, Case.kind == CaseKind.MISMATCH.value, Case.status == "open") == 0
        assert desk.check(right) == "confirmed"
        assert count(License) == 1

    def test_while_it_waits_for_another_person_no_grant_is_made_of_it(self, desk, shop):
        desk.limits(single_fen=0)
        order_id, learner, person = desk.told(), shop.buyer().learner, desk.person()
        desk.check(order_id)
        with pytest.raises(ReferenceKnown):
            desk.within(
                lambda: ask_course(person, learner, COURSE, "he paid", desk.tools, reference="1000050001")
            )

    def test_a_payment_of_wechat_pays_is_no_transfer(self, desk, shop):
        paid = shop.buyer().buy()
        shop.pay(paid)
        shop.notify(paid)
        with pytest.raises(NumberUsed):
            desk.check(desk.told(), number=shop.payment(paid).transaction_id)


class TestConflict:
    def test_another_amount_is_a_case_and_no_license_until_the_whole_came(self, desk, shop, count):
        buyer = shop.buyer()
        order_id = desk.told(buyer)
        assert desk.check(order_id, amount_fen=9899) == "mismatch"
        assert [count(License), count(LedgerEntry)] == [0, 0]
        assert count(Case, Case.kind == CaseKind.MISMATCH.value, Case.status == "open") == 1
        assert buyer.state(order_id) == "transfer_mismatch"
        assert desk.check(order_id, number="1000050002") == "confirmed"
        assert count(Case, Case.status == "open") == 0
        shop.work(2)
        assert shop.differences() == []

    def test_each_amount_that_was_typed_is_a_case_of_its_own_and_only_the_last_is_open(self, desk, app):
        order_id = desk.told()
        for amount_fen in (5000, 8000):
            desk.check(order_id, amount_fen=amount_fen)
        with app.app_context():
            cases = db.session.execute(sa.select(Case.amount_fen, Case.status).order_by(Case.id)).all()
        assert [tuple(row) for row in cases] == [(5000, "closed"), (8000, "open")]

    def test_money_for_a_course_given_meanwhile_ends_its_order(self, desk, shop, app, tools, count):
        buyer = shop.buyer()
        order_id = desk.told(buyer)
        with app.app_context():
            learner, course = (
                db.session.get_one(Learner, buyer.learner.id),
                db.session.get_one(Course, COURSE),
            )
            grant_course(learner, course, "a gift", "operator:test", tools)
        assert desk.check(order_id) == "confirmed"
        assert count(Case, Case.kind == CaseKind.LATE_UNWANTED.value, Case.status == "open") == 1
        assert shop.order(order_id).status == OrderStatus.EXPIRED
        assert buyer.state(order_id) == "refund_due"

    def test_paid_by_wechat_pay_meanwhile_the_transfer_is_a_case_and_can_go_back(
        self, desk, shop, clock, count
    ):
        buyer = shop.buyer()
        first = buyer.buy()
        clock.travel(hours=2)
        shop.work(2)
        order_id = desk.told(buyer)
        shop.notify(first)
        assert desk.check(order_id) == "confirmed"
        assert count(License) == 1
        assert count(Case, Case.kind == CaseKind.LATE_UNWANTED.value) == 1
        assert count(LedgerEntry, LedgerEntry.credit_account == "unapplied") == 1
        assert buyer.state(order_id) == "refund_due"

    def test_paid_by_wechat_pay_afterwards_is_a_case_and_no_second_license(self, desk, shop, clock, count):
        buyer = shop.buyer()
        first = buyer.buy()
        clock.travel(hours=2)
        shop.work(2)
        desk.check(desk.told(buyer))
        shop.notify(first)
        assert count(License) == 1
        assert count(Case, Case.kind == CaseKind.LATE_UNWANTED.value) == 1

    def test_confirmed_after_its_end_it_is_late_and_honoured(self, desk, shop, clock, count):
        buyer = shop.buyer()
        order_id = desk.order(buyer)
        clock.travel(days=4)
        buyer.sign_in_again()
        shop.work(2)
        assert shop.order(order_id).status == OrderStatus.EXPIRED
        assert count(Job, Job.kind == "look_again") == 0
        assert buyer.state(order_id) == "transfer_ended"
        desk.tell(buyer, order_id)
        assert buyer.state(order_id) == "transfer_told"
        desk.check(order_id)
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert count(License) == 1


class TestRefused:
    def test_found_before_the_mail_went_out_it_is_not_told_of_as_missing(self, desk, shop, mails):
        order_id = desk.told(shop.buyer())
        desk.refuse(order_id)
        desk.check(order_id)
        shop.work()
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert "did not find" not in " ".join(
            read(mail).get_body(("plain",)).get_content() for mail in mails()
        )

    def test_it_ends_the_order_and_the_learner_is_told_why(self, desk, shop, mails, count):
        buyer = shop.buyer()
        order_id = desk.told(buyer)
        desk.refuse(order_id)
        assert shop.order(order_id).status == OrderStatus.FAILED
        page = buyer.get(f"/checkout/{order_id}").get_data(as_text=True)
        assert "nothing came" in page
        assert "not been charged" not in page
        shop.work()
        assert "nothing came" in read(mails()[-1]).get_body(("plain",)).get_content()
        # The money showed up all the same.
        assert desk.check(order_id) == "confirmed"
        assert count(License) == 1


class TestWaiting:
    def test_told_and_undecided_for_three_days_is_a_case_and_the_order_stays(self, desk, shop, clock, count):
        order_id = desk.told()
        clock.travel(days=3, minutes=1)
        shop.work(2)
        assert shop.order(order_id).status == OrderStatus.PENDING
        assert count(Case, Case.kind == CaseKind.TRANSFER_WAITING.value, Case.status == "open") == 1
        desk.check(order_id)
        assert count(Case, Case.status == "open") == 0

    def test_entered_before_the_learner_told_it_waits_for_the_second_person_and_alarms(
        self, desk, shop, clock, count
    ):
        desk.limits(single_fen=0)
        order_id = desk.order(shop.buyer())
        assert desk.check(order_id, with_picture=True) == "checked"
        clock.travel(days=3, minutes=1)
        shop.work(2)
        assert shop.order(order_id).status == OrderStatus.PENDING
        assert count(Case, Case.kind == CaseKind.TRANSFER_WAITING.value, Case.status == "open") == 1
        assert desk.approve(order_id) == "confirmed"

    def test_what_staff_enter_begins_the_three_days_anew(self, desk, shop, clock, count):
        desk.limits(single_fen=0)
        order_id = desk.told()
        clock.travel(days=2)
        assert desk.check(order_id) == "checked"
        clock.travel(days=2)
        shop.work(2)
        assert count(Case) == 0
        clock.travel(days=1, minutes=1)
        shop.work(2)
        assert count(Case, Case.kind == CaseKind.TRANSFER_WAITING.value, Case.status == "open") == 1

    def test_whoever_watches_its_page_asks_no_gateway(self, desk, shop, clock):
        buyer = shop.buyer()
        order_id = desk.order(buyer)
        for state in ("transfer_waiting", "transfer_told"):
            clock.travel(minutes=5)
            assert buyer.state(order_id) == state
            assert buyer.post(f"/checkout/{order_id}/check").status_code == 303
            shop.work(2)
            desk.tell(buyer, order_id)
        assert [shop.calls(order_id, route) for route in ("create", "query", "close")] == [0, 0, 0]
        shop.work(2)
        assert shop.differences() == []

    def test_who_teaches_the_course_is_asked_to_look(self, desk, shop, mails):
        teacher = desk.teacher()
        desk.told()
        shop.work()
        assert [read(mail)["To"] for mail in mails()] == [teacher.email]

    def test_of_many_pictures_sent_for_one_transfer_the_last_is_kept(self, desk, shop, count):
        buyer = shop.buyer()
        order_id, others = desk.told(buyer), count(Picture)
        shown = desk.transfer(order_id).told_picture_id
        for _ in range(3):
            assert desk.tell(buyer, order_id).status_code == 303
        assert count(Picture) == others
        assert desk.transfer(order_id).told_picture_id != shown
        assert count(Picture, Picture.id == desk.transfer(order_id).told_picture_id) == 1
