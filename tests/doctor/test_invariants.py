"""Every promise is kept by an honest history, and a planted breach of each is seen and named."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.doctor.examination import examine_promises
from portal.doctor.invariants import INVARIANTS, MOST_NAMED, offenders
from portal.doctor.promise import Invariant
from portal.doctor.refund_invariants import REFUND_INVARIANTS
from portal.kit.db import db, transaction
from tests.support import databases

pytestmark = pytest.mark.database

PAID = "(SELECT id FROM (SELECT id FROM orders WHERE status = 'completed') AS o)"
PENDING = "(SELECT id FROM (SELECT id FROM orders WHERE status = 'pending') AS o)"
UNPROVEN = (
    "UPDATE payments SET status = 'closed', closed_at = created_at, transaction_id = NULL, verified_by = NULL "
    f"WHERE order_id IN {PAID}"
)
LONG_AGO = "'2020-01-01 00:00:00.000000'"

# For each promise: what breaks it, and which row is then named.
BREACHES = {
    "paid_money_is_an_order_or_a_case": (
        f"UPDATE orders SET status = 'expired', closed_at = created_at WHERE id IN {PAID}",
        "SELECT out_trade_no FROM payments WHERE status = 'paid'",
    ),
    "unapplied_money_has_a_case": (
        "UPDATE ledger_entries SET credit_account = 'unapplied'",
        "SELECT out_trade_no FROM payments WHERE status = 'paid'",
    ),
    "paid_orders_get_their_license": (
        f"UPDATE orders SET status = 'paid', paid_at = {LONG_AGO} WHERE id IN {PAID}",
        "SELECT public_id FROM orders WHERE status = 'paid'",
    ),
    "completed_orders_have_a_license": (
        "DELETE FROM licenses",
        "SELECT public_id FROM orders WHERE status = 'completed'",
    ),
    "orders_come_to_an_end": (
        f"UPDATE orders SET expires_at = {LONG_AGO} WHERE status = 'pending'",
        "SELECT public_id FROM orders WHERE status = 'pending'",
    ),
    "one_active_license": (
        "INSERT INTO licenses (id, entitlement_id, revision, active_key, learner_id, course_id, kid, text, digest,"
        " status, issued_at, expires_at) SELECT '0', entitlement_id, 2, active_key + 1000000, learner_id, course_id,"
        " kid, text, '0', status, issued_at, expires_at FROM licenses",
        "SELECT MIN(id) FROM licenses",
    ),
    "one_active_right": (
        "INSERT INTO entitlements (id, learner_id, course_id, grant_reason, status, active_key, max_downloads,"
        " granted_at, expires_at) SELECT id + 1000000, learner_id, course_id, 'twice', status, 'another',"
        " max_downloads, granted_at, expires_at FROM entitlements",
        "SELECT MIN(id) FROM entitlements",
    ),
    "active_licenses_prove_active_rights": (
        "UPDATE entitlements SET status = 'revoked', active_key = NULL",
        "SELECT id FROM licenses",
    ),
    "licenses_stand_on_verified_money": (UNPROVEN, "SELECT id FROM licenses"),
    "paid_orders_have_a_paid_attempt": (
        UNPROVEN,
        "SELECT public_id FROM orders WHERE status = 'completed'",
    ),
    "transfers_were_confirmed_by_people": (
        "UPDATE payments SET verified_by = 'person' WHERE status = 'paid'",
        "SELECT out_trade_no FROM payments WHERE status = 'paid'",
    ),
    "payments_are_booked": (
        "UPDATE ledger_entries SET amount_fen = amount_fen + 1",
        "SELECT out_trade_no FROM payments WHERE status = 'paid'",
    ),
    "bookings_have_a_payment": (UNPROVEN, "SELECT id FROM ledger_entries"),
    "audit_rows_are_sealed": (
        f"UPDATE audit_rows SET seq = NULL, prev_hash = NULL, hash = NULL, at = {LONG_AGO} WHERE seq = 1",
        "SELECT id FROM audit_rows WHERE seq IS NULL",
    ),
    "the_price_asked_is_the_orders": (
        f"UPDATE orders SET amount_fen = 1 WHERE id IN {PENDING}",
        f"SELECT out_trade_no FROM payments WHERE order_id IN {PENDING}",
    ),
    "settled_news_has_a_payment": (UNPROVEN, "SELECT event_id FROM notifications"),
    "orders_are_where_their_moments_say": (
        f"UPDATE orders SET paid_at = NULL WHERE id IN {PAID}",
        "SELECT public_id FROM orders WHERE status = 'completed'",
    ),
    "one_transaction_one_attempt": (
        "UPDATE payments SET status = 'paid', verified_by = 'notify', mchid = '1', transaction_id ="
        " (SELECT t FROM (SELECT MAX(transaction_id) AS t FROM payments) AS p) WHERE status = 'open'",
        "SELECT MAX(transaction_id) FROM payments",
    ),
    "answered_calls_have_their_order": (
        "INSERT INTO idempotency_keys (id, principal, method, route, {key}, body_digest, lease, lease_until, subject_id,"
        " created_at) SELECT 7, 'x', 'POST', '/api/v1/payments/sessions', 'x', 'x', 'x', created_at, 'nowhere',"
        " created_at FROM orders WHERE status = 'pending'",
        "SELECT id FROM idempotency_keys",
    ),
    "work_is_done": (
        f"UPDATE outbox SET due_at = {LONG_AGO} WHERE effect_key ="
        " REPLACE('watch_payment:*', '*', (SELECT id FROM payments WHERE status = 'open'))",
        "SELECT effect_key FROM outbox WHERE due_at < '2021-01-01'",
    ),
    "given_up_work_has_a_case": (
        "UPDATE outbox SET status = 'dead' WHERE kind = 'mail_license'",
        "SELECT effect_key FROM outbox WHERE status = 'dead'",
    ),
    "bought_licenses_are_mailed": (
        "DELETE FROM outbox WHERE kind = 'mail_license'",
        "SELECT id FROM licenses",
    ),
    "live_attempts_are_worked_on": (
        "UPDATE outbox SET status = 'done' WHERE kind = 'watch_payment'",
        "SELECT out_trade_no FROM payments WHERE status = 'open'",
    ),
    "ended_orders_cannot_be_paid": (
        f"UPDATE orders SET status = 'cancelled', closed_at = created_at, open_key = NULL WHERE id IN {PENDING}",
        "SELECT out_trade_no FROM payments WHERE status = 'open'",
    ),
    "attempts_end_verifiably": (
        "UPDATE payments SET status = 'closed', open_key = NULL WHERE status = 'open'",
        "SELECT out_trade_no FROM payments WHERE status = 'closed'",
    ),
    "test_and_live_stay_apart": (
        "UPDATE payments SET mode = 'live' WHERE status = 'open'",
        "SELECT out_trade_no FROM payments WHERE status = 'open'",
    ),
    "orders_are_of_this_portals_mode": (
        "UPDATE orders SET mode = 'live' WHERE status = 'pending'",
        "SELECT public_id FROM orders WHERE mode = 'live'",
    ),
}


OF_PURCHASES = [promise for promise in INVARIANTS if promise not in REFUND_INVARIANTS]


@pytest.fixture
def history(shop, app):
    """One order delivered, another waiting to be paid; everything done."""
    buyer = shop.buyer()
    delivered = buyer.buy()
    shop.pay(delivered)
    assert shop.notify(delivered).status_code == 200
    shop.buyer(email="second@example.com").buy("javascript-complete")
    shop.work()
    with app.app_context():
        yield


def spoil(statement):
    # `key` is a word of SQL's.
    quoted = "`key`" if db.engine.dialect.name == "mysql" else '"key"'
    with transaction() as session, databases.all_unguarded(session.connection()):
        session.execute(sa.text(statement.replace("{key}", quoted)))


def test_an_honest_history_keeps_every_promise(history, tools):
    assert examine_promises(tools) == []


@pytest.mark.parametrize("promise", OF_PURCHASES, ids=lambda promise: promise.name)
def test_a_breach_is_seen_and_named(history, promise):
    breach, named = BREACHES[promise.name]
    assert offenders(promise, "test", timedelta(0)) == []
    spoil(breach)
    (offending,) = db.session.scalars(sa.text(named)).all()
    assert offenders(promise, "test", timedelta(0)) == [str(offending)]


def test_what_has_just_begun_is_no_breach(history, clock):
    promise = next(promise for promise in INVARIANTS if promise.name == "work_is_done")
    spoil("UPDATE outbox SET status = 'pending' WHERE kind = 'mail_license'")
    assert offenders(promise, "test") == []
    clock.travel(minutes=11)
    assert len(offenders(promise, "test")) >= 1


def test_each_has_a_name_of_its_own_and_a_breach():
    assert sorted(BREACHES) == sorted(promise.name for promise in OF_PURCHASES)
    assert len({promise.name for promise in INVARIANTS}) == len(INVARIANTS)


def test_a_long_table_is_gone_through_to_its_end(history, monkeypatch):
    monkeypatch.setattr("portal.doctor.invariants._SLICE", 1)
    promise = next(promise for promise in INVARIANTS if promise.name == "test_and_live_stay_apart")
    spoil("UPDATE payments SET mode = 'live'")
    numbers = db.session.scalars(sa.text("SELECT out_trade_no FROM payments ORDER BY id")).all()
    assert len(numbers) == 2
    assert offenders(promise, "test") == numbers


def test_what_is_read_in_one_piece_is_what_an_index_finds():
    whole = {promise.name for promise in OF_PURCHASES if promise.walks is None}
    assert whole == {
        "paid_orders_get_their_license",
        "orders_come_to_an_end",
        "audit_rows_are_sealed",
        "answered_calls_have_their_order",
        "work_is_done",
        "given_up_work_has_a_case",
        "live_attempts_are_worked_on",
        "ended_orders_cannot_be_paid",
    }


def test_many_offenders_are_not_all_named(history, tools, monkeypatch):
    values = " UNION ALL ".join(f"SELECT '{number}' AS n" for number in range(MOST_NAMED + 5))
    monkeypatch.setattr(
        "portal.doctor.examination.INVARIANTS",
        (Invariant("I0", "many", "There are not many.", f"SELECT n FROM ({values}) AS t"),),
    )
    (finding,) = examine_promises(tools)
    assert (len(finding.ids), finding.more) == (MOST_NAMED, True)
