"""Refunds in the state machine: asked for, approved, made by hand, told late, failed and put right.

At the end every refund has its end at WeChat, and what went back there is what went back here.
"""

from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from portal.kit import beijing
from portal.kit.db import db
from portal.kit.errors import PortalError
from portal.learners.models import Learner, Role
from portal.refunds import call, decide, request
from portal.refunds.models import LicenseEffect, Refund, RefundStatus
from portal.refunds.request import Wish
from scripts.processes import ProcessFailed
from tests.factories.learners import make_learner
from tests.proof.machine import ShopMachine, picks
from tests.proof.world import World

SHARES = (None, 1, 5000, 9900)
_UNDER_WAY = (
    RefundStatus.REQUESTED,
    RefundStatus.APPROVED,
    RefundStatus.PROCESSING,
    RefundStatus.ABNORMAL,
    RefundStatus.CLOSED,
)
OUTCOMES = ("SUCCESS", "SUCCESS", "ABNORMAL", "CLOSED")


class RefundingMachine(ShopMachine):
    """A shop whose money also goes back."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.staff: list[Learner] = []
        self.asked = 0

    def _person(self, pick: int) -> Learner:
        while len(self.staff) < 3:
            with self.world.app.app_context():
                self.staff.append(make_learner(role=Role.FINANCE))
            self.shop.sandbox.control("POST", "/control/switch", {"refund_mode": "manual"})
        return self.staff[pick % 3]

    def _wish(self, amount: int | None, effect: LicenseEffect) -> Wish:
        self.asked += 1
        return Wish("Bought by mistake", f"wish-{self.asked}", amount, effect)

    def _ours(self, *statuses: RefundStatus) -> list[Refund]:
        with self.world.app.app_context():
            query = sa.select(Refund).where(Refund.status.in_([status.value for status in statuses]))
            found = list(db.session.scalars(query.order_by(Refund.id)))
            db.session.expunge_all()
            return found

    def _theirs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.shop.sandbox.control("GET", "/control/refunds")["refunds"]
        return found

    @precondition(lambda self: self.model.paid)
    @rule(pick=picks, amount=st.sampled_from(SHARES), effect=st.sampled_from(LicenseEffect))
    def ask_for_a_refund(self, pick: int, amount: int | None, effect: LicenseEffect) -> None:
        person, number = self._person(pick), self._paid(pick)
        with self.world.app.app_context(), suppress(PortalError):
            request.request_by_staff(person, number, self._wish(amount, effect), self.world.tools)

    @precondition(lambda self: self.model.paid)
    @rule(pick=picks)
    def ask_as_the_learner(self, pick: int) -> None:
        order_id, who = self._order(pick)
        self._person(pick)
        wish = self._wish(None, LicenseEffect.REVOKE)
        with self.world.app.app_context(), suppress(PortalError):
            request.request_by_learner(self.buyers[who].learner, order_id, wish, self.world.tools)

    @precondition(lambda self: self.asked)
    @rule(pick=picks, how=st.sampled_from(["approve", "approve", "refuse", "withdraw"]))
    def decide_about_a_refund(self, pick: int, how: str) -> None:
        waiting = self._ours(RefundStatus.REQUESTED)
        if not waiting:
            return
        refund, person = waiting[pick % len(waiting)], self._person(pick)
        with self.world.app.app_context(), suppress(PortalError):
            if how == "approve":
                decide.approve(person, refund.out_refund_no, request.digest_of(refund), self.world.tools)
            elif how == "refuse":
                decide.refuse(person, refund.out_refund_no, "used for weeks")
            else:
                decide.withdraw(self.buyers[pick % len(self.buyers)].learner, refund.out_refund_no)

    @precondition(lambda self: self.asked)
    @rule(pick=picks, outcome=st.sampled_from(OUTCOMES))
    def the_bank_answers(self, pick: int, outcome: str) -> None:
        refunds = self._theirs()
        if refunds:
            number = refunds[pick % len(refunds)]["out_refund_no"]
            with suppress(ProcessFailed):
                facts = {"outcome": outcome, "notify": False}
                self.shop.sandbox.control("POST", f"/control/refunds/{number}/settle", facts)

    @precondition(lambda self: self.asked)
    @rule(pick=picks, is_new=st.booleans(), is_held=st.booleans())
    def tell_of_a_refund(self, pick: int, is_new: bool, is_held: bool) -> None:
        refunds = [one for one in self._theirs() if one["status"] != "PROCESSING"]
        if not refunds:
            return
        facts = {"out_refund_no": refunds[pick % len(refunds)]["out_refund_no"], "new_event_id": is_new}
        told = self.shop.sandbox.control("POST", "/control/notifications/build", facts)
        if is_held:
            self.held.append(told)
        else:
            assert self.shop.deliver(told).status_code == 200

    @precondition(lambda self: self.model.paid)
    @rule(pick=picks, amount=st.sampled_from((1, 5000)))
    def refund_by_hand(self, pick: int, amount: int) -> None:
        """Somebody refunds in WeChat's console, and tells nobody here."""
        self._person(pick)
        self.asked += 1
        with suppress(ProcessFailed):
            facts = {"out_trade_no": self._paid(pick), "amount": amount}
            self.shop.sandbox.control("POST", "/control/refunds/console", facts)

    def heal(self) -> None:
        super().heal()
        self._end_all_refunds()

    def _end_all_refunds(self) -> None:
        """Let the banks pay and people decide, until nothing is under way; then let the day's bill come."""
        if not self.asked:
            return
        for _ in range(6):
            for _ in range(3):
                self.world.clock.travel(seconds=61)
                self.shop.work()
            for one in self._theirs():
                if one["status"] in {"PROCESSING", "ABNORMAL"}:
                    facts = {"outcome": "SUCCESS", "notify": False}
                    self.shop.sandbox.control(
                        "POST", f"/control/refunds/{one['out_refund_no']}/settle", facts
                    )
                told = {"out_refund_no": one["out_refund_no"]}
                if self.asked % 2:  # and else the query finds it, or the bill
                    built = self.shop.sandbox.control("POST", "/control/notifications/build", told)
                    assert self.shop.deliver(built).status_code == 200
            # Approved still, after so long, is what WeChat refuses: more than it has left, after what was given by hand.
            for refund in self._ours(RefundStatus.REQUESTED, RefundStatus.APPROVED, RefundStatus.CLOSED):
                with self.world.app.app_context(), suppress(PortalError):
                    if refund.status == RefundStatus.REQUESTED:
                        decide.refuse(self._person(0), refund.out_refund_no, "too late")
                    elif refund.held_fen:
                        call.give_up(self._person(0), refund.out_refund_no, "not taken", self.world.tools)
            if not any(one.held_fen or one.status != RefundStatus.CLOSED for one in self._ours(*_UNDER_WAY)):
                break
        tomorrow = beijing.begin_of(beijing.day_of(self.world.clock.now())).timestamp() + 35 * 3600
        self.world.clock.travel(seconds=tomorrow - self.world.clock.now().timestamp())
