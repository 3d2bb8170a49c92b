"""A refund is sent once, whatever is lost on the way; an answer that is not signed decides nothing."""

import threading

import pytest

from portal.cases.models import Case, CaseKind, CaseStatus
from portal.kit import faults
from portal.kit.errors import Conflict
from portal.orders.models import OrderStatus
from portal.outbox.models import Job, JobStatus
from portal.refunds import call
from portal.refunds.call import NotToBeGivenUp
from portal.refunds.models import RefundStatus
from tests.support.desk import PAID

pytestmark = pytest.mark.database


@pytest.fixture
def fault(sandbox):
    """Order a fault at WeChat."""

    def order(route, kind, **facts):
        sandbox.control("POST", "/control/faults", {"route": route, "kind": kind, "times": 1, **facts})

    return order


class TestSending:
    def test_what_is_approved_is_sent_and_accepted(self, desk, shop):
        order_id = desk.bought()
        number = desk.ask(order_id, 4000)
        shop.work()
        refund = desk.refund(number)
        assert (refund.status, bool(refund.refund_id)) == (RefundStatus.PROCESSING, True)
        [theirs] = desk.at_gateway(order_id)
        assert theirs["out_refund_no"] == number
        assert theirs["request"] == refund.request
        assert theirs["request"]["notify_url"].endswith("/notify/wechat")
        assert shop.order(order_id).refund_state == "processing"

    @pytest.mark.parametrize("reason", ["👍👍", "不想要了" * 40])
    def test_a_reason_that_wechat_would_not_take_is_left_out_or_cut(self, desk, shop, reason):
        order_id = desk.bought()
        number = desk.ask(order_id, 4000, reason=reason)
        shop.work()
        assert desk.refund(number).status == RefundStatus.PROCESSING
        assert desk.refund(number).reason == reason
        sent = desk.refund(number).request.get("reason")
        assert sent is None or (reason.startswith(sent) and 0 < len(sent.encode()) <= 80)

    def test_what_waits_for_approval_is_not(self, desk, shop):
        desk.limits(single_fen=0)
        order_id = desk.bought()
        desk.ask(order_id)
        shop.work(2)
        assert desk.at_gateway(order_id) == []

    @pytest.mark.parametrize(
        "kind", ["accept_then_drop", "unsigned", "bad_signature", "mutate", "5xx", "429"]
    )
    def test_an_answer_lost_or_not_signed_is_asked_about_under_the_same_number(
        self, desk, shop, fault, kind, clock
    ):
        """The gateway's books have one refund, whatever became of the answer (F26)."""
        order_id = desk.bought()
        facts = {"set": {"out_refund_no": "LRT0000000000"}} if kind == "mutate" else {}
        fault("refund", kind, **facts)
        number = desk.ask(order_id, 4000)
        shop.work()
        assert desk.refund(number).status == RefundStatus.APPROVED
        assert desk.refund(number).failure_code is not None
        clock.travel(seconds=61)
        shop.work(2)
        assert desk.refund(number).status == RefundStatus.PROCESSING
        assert [one["out_refund_no"] for one in desk.at_gateway(order_id)] == [number]
        assert desk.given_back(order_id) == 4000

    def test_while_it_is_unknown_nothing_more_can_be_asked_for(self, desk, shop, fault, clock):
        order_id = desk.bought()
        fault("refund", "accept_then_drop")
        desk.ask(order_id)
        shop.work()
        clock.travel(seconds=61)
        with pytest.raises(Conflict):
            desk.ask(order_id)

    def test_parts_are_sent_a_minute_apart_however_they_were_approved(self, desk, shop, clock):
        desk.limits(single_fen=0)
        order_id = desk.bought()
        first = desk.ask(order_id, 1000)
        clock.travel(seconds=61)
        second = desk.ask(order_id, 1000)
        desk.approve(first)
        desk.approve(second)
        shop.work()
        assert len(desk.at_gateway(order_id)) == 1
        clock.travel(seconds=61)
        shop.work()
        assert len(desk.at_gateway(order_id)) == 2

    @pytest.mark.parametrize(
        "point", ["refund.before_call", "refund.after_call", "refund.before_settle_commit"]
    )
    def test_a_process_that_dies_leaves_one_refund(self, desk, shop, clock, point, app, count):
        """The worker goes on where it died, under the same number (F25)."""
        order_id = desk.bought()
        number = desk.ask(order_id)
        faults.arm(f"{point}:raise")
        shop.work()
        faults.arm(None)
        if desk.at_gateway(order_id):
            desk.settle(number)
        for _ in range(4):
            clock.travel(seconds=61)
            shop.work(2)
            if desk.refund(number).status == RefundStatus.PROCESSING:
                desk.settle(number, notify=False)
        assert desk.refund(number).status == RefundStatus.SUCCEEDED
        assert (desk.given_back(order_id), desk.booked(order_id), desk.sums(order_id)) == (
            PAID,
            PAID,
            (PAID, PAID),
        )

    @pytest.mark.parametrize("point", ["refund.after_reserve", "refund.before_request_commit"])
    def test_a_process_that_dies_while_asking_holds_nothing(self, desk, point):
        order_id = desk.bought()
        faults.arm(f"{point}:raise")
        with pytest.raises(faults.FaultInjected):
            desk.ask(order_id)
        faults.arm(None)
        assert desk.sums(order_id) == (0, 0)
        desk.ask(order_id)

    @pytest.mark.parametrize(
        ("point", "status"),
        [("refund.before_approve_commit", "requested"), ("refund.after_approve", "approved")],
    )
    def test_a_process_that_dies_while_approving_leaves_it_approved_or_not(self, desk, shop, point, status):
        desk.limits(single_fen=0)
        order_id = desk.bought()
        number = desk.ask(order_id)
        faults.arm(f"{point}:raise")
        with pytest.raises(faults.FaultInjected):
            desk.approve(number)
        faults.arm(None)
        assert desk.refund(number).status == status
        shop.work()
        assert len(desk.at_gateway(order_id)) == int(status == "approved")


