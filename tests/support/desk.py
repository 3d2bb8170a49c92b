"""Refunds as staff and learners make them, for tests that are about money."""

import dataclasses
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from portal.kit import ids
from portal.kit.db import db
from portal.learners.models import Learner, Role
from portal.ledger.models import LedgerEntry
from portal.orders.models import Order
from portal.payments.models import Payment
from portal.refunds import call, decide, request
from portal.refunds.models import LicenseEffect, Refund
from portal.refunds.request import Wish
from portal.tools import Tools
from tests.factories.learners import make_learner
from tests.support.shop import Buyer, Shop

PAID = 9900


class Desk:
    """A shop whose purchases are paid, and the people who give money back."""

    def __init__(self, shop: Shop, tools: Tools) -> None:
        self.shop = shop
        self.tools = tools

    def limits(self, single_fen: int, day_fen: int = 100_000) -> None:
        """Set how much one person may decide alone."""
        settings = self.tools.settings.model_copy(
            update={"APPROVAL_SINGLE_FEN": single_fen, "APPROVAL_DAY_FEN": day_fen}
        )
        self.tools = dataclasses.replace(self.tools, settings=settings)

    def within(self, work: Callable[[], Any]) -> Any:
        """Do something as a process of its own would."""
        with self.shop.app.app_context():
            return work()

    def person(self, role: Role = Role.FINANCE) -> Learner:
        """Hire somebody."""
        learner: Learner = self.within(lambda: make_learner(role=role))
        return learner

    def bought(self, buyer: Buyer | None = None) -> str:
        """Let somebody buy and pay; return the order's id."""
        order_id = (buyer or self.shop.buyer()).buy()
        self.shop.pay(order_id)
        assert self.shop.notify(order_id).status_code == 200
        return order_id

    def wish(self, amount_fen: int | None = None, **facts: Any) -> Wish:
        """Fill in the form."""
        facts = {"reason": "Bought by mistake", "key": ids.new_uuid(), **facts}
        return Wish(amount_fen=amount_fen, **facts)

    def ask(
        self, order_id: str, amount_fen: int | None = None, person: Learner | None = None, **facts: Any
    ) -> str:
        """Ask as staff; return the number of the refund."""
        someone = person or self.person()
        out_trade_no = self.shop.payment(order_id).out_trade_no
        refund = self.within(
            lambda: request.request_by_staff(
                someone, out_trade_no, self.wish(amount_fen, **facts), self.tools
            )
        )
        return str(refund.out_refund_no)

    def ask_as_learner(self, buyer: Buyer, order_id: str) -> str:
        """Ask as the buyer; return the number of the refund."""
        refund = self.within(
            lambda: request.request_by_learner(buyer.learner, order_id, self.wish(), self.tools)
        )
        return str(refund.out_refund_no)

    def approve(self, number: str, person: Learner | None = None, digest: str | None = None) -> None:
        """Approve what the page shows now, or what `digest` is of."""
        someone = person or self.person()
        shown = digest or request.digest_of(self.refund(number))
        self.within(lambda: decide.approve(someone, number, shown, self.tools))

    def give_up(self, number: str) -> None:
        """Give a refund up."""
        someone = self.person()
        self.within(lambda: call.give_up(someone, number, "asked by mistake", self.tools))

    def change_effect(self, number: str, effect: LicenseEffect) -> None:
        """Decide what becomes of the license."""
        someone, shown = self.person(), request.digest_of(self.refund(number))
        self.within(lambda: decide.change_effect(someone, number, effect, shown))

    def refund(self, number: str) -> Refund:
        """Return a refund as it is now."""
        with self.shop.app.app_context():
            found = db.session.scalars(sa.select(Refund).where(Refund.out_refund_no == number)).one()
            db.session.expunge(found)
            return found

    def refunds(self, order_id: str) -> list[Refund]:
        """Return the refunds of an order."""
        with self.shop.app.app_context():
            query = (
                sa.select(Refund).join(Order, Order.id == Refund.order_id).where(Order.public_id == order_id)
            )
            found = list(db.session.scalars(query.order_by(Refund.id)))
            for refund in found:
                db.session.expunge(refund)
            return found

    def sums(self, order_id: str) -> tuple[int, int]:
        """Return what refunds of an order's payments hold, and what went back."""
        with self.shop.app.app_context():
            query = (
                sa.select(sa.func.sum(Payment.reserved_fen), sa.func.sum(Payment.refunded_fen))
                .join(Order, Order.id == Payment.order_id)
                .where(Order.public_id == order_id)
            )
            reserved, refunded = db.session.execute(query).one()
            return int(reserved), int(refunded)

    def booked(self, order_id: str) -> int:
        """Return what the ledger says went back for an order."""
        with self.shop.app.app_context():
            query = (
                sa.select(sa.func.coalesce(sa.func.sum(LedgerEntry.amount_fen), 0))
                .join(Order, Order.id == LedgerEntry.order_id)
                .where(Order.public_id == order_id, LedgerEntry.source_type == "refund")
            )
            return int(db.session.scalar(query) or 0)

    def at_gateway(self, order_id: str) -> list[dict[str, Any]]:
        """Return WeChat's own books on the refunds of an order."""
        out_trade_no = self.shop.payment(order_id).out_trade_no
        found = self.shop.sandbox.control("GET", f"/control/refunds?out_trade_no={out_trade_no}")
        return list(found["refunds"])

    def given_back(self, order_id: str) -> int:
        """Return what WeChat has given back or is about to."""
        return sum(one["amount"] for one in self.at_gateway(order_id) if one["status"] != "CLOSED")

    def switch(self, **switches: Any) -> None:
        """Turn switches of WeChat's."""
        self.shop.sandbox.control("POST", "/control/switch", switches)

    def settle(self, number: str, outcome: str = "SUCCESS", **options: Any) -> None:
        """Bring a refund to its end at WeChat, which tells nobody."""
        self.shop.sandbox.control(
            "POST", f"/control/refunds/{number}/settle", {"outcome": outcome, "notify": False, **options}
        )

    def news(self, number: str, **options: Any) -> dict[str, Any]:
        """Return a genuine notification about a refund, not delivered."""
        built: dict[str, Any] = self.shop.sandbox.control(
            "POST", "/control/notifications/build", {"out_refund_no": number, **options}
        )
        return built

    def tell(self, number: str, **options: Any) -> int:
        """Deliver a notification about a refund; return the portal's answer."""
        return self.shop.deliver(self.news(number, **options)).status_code

    def by_hand(self, order_id: str, amount: int = PAID, **options: Any) -> str:
        """Refund in WeChat's console; return the number it got."""
        facts = {"out_trade_no": self.shop.payment(order_id).out_trade_no, "amount": amount, **options}
        made = self.shop.sandbox.control("POST", "/control/refunds/console", facts)
        return str(made["out_refund_no"])
