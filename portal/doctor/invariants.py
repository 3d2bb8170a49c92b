"""The promises about money and licenses, each as one statement that finds the rows which break it.

The numbers are those of `docs/reliability.md`. A statement selects what names the offending row: an order by its
public id, an attempt by its `out_trade_no`, a license by its id. `:settled` is the moment before which everything
must have come to rest, `:mode` the portal's mode, `:first` and `:last` bound the slice of a long table
(`promise.py`). The SQL is of the set that SQLite, MySQL and MariaDB share; `REPLACE('kind:*', '*', id)` stands for
putting texts together, which they spell differently.

What no stored row can tell is proven by tests alone: I8 beyond its trace, I11's answers, I15 (nothing is counted
down yet), I16 and I17.
"""

from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa

from portal.doctor.promise import Invariant
from portal.doctor.refund_invariants import REFUND_INVARIANTS
from portal.kit import clock
from portal.kit.db import UtcDateTime, db

MOST_NAMED = 20
REST = timedelta(minutes=10)
_SLICE = 10_000
"""Numbers to a statement: well within the seconds that a connection waits for an answer, on a busy machine too."""


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "I1",
        "paid_money_is_an_order_or_a_case",
        "An attempt that was paid stands on a paid order, or has a case.",
        """
        SELECT p.out_trade_no FROM payments p JOIN orders o ON o.id = p.order_id
        WHERE p.id BETWEEN :first AND :last AND p.status = 'paid' AND o.status NOT IN ('paid', 'completed', 'refunded')
          AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.payment_id = p.id)
        """,
        walks="payments.id",
    ),
    Invariant(
        "I1",
        "unapplied_money_has_a_case",
        "Money that bought nothing has a case.",
        """
        SELECT p.out_trade_no FROM ledger_entries l JOIN payments p ON p.id = l.source_id
        WHERE l.id BETWEEN :first AND :last AND l.source_type = 'payment' AND l.credit_account = 'unapplied'
          AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.payment_id = p.id)
        """,
        walks="ledger_entries.id",
    ),
    Invariant(
        "I1",
        "paid_orders_get_their_license",
        "An order paid a while ago has its license.",
        "SELECT o.public_id FROM orders o WHERE o.status = 'paid' AND o.paid_at < :settled",
    ),
    Invariant(
        "I1",
        "completed_orders_have_a_license",
        "A completed order has a license, or had one, or its right was revoked before.",
        """
        SELECT o.public_id FROM orders o
        LEFT JOIN entitlements e ON e.order_id = o.id LEFT JOIN licenses l ON l.entitlement_id = e.id
        WHERE o.id BETWEEN :first AND :last AND o.status = 'completed' AND l.id IS NULL
          AND (e.id IS NULL OR e.status = 'active')
        """,
        walks="orders.id",
    ),
    Invariant(
        "I1",
        "orders_come_to_an_end",
        "An order whose time was over a while ago has ended.",
        "SELECT o.public_id FROM orders o WHERE o.status = 'pending' AND o.expires_at < :settled",
    ),
    Invariant(
        "I2",
        "one_active_license",
        "A right has at most one active license.",
        """
        SELECT MIN(l.id) FROM licenses l WHERE l.entitlement_id BETWEEN :first AND :last AND l.status = 'active'
        GROUP BY l.entitlement_id HAVING COUNT(*) > 1
        """,
        walks="licenses.entitlement_id",
    ),
    Invariant(
        "I2",
        "one_active_right",
        "A learner has at most one active right to a course.",
        """
        SELECT MIN(e.id) FROM entitlements e WHERE e.learner_id BETWEEN :first AND :last AND e.status = 'active'
        GROUP BY e.learner_id, e.course_id HAVING COUNT(*) > 1
        """,
        walks="entitlements.learner_id",
    ),
    Invariant(
        "I2",
        "active_licenses_prove_active_rights",
        "An active license stands on an active right, of the same learner and course.",
        """
        SELECT l.id FROM licenses l JOIN entitlements e ON e.id = l.entitlement_id
        WHERE e.id BETWEEN :first AND :last AND l.status = 'active'
          AND (e.status = 'revoked' OR e.learner_id <> l.learner_id OR e.course_id <> l.course_id)
        """,
        walks="entitlements.id",
    ),
    Invariant(
        "I3",
        "licenses_stand_on_verified_money",
        "A license stands on a verified payment of its own order, or on a grant.",
        """
        SELECT l.id FROM licenses l JOIN entitlements e ON e.id = l.entitlement_id
        LEFT JOIN payments p ON p.id = e.payment_id
        WHERE e.id BETWEEN :first AND :last AND e.grant_reason IS NULL
          AND (p.id IS NULL OR p.status <> 'paid' OR p.verified_by IS NULL OR p.order_id <> e.order_id)
        """,
        walks="entitlements.id",
    ),
    Invariant(
        "I3",
        "transfers_were_confirmed_by_people",
        "A transfer counts as paid when, and only when, people confirmed its number and its amount.",
        """
        SELECT p.out_trade_no FROM payments p LEFT JOIN transfers t ON t.payment_id = p.id
        WHERE p.id BETWEEN :first AND :last
          AND ((p.gateway = 'transfer' AND p.status = 'paid'
                AND (t.id IS NULL OR t.status <> 'confirmed' OR t.number <> p.transaction_id
                     OR t.amount_fen <> p.amount_fen OR p.verified_by <> 'person'))
               OR (t.status = 'confirmed' AND p.status <> 'paid')
               OR (p.gateway <> 'transfer' AND p.verified_by = 'person'))
        """,
        walks="payments.id",
    ),
    Invariant(
        "I3",
        "paid_orders_have_a_paid_attempt",
        "An order that is paid has an attempt that was.",
        """
        SELECT o.public_id FROM orders o WHERE o.id BETWEEN :first AND :last AND o.status IN ('paid', 'completed', 'refunded')
          AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id AND p.status = 'paid')
        """,
        walks="orders.id",
    ),
    Invariant(
        "I4",
        "payments_are_booked",
        "A paid attempt is booked once, with its own amount, currency and order.",
        """
        SELECT p.out_trade_no FROM payments p
        LEFT JOIN ledger_entries l ON l.source_type = 'payment' AND l.source_id = p.id AND l.kind = 'payment'
        WHERE p.id BETWEEN :first AND :last AND p.status = 'paid'
          AND (l.id IS NULL OR l.amount_fen <> p.amount_fen OR l.currency <> p.currency
               OR l.order_id <> p.order_id)
        """,
        walks="payments.id",
    ),
    Invariant(
        "I4",
        "bookings_have_a_payment",
        "A booking of a payment has its payment.",
        """
        SELECT l.id FROM ledger_entries l LEFT JOIN payments p ON p.id = l.source_id
        WHERE l.id BETWEEN :first AND :last AND l.source_type = 'payment' AND (p.id IS NULL OR p.status <> 'paid')
        """,
        walks="ledger_entries.id",
    ),
    Invariant(
        "I6",
        "audit_rows_are_sealed",
        "An audit row written a while ago is in the chain.",
        "SELECT a.id FROM audit_rows a WHERE a.seq IS NULL AND a.at < :settled",
    ),
    Invariant(
        "I7",
        "the_price_asked_is_the_orders",
        "An attempt asks for the amount and currency that its order froze.",
        """
        SELECT p.out_trade_no FROM payments p JOIN orders o ON o.id = p.order_id
        WHERE p.id BETWEEN :first AND :last
          AND (p.amount_fen <> o.amount_fen OR p.currency <> o.currency
               OR CAST(JSON_EXTRACT(p.request, '$.amount.total') AS DECIMAL) <> p.amount_fen)
        """,
        walks="payments.id",
    ),
    Invariant(
        "I8",
        "settled_news_has_a_payment",
        "A notification that was applied belongs to a paid attempt.",
        """
        SELECT n.event_id FROM notifications n LEFT JOIN payments p ON p.out_trade_no = n.out_trade_no
        WHERE n.id BETWEEN :first AND :last AND n.verdict = 'settled' AND (p.id IS NULL OR p.status <> 'paid')
        """,
        walks="notifications.id",
    ),
    Invariant(
        "I9",
        "orders_are_where_their_moments_say",
        "An order's state and its moments agree, and only a pending one is open.",
        """
        SELECT o.public_id FROM orders o
        WHERE o.id BETWEEN :first AND :last
          AND ((o.status IN ('paid', 'completed', 'refunded') AND o.paid_at IS NULL)
               OR (o.status = 'completed' AND o.completed_at IS NULL)
               OR (o.status IN ('expired', 'cancelled', 'failed') AND o.closed_at IS NULL)
               OR (o.status = 'pending' AND o.paid_at IS NOT NULL)
               OR (o.status <> 'pending' AND (o.open_key IS NOT NULL OR o.closing IS NOT NULL)))
        """,
        walks="orders.id",
    ),
    Invariant(
        "I10",
        "one_transaction_one_attempt",
        "A transaction of a gateway pays one attempt.",
        """
        SELECT p.transaction_id FROM payments p
        JOIN payments q ON q.transaction_id = p.transaction_id AND q.gateway = p.gateway AND q.id > p.id
        WHERE p.id BETWEEN :first AND :last
        """,
        walks="payments.id",
    ),
    Invariant(
        "I11",
        "answered_calls_have_their_order",
        "A call that began a checkout under a key has its order.",
        """
        SELECT k.id FROM idempotency_keys k LEFT JOIN orders o ON o.public_id = k.subject_id
        WHERE k.route = '/api/v1/payments/sessions'
          AND ((k.subject_id IS NOT NULL AND o.id IS NULL) OR (k.answer IS NOT NULL AND k.subject_id IS NULL))
        """,
    ),
    Invariant(
        "I12",
        "work_is_done",
        "Work that was due a while ago is done, or waits for a later moment.",
        "SELECT j.effect_key FROM outbox j WHERE j.status = 'pending' AND j.due_at < :settled",
    ),
    Invariant(
        "I12",
        "given_up_work_has_a_case",
        "Work that was given up has a case.",
        """
        SELECT j.effect_key FROM outbox j
        LEFT JOIN cases c ON c.dedup_key = REPLACE('dead_letter:*', '*', j.effect_key)
        WHERE j.status = 'dead' AND c.id IS NULL
        """,
    ),
    Invariant(
        "I12",
        "bought_licenses_are_mailed",
        "A license that was bought has its mail on record.",
        """
        SELECT l.id FROM licenses l JOIN entitlements e ON e.id = l.entitlement_id
        WHERE e.id BETWEEN :first AND :last AND e.order_id IS NOT NULL AND l.status = 'active' AND l.revision = 1
          AND NOT EXISTS (SELECT 1 FROM outbox j WHERE j.kind = 'mail_license' AND j.subject_id = l.id)
        """,
        walks="entitlements.id",
    ),
    Invariant(
        "I12",
        "live_attempts_are_worked_on",
        "An attempt that can still be paid has work on record that opens it, watches it or ends it.",
        """
        SELECT p.out_trade_no FROM payments p JOIN orders o ON o.id = p.order_id
        LEFT JOIN outbox j ON j.status = 'pending' AND j.effect_key = CASE
            WHEN o.closing IS NOT NULL THEN REPLACE('close_order:*', '*', o.id)
            WHEN p.status = 'created' THEN REPLACE('open_payment:*', '*', p.id)
            ELSE REPLACE('watch_payment:*', '*', p.id) END
        WHERE p.open_key IS NOT NULL AND j.id IS NULL AND p.created_at < :settled AND o.expires_at > :now
          AND (p.gateway <> 'transfer' OR o.closing IS NOT NULL)
        """,
    ),
    Invariant(
        "I14",
        "ended_orders_cannot_be_paid",
        "An order that has ended has no attempt that can still be paid.",
        """
        SELECT p.out_trade_no FROM payments p JOIN orders o ON o.id = p.order_id
        WHERE p.open_key IS NOT NULL AND o.status <> 'pending'
        """,
    ),
    Invariant(
        "I14",
        "attempts_end_verifiably",
        "A closed attempt says when it was verified as closed.",
        """
        SELECT p.out_trade_no FROM payments p
        WHERE p.id BETWEEN :first AND :last AND p.status IN ('closed', 'rejected') AND p.closed_at IS NULL
        """,
        walks="payments.id",
    ),
    Invariant(
        "I21",
        "test_and_live_stay_apart",
        "An attempt is of its order's mode, and its number says so.",
        """
        SELECT p.out_trade_no FROM payments p JOIN orders o ON o.id = p.order_id
        WHERE p.id BETWEEN :first AND :last
          AND (p.mode <> o.mode
               OR p.out_trade_no NOT LIKE CASE WHEN p.mode = 'live' THEN 'LBL%' ELSE 'LBT%' END)
        """,
        walks="payments.id",
    ),
    Invariant(
        "I21",
        "orders_are_of_this_portals_mode",
        "All orders are of the mode this portal runs in.",
        "SELECT o.public_id FROM orders o WHERE o.id BETWEEN :first AND :last AND o.mode <> :mode",
        walks="orders.id",
    ),
    *REFUND_INVARIANTS,
)