class TestRefused:
    @pytest.mark.parametrize("mode", ["not_enough", "user_account_abnormal"])
    def test_it_keeps_the_money_held_and_calls_a_person(self, desk, shop, count, mode):
        desk.switch(refund_mode=mode)
        order_id = desk.bought()
        number = desk.ask(order_id)
        shop.work()
        refund = desk.refund(number)
        assert refund.status == RefundStatus.APPROVED
        assert mode.replace("_", "") in refund.failure_code.replace("_", "").lower()
        assert desk.sums(order_id) == (PAID, 0)
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert count(Case, Case.kind == CaseKind.REFUND_FAILED.value) == 1

    def test_sent_again_by_a_person_it_has_the_same_number(self, desk, shop, count):
        desk.switch(refund_mode="not_enough")
        order_id, person = desk.bought(), desk.person()
        number = desk.ask(order_id)
        shop.work()
        desk.switch(refund_mode="manual")
        desk.within(lambda: call.send_again(person, number))
        shop.work()
        assert [one["out_refund_no"] for one in desk.at_gateway(order_id)] == [number]
        desk.settle(number)
        desk.tell(number)
        assert count(Case, Case.status == CaseStatus.OPEN.value) == 0

    def test_what_is_not_waiting_for_a_person_is_not_sent_again(self, desk, shop):
        number, person = desk.ask(desk.bought()), desk.person()
        shop.work()
        with pytest.raises(Conflict):
            desk.within(lambda: call.send_again(person, number))

    def test_given_up_it_frees_the_money_and_ends_the_case(self, desk, shop, count, clock):
        desk.switch(refund_mode="not_enough")
        order_id = desk.bought()
        number = desk.ask(order_id)
        shop.work()
        desk.give_up(number)
        assert desk.refund(number).status == RefundStatus.CLOSED
        assert desk.sums(order_id) == (0, 0)
        assert count(Case, Case.status == CaseStatus.OPEN.value) == 0
        desk.switch(refund_mode="manual")
        clock.travel(hours=2)
        shop.work(2)
        assert desk.at_gateway(order_id) == []

    def test_what_the_gateway_has_after_all_is_not_given_up(self, desk, shop, fault):
        order_id = desk.bought()
        fault("refund", "accept_then_drop")
        number = desk.ask(order_id)
        shop.work()
        with pytest.raises(NotToBeGivenUp):
            desk.give_up(number)
        assert desk.refund(number).status == RefundStatus.PROCESSING

    def test_what_is_being_sent_is_not_given_up(self, desk, shop, clock, monkeypatch):
        """The gateway has not heard of it yet, and does in the next moment."""
        desk.switch(refund_mode="not_enough")
        order_id = desk.bought()
        number = desk.ask(order_id)
        shop.work()
        desk.switch(refund_mode="manual")
        clock.travel(hours=1, seconds=1)
        refused = []

        def meanwhile(name):
            if name == "refund.before_call":
                with pytest.raises(NotToBeGivenUp) as error:
                    desk.give_up(number)
                refused.append(error.value)

        with monkeypatch.context() as watched:
            watched.setattr(faults, "point", meanwhile)
            shop.work()
        assert len(refused) == 1
        assert (desk.refund(number).status, desk.sums(order_id)) == (RefundStatus.PROCESSING, (PAID, 0))

    def test_taken_up_again_it_is_looked_after_to_its_end(self, desk, shop, tools, count, clock):
        """Also when nobody hears of it before it is abnormal: it is asked about, and overdue in an hour."""
        desk.switch(refund_mode="not_enough")
        number = desk.ask(desk.bought())
        shop.work()
        desk.give_up(number)
        desk.switch(refund_mode="manual")
        desk.within(lambda: tools.gateway("wechat_pay").create_refund(desk.refund(number).request))
        desk.settle(number, "ABNORMAL")
        assert desk.tell(number) == 200
        assert desk.refund(number).status == RefundStatus.ABNORMAL
        desk.settle(number, "SUCCESS")
        clock.travel(seconds=61)
        assert count(Job, Job.kind == "refund_overdue", Job.status == JobStatus.PENDING.value) == 1
        shop.work()
        assert desk.refund(number).status == RefundStatus.SUCCEEDED
        assert count(Job, Job.status == JobStatus.PENDING.value, Job.kind.like("refund_%")) == 0

    @pytest.mark.parametrize("outcome", ["SUCCESS", "ABNORMAL"])
    def test_what_was_given_up_and_taken_all_the_same_is_taken_up_again(
        self, desk, shop, tools, count, clock, outcome
    ):
        """A request that was long on its way: its money is held again before it has gone (I5)."""
        desk.switch(refund_mode="not_enough")
        order_id = desk.bought()
        number = desk.ask(order_id)
        shop.work()
        desk.give_up(number)
        assert desk.sums(order_id) == (0, 0)
        desk.switch(refund_mode="manual")
        desk.within(lambda: tools.gateway("wechat_pay").create_refund(desk.refund(number).request))
        desk.within(lambda: call.ask_now(number, tools))
        assert (desk.refund(number).status, desk.sums(order_id)) == (RefundStatus.PROCESSING, (PAID, 0))
        desk.settle(number, outcome)
        clock.travel(seconds=61)
        shop.work()
        assert desk.refund(number).status == {"SUCCESS": "succeeded", "ABNORMAL": "abnormal"}[outcome]
        assert desk.sums(order_id) == (PAID, PAID if outcome == "SUCCESS" else 0)

    def test_without_an_answer_nothing_is_given_up(self, desk, shop, sandbox):
        desk.switch(refund_mode="not_enough")
        number = desk.ask(desk.bought())
        shop.work()
        sandbox.control("POST", "/control/faults", {"route": "refund_query", "kind": "5xx"})
        with pytest.raises(NotToBeGivenUp):
            desk.give_up(number)
        assert desk.refund(number).held_fen == PAID


