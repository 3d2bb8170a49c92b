"""A refund made honestly keeps every promise, and a planted breach of each is seen and named."""

import contextlib
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.doctor.examination import examine_promises
from portal.doctor.invariants import offenders
from portal.doctor.refund_invariants import REFUND_INVARIANTS
from portal.kit.db import transaction
from tests.support import databases
from tests.support.desk import Desk

pytestmark = pytest.mark.database

THE_REFUND = "SELECT out_refund_no FROM refunds"
THE_PAYMENT = "SELECT out_trade_no FROM payments"
THE_ORDER = "SELECT public_id FROM orders"

# For each promise: what breaks it, and which row is then named.
BREACHES = {
    "refunds_are_booked": ("DELETE FROM ledger_entries WHERE source_type = 'refund'", THE_REFUND),
    "bookings_have_a_refund": (
        "UPDATE refunds SET status = 'closed', succeeded_at = NULL",
        "SELECT id FROM ledger_entries WHERE source_type = 'refund'",
    ),
    "accounts_hold_payments_less_refunds": (
        "UPDATE ledger_entries SET amount_fen = amount_fen + 1 WHERE source_type = 'refund'",
        "SELECT credit_account FROM ledger_entries WHERE source_type = 'refund'",
    ),
    "refunds_stay_within_what_was_paid": (
        "UPDATE payments SET refunded_fen = refunded_fen - 1",
        THE_PAYMENT,
    ),
    "one_refund_number_one_set_of_parameters": (
        "UPDATE refunds SET out_refund_no = 'another'",
        THE_REFUND,
    ),
    "one_payment_number_one_set_of_parameters": (
        "UPDATE payments SET out_trade_no = 'LBTanother'",
        THE_PAYMENT,
    ),
    "refunds_have_two_persons": ("UPDATE refunds SET approved_by = requested_by", THE_REFUND),
    "grants_have_two_persons": (
        "INSERT INTO grants (id, public_id, kind, status, reason, amount_fen, digest, requested_by, approved_by,"
        " created_at) SELECT 1, 'grant', 'course', 'issued', 'x', 0, 'x', learner_id, learner_id, created_at"
        " FROM orders",
        "SELECT public_id FROM grants",
    ),
    "transfers_have_two_persons": (
        "INSERT INTO transfers (id, payment_id, order_id, course_id, reference, status, checked_by, approved_by,"
        " created_at) SELECT 1, p.id, o.id, o.product_id, 'x', 'waiting', o.learner_id, o.learner_id, o.created_at"
        " FROM orders o JOIN payments p ON p.order_id = o.id",
        "SELECT reference FROM transfers",
    ),
    "refunded_orders_have_no_active_license": (
        "UPDATE licenses SET status = 'active', active_key = entitlement_id",
        THE_ORDER,
    ),
    "orders_are_refunded_when_all_is_back": ("UPDATE orders SET status = 'completed'", THE_ORDER),
    "differences_from_the_bill_have_a_case": (
        "INSERT INTO bill_runs (id, gateway, mchid, bill_date, state, line_count, their_paid_fen,"
        " their_refunded_fen, our_paid_fen, our_refunded_fen, created_at, compared_at)"
        " SELECT 1, gateway, mchid, '2026-01-02', 'balanced', 1, 1, 0, 0, 0, created_at, created_at FROM payments",
        "SELECT bill_date FROM bill_runs",
    ),
}


@pytest.fixture
def money_back(shop, app, tools, sandbox):
    """One order delivered, and all of it given back; everything done."""
    desk = Desk(shop, tools)
    desk.switch(refund_mode="manual")
    number = desk.ask(desk.bought())
    shop.work()
    desk.settle(number)
    assert desk.tell(number) == 200
    shop.work()
    with app.app_context():
        yield


@contextlib.contextmanager
def unchecked(connection):
    """Let in what a CHECK refuses, as a table restored by hand would."""
    if connection.dialect.name == "sqlite":
        off, on = ["PRAGMA ignore_check_constraints = ON"], ["PRAGMA ignore_check_constraints = OFF"]
    elif connection.dialect.is_mariadb:
        off, on = ["SET check_constraint_checks = OFF"], ["SET check_constraint_checks = ON"]
    else:
        change = "ALTER TABLE {0} ALTER CHECK ck_{0}_two_persons {1}"
        tables = ("refunds", "grants", "transfers")
        off = [change.format(table, "NOT ENFORCED") for table in tables]
        on = ["DELETE FROM grants", "DELETE FROM transfers", "UPDATE refunds SET approved_by = NULL"]
        on += [change.format(table, "ENFORCED") for table in tables]
    for statement in off:
        connection.exec_driver_sql(statement)
    try:
        yield
    finally:
        for statement in on:
            connection.exec_driver_sql(statement)


def test_an_honest_refund_keeps_every_promise(money_back, tools):
    assert examine_promises(tools, timedelta(0)) == []


@pytest.mark.parametrize("promise", REFUND_INVARIANTS, ids=lambda promise: promise.name)
def test_a_breach_is_seen_and_named(money_back, promise):
    breach, named = BREACHES[promise.name]
    assert offenders(promise, "test", timedelta(0)) == []
    with (
        transaction() as session,
        databases.all_unguarded(session.connection()),
        unchecked(session.connection()),
    ):
        session.execute(sa.text(breach))
        (offending,) = session.scalars(sa.text(named)).all()
        assert offenders(promise, "test", timedelta(0)) == [str(offending)]


def test_a_refunded_order_keeps_no_money(money_back):
    (promise,) = [one for one in REFUND_INVARIANTS if one.name == "orders_are_refunded_when_all_is_back"]
    with transaction() as session:
        session.execute(sa.text("UPDATE payments SET refunded_fen = refunded_fen - 1"))
        (offending,) = session.scalars(sa.text(THE_ORDER)).all()
        assert offenders(promise, "test", timedelta(0)) == [str(offending)]


def test_each_has_a_breach():
    assert sorted(BREACHES) == sorted(promise.name for promise in REFUND_INVARIANTS)