def offenders(invariant: Invariant, mode: str, rest: timedelta = REST) -> list[str]:
    """Return the names of rows that break a promise, at most twenty-one.

    Args:
        mode: the portal's mode.
        rest: how long ago a thing must have begun to count as at rest; zero when nothing is running.
    """
    now = clock.now()
    values = {"settled": now - rest, "now": now, "mode": mode}
    statement = sa.text(f"{invariant.sql} LIMIT {MOST_NAMED + 1}").bindparams(
        *(
            sa.bindparam(name, value, type_=UtcDateTime() if name != "mode" else sa.String())
            for name, value in values.items()
            if f":{name}" in invariant.sql
        )
    )
    found: list[str] = []
    for slice_ in _slices(invariant.walks):
        found += (str(name) for name in db.session.scalars(statement, slice_))
        if len(found) > MOST_NAMED:
            break
    return found[: MOST_NAMED + 1]


def _slices(column: str | None) -> Iterator[dict[str, int]]:
    """Yield the bounds of each short statement; one without bounds for what is not gone through in slices."""
    if column is None:
        yield {}
        return
    table, _, name = column.partition(".")
    ids: sa.ColumnClause[int] = sa.column(name)
    ends = sa.select(sa.func.min(ids), sa.func.max(ids)).select_from(sa.table(table, ids))
    first, last = db.session.execute(ends).one()
    if first is not None:
        for begin in range(first, last + 1, _SLICE):
            yield {"first": begin, "last": begin + _SLICE - 1}