class TestLooking:
    def test_it_is_asked_about_after_a_minute_and_then_less_often(self, desk, shop, clock):
        order_id = desk.bought()
        number = desk.ask(order_id)
        shop.work()
        desk.settle(number)
        shop.work()
        assert desk.refund(number).status == RefundStatus.PROCESSING
        clock.travel(seconds=61)
        shop.work()
        refund = desk.refund(number)
        assert (refund.status, refund.verified_by) == (RefundStatus.SUCCEEDED, "query")

    def test_without_an_end_for_an_hour_a_person_looks(self, desk, shop, clock, count):
        number = desk.ask(desk.bought())
        shop.work()
        assert count(Case) == 0
        clock.travel(hours=1, minutes=1)
        shop.work(2)
        assert count(Case, Case.kind == CaseKind.REFUND_PENDING.value) == 1
        desk.settle(number)
        desk.tell(number)
        assert count(Case, Case.status == CaseStatus.OPEN.value) == 0

    def test_nothing_is_left_to_do_after_the_end(self, desk, shop, count):
        number = desk.ask(desk.bought())
        shop.work()
        desk.settle(number)
        desk.tell(number)
        shop.work(2)
        assert count(Job, Job.status == JobStatus.PENDING.value, Job.kind.like("refund_%")) == 0


class TestManyAtOnce:
    def test_sixteen_threads_refund_one_payment_once(self, desk, shop, clock):
        """Gateway, ledger and payment agree, whoever was first (I5, F27)."""
        order_id = desk.bought()
        people = [desk.person() for _ in range(16)]

        def press(person):
            try:
                desk.ask(order_id, person=person)
            except Exception:
                return
            desk.within(lambda: None)

        threads = [threading.Thread(target=press, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        desk.switch(refund_mode="automatic", refund_seconds=1)
        shop.work(2)
        clock.travel(seconds=70)
        shop.work(3)
        assert desk.given_back(order_id) == desk.booked(order_id) == PAID
        assert desk.sums(order_id) == (PAID, PAID)
