"""Cancelling a session, before and after everything else that may happen to it."""

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.kit.db import db
from portal.orders.models import Order
from portal.payments.close import start_closing
from tests.support.editors import editor_of

pytestmark = pytest.mark.database


class TestCancel:
    def test_it_closes_the_order_at_wechat_first(self, editor, shop, app):
        session_id = editor.begin().get_json()["id"]
        response = editor.cancel(session_id, "too expensive")
        assert (response.status_code, response.get_json()["status"]) == (200, "cancelled")
        books = shop.sandbox.control("GET", f"/control/orders/{shop.payment(session_id).out_trade_no}")
        assert books["trade_state"] == "CLOSED"
        with app.app_context():
            facts = sa.select(AuditRow.facts).where(AuditRow.action == "order.cancelled_asked")
            assert "too expensive" in db.session.scalars(facts).one()

    def test_cancelled_it_stays_cancelled(self, editor):
        session_id = editor.begin().get_json()["id"]
        answers = [editor.cancel(session_id) for _ in range(2)]
        assert [(one.status_code, one.get_json()["status"]) for one in answers] == [(200, "cancelled")] * 2

    def test_expired_it_stays_expired(self, editor, shop, clock):
        session_id = editor.begin().get_json()["id"]
        clock.travel(hours=2)
        shop.work(2)
        response = editor.cancel(session_id)
        assert (response.status_code, response.get_json()["status"]) == (200, "expired")

    def test_paid_it_is_a_conflict_with_the_session_inside(self, editor, shop):
        session_id = editor.begin().get_json()["id"]
        shop.notify(session_id)
        response = editor.cancel(session_id)
        assert (response.status_code, response.get_json()["code"]) == (409, "already_paid")
        assert response.get_json()["session"]["status"] == "completed"
        assert response.get_json()["session"]["license"]["key"]

    def test_paid_and_not_yet_told_it_is_a_conflict_too(self, editor, shop):
        session_id = editor.begin().get_json()["id"]
        shop.pay(session_id)
        response = editor.cancel(session_id)
        assert (response.status_code, response.get_json()["code"]) == (409, "already_paid")
        assert editor.session(session_id).get_json()["status"] == "completed"

    def test_paid_while_it_is_being_cancelled_it_is_a_conflict_too(self, editor, shop, monkeypatch):
        """The notification is settled between the reading of the order and the compare-and-set."""
        session_id = editor.begin().get_json()["id"]

        def settled_first(*facts, **options):
            shop.notify(session_id)
            return start_closing(*facts, **options)

        monkeypatch.setattr("portal.web.api.v1.payments.start_closing", settled_first)
        refused = editor.cancel(session_id)
        assert refused.status_code == 409
        assert refused.get_json()["session"]["status"] == "completed"

    def test_unconfirmed_it_is_accepted_and_goes_on(self, editor, shop, app, monkeypatch):
        session_id = editor.begin().get_json()["id"]
        monkeypatch.setattr("portal.web.api.v1.payments.close_order", lambda *_arguments: False)
        response = editor.cancel(session_id)
        assert (response.status_code, response.get_json()["status"]) == (202, "pending")
        monkeypatch.undo()
        shop.work()
        assert editor.session(session_id).get_json()["status"] == "cancelled"

    @pytest.mark.parametrize("reason", ["two\nlines", "x" * 201, "\u202eback", 5, None])
    def test_a_reason_is_one_line(self, editor, reason):
        session_id = editor.begin().get_json()["id"]
        response = editor.post("/payments/cancel", {"session_id": session_id, "reason": reason})
        assert (response.status_code, response.get_json()["code"]) == (422, "validation_failed")
        assert response.get_json()["errors"][0]["field"] == "reason"


class TestScopes:
    def test_an_editor_without_purchase_cannot_buy(self, buyer, count):
        response = editor_of(buyer, scope="catalog licenses").begin()
        assert (response.status_code, response.get_json()["code"]) == (403, "insufficient_scope")
        assert 'scope="purchase"' in response.headers["WWW-Authenticate"]
        assert count(Order) == 0
