"""The promises about money that goes back, about two persons, and about the gateway's bill.

Written as those of `invariants.py` are; a refund is named by its `out_refund_no`, a day of a bill by its date.
A text inside JSON comes with its quotes from MySQL and MariaDB and without them from SQLite; `REPLACE` takes them off.
"""

from portal.doctor.promise import Invariant

REFUND_INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "I4",
        "refunds_are_booked",
        "A refund that succeeded is booked once, with its own amount, currency and order.",
        """
        SELECT r.out_refund_no FROM refunds r
        LEFT JOIN ledger_entries l ON l.source_type = 'refund' AND l.source_id = r.id AND l.kind = 'refund'
        WHERE r.status = 'succeeded'
          AND (l.id IS NULL OR l.amount_fen <> r.amount_fen OR l.currency <> r.currency
               OR l.order_id <> r.order_id)
        """,
    ),
    Invariant(
        "I4",
        "bookings_have_a_refund",
        "A booking of a refund has its refund.",
        """
        SELECT l.id FROM ledger_entries l LEFT JOIN refunds r ON r.id = l.source_id
        WHERE l.id BETWEEN :first AND :last AND l.source_type = 'refund' AND (r.id IS NULL OR r.status <> 'succeeded')
        """,
        walks="ledger_entries.id",
    ),
    Invariant(
        "I4",
        "accounts_hold_payments_less_refunds",
        "What the ledger says a gateway holds for us is what was paid there less what went back.",
        """
        WITH booked AS (
            SELECT l.debit_account AS debit, l.credit_account AS credit, l.currency AS currency, SUM(l.amount_fen) AS fen
            FROM ledger_entries l GROUP BY l.debit_account, l.credit_account, l.currency
        )
        SELECT t.account FROM (
            SELECT b.debit AS account, b.currency AS currency, b.fen AS fen FROM booked b WHERE b.debit LIKE 'gateway:%'
            UNION ALL
            SELECT b.credit, b.currency, -b.fen FROM booked b WHERE b.credit LIKE 'gateway:%'
            UNION ALL
            SELECT REPLACE('gateway:*', '*', p.gateway), p.currency, -SUM(p.amount_fen)
            FROM payments p WHERE p.status = 'paid' GROUP BY p.gateway, p.currency
            UNION ALL
            SELECT REPLACE('gateway:*', '*', r.gateway), r.currency, SUM(r.amount_fen)
            FROM refunds r WHERE r.status = 'succeeded' GROUP BY r.gateway, r.currency
        ) AS t GROUP BY t.account, t.currency HAVING SUM(t.fen) <> 0
        """,
    ),
    Invariant(
        "I5",
        "refunds_stay_within_what_was_paid",
        "What refunds hold and what went back is what a payment counts, and never more than was paid.",
        """
        SELECT p.out_trade_no FROM payments p LEFT JOIN (
            SELECT r.payment_id, SUM(r.held_fen) AS held_fen,
                SUM(CASE WHEN r.status = 'succeeded' THEN r.amount_fen ELSE 0 END) AS back_fen
            FROM refunds r WHERE r.payment_id BETWEEN :first AND :last GROUP BY r.payment_id
        ) AS t ON t.payment_id = p.id
        WHERE p.id BETWEEN :first AND :last
          AND (p.reserved_fen <> COALESCE(t.held_fen, 0) OR p.refunded_fen <> COALESCE(t.back_fen, 0)
               OR p.refunded_fen < 0 OR p.refunded_fen > p.reserved_fen OR p.reserved_fen > p.amount_fen)
        """,
        walks="payments.id",
    ),
    Invariant(
        "I13",
        "one_refund_number_one_set_of_parameters",
        "A refund is sent with its own number, amount and payment.",
        """
        SELECT r.out_refund_no FROM refunds r JOIN payments p ON p.id = r.payment_id
        WHERE r.order_id <> p.order_id OR r.gateway <> p.gateway OR r.mchid <> p.mchid OR r.mode <> p.mode
           OR r.currency <> p.currency
           OR (r.request IS NOT NULL
               AND (REPLACE(JSON_EXTRACT(r.request, '$.out_refund_no'), '"', '') <> r.out_refund_no
                    OR CAST(JSON_EXTRACT(r.request, '$.amount.refund') AS DECIMAL) <> r.amount_fen
                    OR CAST(JSON_EXTRACT(r.request, '$.amount.total') AS DECIMAL) <> p.amount_fen))
        """,
    ),
    Invariant(
        "I13",
        "one_payment_number_one_set_of_parameters",
        "An attempt is opened with its own number.",
        """
        SELECT p.out_trade_no FROM payments p
        WHERE p.id BETWEEN :first AND :last AND REPLACE(JSON_EXTRACT(p.request, '$.out_trade_no'), '"', '') <> p.out_trade_no
        """,
        walks="payments.id",
    ),
    Invariant(
        "I18",
        "refunds_have_two_persons",
        "Nobody approves a refund that they asked for.",
        "SELECT r.out_refund_no FROM refunds r WHERE r.approved_by = r.requested_by",
    ),
    Invariant(
        "I18",
        "grants_have_two_persons",
        "Nobody approves a grant that they asked for.",
        "SELECT g.public_id FROM grants g WHERE g.approved_by = g.requested_by",
    ),
    Invariant(
        "I18",
        "transfers_have_two_persons",
        "Nobody approves a transfer that they checked themselves.",
        "SELECT t.reference FROM transfers t WHERE t.approved_by = t.checked_by",
    ),
    Invariant(
        "I20",
        "refunded_orders_have_no_active_license",
        "A refunded order has no active license and no active right.",
        """
        SELECT o.public_id FROM orders o JOIN entitlements e ON e.order_id = o.id
        LEFT JOIN licenses l ON l.entitlement_id = e.id AND l.status = 'active'
        WHERE o.status = 'refunded' AND (e.status = 'active' OR l.id IS NOT NULL)
        """,
    ),
    Invariant(
        "I20",
        "orders_are_refunded_when_all_is_back",
        "An order is refunded when, and only when, all that paid for it went back.",
        # CASE has the ledger read for the offenders alone; a join is begun with the whole ledger, for each slice.
        """
        SELECT o.public_id FROM payments p JOIN orders o ON o.id = p.order_id
        WHERE p.id BETWEEN :first AND :last AND p.status = 'paid' AND CASE
            WHEN o.status = 'refunded' AND p.refunded_fen >= p.amount_fen THEN 0
            WHEN o.status <> 'refunded' AND p.refunded_fen <> p.amount_fen THEN 0
            ELSE (SELECT COUNT(*) FROM ledger_entries l
                  WHERE l.source_type = 'payment' AND l.source_id = p.id AND l.credit_account = 'sales') END > 0
        """,
        walks="payments.id",
    ),
    Invariant(
        "I22",
        "differences_from_the_bill_have_a_case",
        "A day's books equal the gateway's bill, or each difference has a case.",
        """
        SELECT b.bill_date FROM bill_runs b WHERE b.compared_at IS NOT NULL AND (
            EXISTS (SELECT 1 FROM bill_differences d LEFT JOIN cases c ON c.id = d.case_id
                    WHERE d.run_id = b.id AND d.resolved_at IS NULL AND (c.id IS NULL OR b.state <> 'different'))
            OR (b.state = 'balanced'
                AND (b.their_paid_fen <> b.our_paid_fen OR b.their_refunded_fen <> b.our_refunded_fen))
            OR (b.state = 'different' AND NOT EXISTS (
                    SELECT 1 FROM bill_differences d WHERE d.run_id = b.id AND d.resolved_at IS NULL)))
        """,
    ),
)
