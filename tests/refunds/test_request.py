"""What can be asked for, by whom, and that no more is promised than was paid."""

import dataclasses
import threading
from datetime import timedelta

import pytest

from portal.approvals.services import ChangedSinceAsked, OwnRequest
from portal.audit.models import AuditRow
from portal.kit.errors import Conflict, NotFound, TooMany
from portal.learners.models import Role
from portal.orders.models import OrderStatus
from portal.outbox.models import Job
from portal.refunds import decide, request
from portal.refunds.decide import AlreadyDecided
from portal.refunds.models import LicenseEffect, Refund, RefundStatus
from portal.refunds.request import BadReason, NotRefundable, TooManyParts, TooMuch, TooOld
from tests.support.desk import PAID

pytestmark = pytest.mark.database


class TestAsking:
    def test_it_holds_the_money_and_waits_for_a_second_person_above_the_threshold(self, desk, count):
        desk.limits(single_fen=5000)
        order_id = desk.bought()
        number = desk.ask(order_id, 9000)
        refund = desk.refund(number)
        assert refund.status == RefundStatus.REQUESTED
        assert desk.sums(order_id) == (9000, 0)
        assert count(Job, Job.kind == "refund_call") == 0
        assert count(AuditRow, AuditRow.action == "refund.requested") == 1
        assert desk.shop.order(order_id).refund_state == "requested"

    def test_within_the_limits_of_one_person_it_is_approved_by_asking(self, desk, count):
        order_id = desk.bought()
        refund = desk.refund(desk.ask(order_id, 5000))
        assert (refund.status, refund.approved_by) == (RefundStatus.APPROVED, None)
        assert count(Job, Job.kind == "refund_call") == 1

    def test_beyond_what_one_person_may_give_away_in_a_day_another_has_to_agree(self, desk):
        desk.limits(single_fen=20_000, day_fen=15_000)
        person = desk.person()
        first, second = desk.bought(), desk.bought()
        assert desk.refund(desk.ask(first, person=person)).status == RefundStatus.APPROVED
        assert desk.refund(desk.ask(second, person=person)).status == RefundStatus.REQUESTED

    @pytest.mark.parametrize("amount", [0, -1, PAID + 1, 2**63 - 1])
    def test_an_amount_beyond_the_payment_is_refused_and_holds_nothing(self, desk, amount, count):
        order_id = desk.bought()
        with pytest.raises(TooMuch) as refused:
            desk.ask(order_id, amount)
        assert refused.value.facts["remaining_fen"] == PAID
        assert desk.sums(order_id) == (0, 0)
        assert count(Refund) == 0

    @pytest.mark.parametrize("reason", ["", " ", "x", "a\nb", "‮abc", "r" * 201])
    def test_a_reason_is_one_line(self, desk, reason, count):
        order_id = desk.bought()
        with pytest.raises(BadReason):
            desk.ask(order_id, reason=reason)
        assert count(Refund) == 0

    def test_what_was_not_paid_cannot_be_given_back(self, desk, shop):
        order_id = shop.buyer().buy()
        with pytest.raises(NotRefundable):
            desk.ask(order_id)

    def test_an_order_number_nobody_has_is_not_found(self, desk):
        person = desk.person()
        with pytest.raises(NotFound):
            desk.within(
                lambda: request.request_by_staff(person, "LBT26112400NOSUCHNUMBER", desk.wish(), desk.tools)
            )

    def test_parts_come_a_minute_apart(self, desk, clock):
        order_id = desk.bought()
        desk.ask(order_id, 1000)
        with pytest.raises(TooMany) as refused:
            desk.ask(order_id, 1000)
        assert 0 < refused.value.retry_after <= 60
        clock.travel(seconds=61)
        desk.ask(order_id, 1000)
        assert desk.sums(order_id) == (2000, 0)

    def test_there_are_fifty_parts_and_no_more(self, desk, monkeypatch, clock):
        monkeypatch.setattr(request, "MOST_PARTS", 2)
        order_id = desk.bought()
        for _ in range(2):
            desk.ask(order_id, 100)
            clock.travel(seconds=61)
        with pytest.raises(TooManyParts):
            desk.ask(order_id, 100)
        assert timedelta(days=365) == request.LONGEST

    def test_after_a_year_the_gateway_gives_nothing_back(self, desk, clock):
        order_id = desk.bought()
        clock.travel(days=365, hours=1)
        with pytest.raises(TooOld):
            desk.ask(order_id)

    def test_a_form_sent_twice_is_one_refund(self, desk, count):
        order_id, person = desk.bought(), desk.person()
        numbers = {desk.ask(order_id, 1000, person=person, key="form-1") for _ in range(3)}
        assert len(numbers) == 1
        assert count(Refund) == 1

    @pytest.mark.parametrize("amount", [PAID, 1000])
    def test_sixteen_at_once_hold_it_once(self, desk, amount):
        """Sixteen people press the button of one payment (F27)."""
        order_id = desk.bought()
        people = [desk.person() for _ in range(16)]
        outcomes: list[object] = []

        def press(person):
            try:
                outcomes.append(desk.ask(order_id, amount, person=person))
            except Exception as error:
                outcomes.append(type(error))

        threads = [threading.Thread(target=press, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        numbers = [outcome for outcome in outcomes if isinstance(outcome, str)]
        assert len(numbers) == 1, outcomes
        assert desk.sums(order_id) == (amount, 0)


class TestWhatBecomesOfTheLicense:
    def test_when_all_goes_back_it_is_revoked_whatever_was_wished(self, desk):
        number = desk.ask(desk.bought(), PAID, license_effect=LicenseEffect.KEEP)
        assert desk.refund(number).license_effect == LicenseEffect.REVOKE

    def test_the_rest_counts_as_all(self, desk, clock):
        order_id = desk.bought()
        assert desk.refund(desk.ask(order_id, 9000)).license_effect == LicenseEffect.KEEP
        clock.travel(seconds=61)
        assert desk.refund(desk.ask(order_id)).license_effect == LicenseEffect.REVOKE

    def test_a_part_keeps_it_unless_staff_decides(self, desk):
        number = desk.ask(desk.bought(), 100, license_effect=LicenseEffect.REVOKE)
        assert desk.refund(number).license_effect == LicenseEffect.REVOKE


class TestLearner:
    def test_asks_for_all_that_is_left(self, desk, shop):
        buyer = shop.buyer()
        order_id = desk.bought(buyer)
        refund = desk.refund(desk.ask_as_learner(buyer, order_id))
        assert (refund.amount_fen, refund.origin, refund.status) == (PAID, "learner", "requested")

    def test_cannot_ask_twice_at_the_same_time(self, desk, shop, clock):
        buyer = shop.buyer()
        order_id = desk.bought(buyer)
        desk.ask_as_learner(buyer, order_id)
        clock.travel(seconds=61)
        with pytest.raises(NotRefundable):
            desk.ask_as_learner(buyer, order_id)

    def test_cannot_ask_for_anothers_order(self, desk, shop):
        order_id = desk.bought()
        with pytest.raises(NotFound):
            desk.ask_as_learner(shop.buyer(), order_id)

    def test_takes_it_back_and_may_ask_again(self, desk, shop):
        buyer = shop.buyer()
        order_id = desk.bought(buyer)
        number = desk.ask_as_learner(buyer, order_id)
        desk.within(lambda: decide.withdraw(buyer.learner, number))
        assert desk.refund(number).status == RefundStatus.WITHDRAWN
        assert desk.sums(order_id) == (0, 0)
        assert shop.order(order_id).refund_state is None
        desk.ask_as_learner(buyer, order_id)

    def test_takes_back_only_ones_own(self, desk, shop):
        buyer = shop.buyer()
        number, other = desk.ask_as_learner(buyer, desk.bought(buyer)), shop.buyer()
        with pytest.raises(NotFound):
            desk.within(lambda: decide.withdraw(other.learner, number))
        assert desk.refund(number).status == RefundStatus.REQUESTED


class TestApproval:
    def test_is_never_of_ones_own_request(self, desk):
        desk.limits(single_fen=0)
        asker = desk.person()
        number = desk.ask(desk.bought(), person=asker)
        with pytest.raises(OwnRequest):
            desk.approve(number, asker)
        assert desk.refund(number).status == RefundStatus.REQUESTED
        desk.approve(number)
        refund = desk.refund(number)
        assert refund.status == RefundStatus.APPROVED
        assert refund.approved_by not in (None, refund.requested_by)

    def test_is_never_of_what_one_asked_for_as_a_learner(self, desk, shop):
        buyer = shop.buyer(role=Role.FINANCE)
        number = desk.ask_as_learner(buyer, desk.bought(buyer))
        with pytest.raises(OwnRequest):
            desk.approve(number, buyer.learner)

    def test_is_never_of_what_goes_back_to_oneself(self, desk, shop):
        buyer = shop.buyer(role=Role.FINANCE)
        order_id = desk.bought(buyer)
        with pytest.raises(OwnRequest):
            desk.ask(order_id, 4000, person=buyer.learner)
        desk.limits(single_fen=0)
        number = desk.ask(order_id, 4000)
        with pytest.raises(OwnRequest):
            desk.approve(number, buyer.learner)
        assert desk.refund(number).status == RefundStatus.REQUESTED

    def test_is_ones_own_once_the_shop_has_one_person(self, desk):
        """Also of what was asked for when there were two."""
        desk.limits(single_fen=0)
        person = desk.person()
        number = desk.ask(desk.bought(), person=person)
        settings = desk.tools.settings.model_copy(update={"APPROVAL_ONE_PERSON_SHOP": True})
        desk.tools = dataclasses.replace(desk.tools, settings=settings)
        desk.approve(number, person)
        refund = desk.refund(number)
        assert (refund.status, refund.approved_by) == (RefundStatus.APPROVED, None)

    def test_of_a_learners_request_is_one_persons_up_to_the_threshold(self, desk, shop):
        buyer = shop.buyer()
        number = desk.ask_as_learner(buyer, desk.bought(buyer))
        desk.approve(number)
        assert desk.refund(number).status == RefundStatus.APPROVED

    def test_of_a_learners_request_above_it_is_two_persons(self, desk, shop):
        desk.limits(single_fen=5000)
        buyer, first = shop.buyer(), desk.person()
        number = desk.ask_as_learner(buyer, desk.bought(buyer))
        desk.approve(number, first)
        assert desk.refund(number).status == RefundStatus.REQUESTED
        with pytest.raises(OwnRequest):
            desk.approve(number, first)
        desk.approve(number)
        refund = desk.refund(number)
        assert refund.status == RefundStatus.APPROVED
        assert refund.endorsed_by != refund.approved_by

    def test_of_what_has_changed_since_is_refused(self, desk):
        desk.limits(single_fen=0)
        number = desk.ask(desk.bought(), 1000)
        shown = request.digest_of(desk.refund(number))
        desk.change_effect(number, LicenseEffect.REVOKE)
        with pytest.raises(ChangedSinceAsked):
            desk.approve(number, digest=shown)
        assert desk.refund(number).status == RefundStatus.REQUESTED

    def test_keeps_the_digest_of_what_was_approved(self, desk):
        desk.limits(single_fen=0)
        number = desk.ask(desk.bought(), 1000)
        desk.approve(number)
        refund = desk.refund(number)
        assert refund.approval_digest == request.digest_of(refund)

    def test_two_at_once_are_one(self, desk, count):
        desk.limits(single_fen=0)
        number = desk.ask(desk.bought())
        people = [desk.person() for _ in range(16)]
        shown = request.digest_of(desk.refund(number))
        outcomes: list[object] = []

        def approve(person):
            try:
                outcomes.append(desk.approve(number, person, shown))
            except Conflict as error:
                outcomes.append(type(error))

        threads = [threading.Thread(target=approve, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes, key=str) == [AlreadyDecided] * 15 + [None]
        assert count(Job, Job.kind == "refund_call") == 1

    def test_refusing_frees_the_money_and_tells_the_learner_why(self, desk, shop, count, mails):
        buyer, person = shop.buyer(), desk.person()
        order_id = desk.bought(buyer)
        number = desk.ask_as_learner(buyer, order_id)
        desk.within(lambda: decide.refuse(person, number, "The course was used for months"))
        refund = desk.refund(number)
        assert (refund.status, refund.decision_note) == (
            RefundStatus.REFUSED,
            "The course was used for months",
        )
        assert desk.sums(order_id) == (0, 0)
        shop.work(2)
        assert any("used for months" in path.read_text() for path in mails())
        assert shop.order(order_id).status == OrderStatus.COMPLETED

    def test_what_was_decided_is_not_decided_again(self, desk):
        desk.limits(single_fen=0)
        number, person = desk.ask(desk.bought()), desk.person()
        desk.within(lambda: decide.refuse(person, number, "No"))
        with pytest.raises(AlreadyDecided):
            desk.approve(number)
        with pytest.raises(AlreadyDecided):
            desk.within(lambda: decide.refuse(person, number, "No"))
