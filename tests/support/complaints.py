"""Complaints at the sandbox, and what the portal makes of them."""

import base64
import json

import sqlalchemy as sa

from portal.disputes import acts, queries
from portal.disputes.models import ActKind, Dispute, DisputeAct, DisputeEntry
from portal.disputes.syncing import plan_sync
from portal.kit import ids
from portal.kit.db import db
from portal.orders.models import Order

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Complaints:
    """Complaints at the sandbox, and what the portal knows of them."""

    def __init__(self, app, shop, sandbox):
        self.app, self.shop, self.sandbox = app, shop, sandbox

    def paid(self) -> str:
        """Buy and pay; return our number at the gateway."""
        order_id = self.shop.buyer().buy()
        self.shop.pay(order_id)
        assert self.shop.notify(order_id).status_code == 200
        return self.shop.payment(order_id).out_trade_no

    def complain(self, **fields) -> str:
        """Complain about a paid order and return the complaint's id."""
        number = fields.pop("out_trade_no", None) or self.paid()
        facts = {"out_trade_no": number, "detail": "看不了课", **fields}
        return self.sandbox.control("POST", "/control/complaints", facts)["complaint_id"]

    def look(self) -> None:
        """Do what the worker does in a new hour."""
        with self.app.app_context():
            plan_sync(self.app.extensions["portal_tools"])
        self.shop.work(2)

    def books(self, complaint_id) -> dict:
        """Return the complaint as the sandbox's books have it."""
        return self.sandbox.control("GET", f"/control/complaints/{complaint_id}")

    def dispute(self, complaint_id) -> Dispute:
        """Return the dispute as we keep it."""
        with self.app.app_context():
            found = db.session.scalars(sa.select(Dispute).where(Dispute.complaint_id == complaint_id)).one()
            db.session.expunge(found)
            return found

    def order(self, complaint_id) -> Order:
        """Return the order that a complaint is about."""
        with self.app.app_context():
            query = sa.select(Order).join(Dispute, Dispute.order_id == Order.id)
            found = db.session.scalars(query.where(Dispute.complaint_id == complaint_id)).one()
            db.session.expunge(found)
            return found

    def steps(self, complaint_id) -> list[str]:
        """Return the kinds of the steps that we keep, in order."""
        dispute_id = self.dispute(complaint_id).id
        with self.app.app_context():
            query = sa.select(DisputeEntry.kind).where(DisputeEntry.dispute_id == dispute_id)
            return list(db.session.scalars(query.order_by(DisputeEntry.at, DisputeEntry.id)))

    def fault(self, route, kind, **arguments):
        """Order a fault."""
        self.sandbox.control(
            "POST", "/control/faults", {"route": route, "kind": kind, "times": 1, **arguments}
        )

    def ask(self, complaint_id, kind, text="", days=None, token=None, pictures=()) -> int:
        """Have staff do something, not sent yet; return the act's id."""
        dispute_id = self.dispute(complaint_id).id
        with self.app.app_context():
            return acts.ask_act(
                dispute_id,
                ActKind(kind),
                "staff:x",
                token or ids.new_public_id(),
                text=text,
                days=days,
                pictures=pictures,
            )

    def do(self, complaint_id, kind, **facts) -> DisputeAct:
        """Have staff do something, and the worker send it."""
        act_id = self.ask(complaint_id, kind, **facts)
        self.shop.work()
        return self.act(act_id)

    def act(self, act_id) -> DisputeAct:
        """Return an act."""
        with self.app.app_context():
            found = db.session.get_one(DisputeAct, act_id)
            db.session.expunge(found)
            return found

    def picture(self, complaint_id, number):
        """Fetch a picture as the page does."""
        dispute_id = self.dispute(complaint_id).id
        with self.app.app_context():
            return queries.picture_of(dispute_id, number, self.app.extensions["portal_tools"])

    def told(self, complaint_id, **outer):
        """Return a genuine notification about a complaint, not delivered."""
        built = {
            "out_trade_no": "LBT000000000",
            "event_type": "COMPLAINT.CREATE",
            "raw_resource": json.dumps({"complaint_id": complaint_id, "action_type": "CREATE_COMPLAINT"}),
        }
        return self.sandbox.control("POST", "/control/notifications/build", built | outer)
