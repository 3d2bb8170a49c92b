"""The oracle: WeChat's own books against ours, row by row, and what must hold when nothing is left to do.

`differences` says in sentences what is wrong; an empty list is the proof.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

# A payment that bought nothing has one of these: a person sees it, and its money waits as `unapplied`.
UNAPPLIED_CASES = {"duplicate", "late_unwanted"}
PAID_STATES = {"SUCCESS", "REFUND"}
_BOUGHT = {"completed", "refunded"}


def _rows(connection: sa.Connection, statement: str) -> list[Any]:
    return list(connection.execute(sa.text(statement)))


def differences(
    connection: sa.Connection, books: Iterable[Mapping[str, Any]], refunds: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Compare the books of the sandbox (`/control/orders`, `/control/refunds`) with ours, once all is at rest.

    Every payment there is one here, of the same transaction and amount, posted once, and is either one
    right with its one license or a case; and there is nothing here that is not there.
    """
    return [
        *_money(connection, books),
        *_money_back(connection, refunds),
        *_goods(connection),
        *_licenses(connection),
        *_orders(connection),
        *_work(connection),
    ]


def _money(connection: sa.Connection, books: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    theirs = {
        book["out_trade_no"]: (book["transaction_id"], book["total"])
        for book in books
        if book["state"] in PAID_STATES
    }
    paid = (
        "SELECT out_trade_no, transaction_id, amount_fen FROM payments "
        "WHERE status = 'paid' AND gateway = 'wechat_pay'"
    )
    ours = {row[0]: (row[1], row[2]) for row in _rows(connection, paid)}
    for number in sorted(theirs.keys() | ours.keys()):
        if theirs.get(number) != ours.get(number):
            yield f"{number}: WeChat has {theirs.get(number)}, we have {ours.get(number)}"
    posted = (
        "SELECT p.out_trade_no, p.amount_fen, COUNT(l.id), SUM(l.amount_fen) FROM payments p "
        "LEFT JOIN ledger_entries l ON l.source_type = 'payment' AND l.source_id = p.id "
        "WHERE p.status = 'paid' GROUP BY p.id, p.out_trade_no, p.amount_fen"
    )
    for number, amount, count, total in _rows(connection, posted):
        if (count, total) != (1, amount):
            yield f"{number}: {amount} fen paid, posted {count} times with {total} in all"
    stray = (
        "SELECT COUNT(*) FROM ledger_entries l LEFT JOIN payments p ON p.id = l.source_id AND p.status = 'paid' "
        "WHERE l.source_type = 'payment' AND p.id IS NULL"
    )
    if count := _rows(connection, stray)[0][0]:
        yield f"{count} ledger entries without a payment"


_GIVEN_BACK = """
    SELECT p.out_trade_no, p.amount_fen, p.reserved_fen, p.refunded_fen,
      (SELECT COALESCE(SUM(r.amount_fen), 0) FROM refunds r WHERE r.payment_id = p.id AND r.status = 'succeeded'),
      (SELECT COALESCE(SUM(l.amount_fen), 0) FROM ledger_entries l JOIN refunds r ON r.id = l.source_id
       WHERE l.source_type = 'refund' AND r.payment_id = p.id),
      o.status, b.credit_account, p.gateway
    FROM payments p JOIN orders o ON o.id = p.order_id
    JOIN ledger_entries b ON b.source_type = 'payment' AND b.source_id = p.id WHERE p.status = 'paid'
"""


def _money_back(connection: sa.Connection, refunds: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    given: Counter[str] = Counter()
    for one in refunds:
        if one["status"] == "SUCCESS":
            given[one["out_trade_no"]] += one["amount"]
        elif one["status"] != "CLOSED":
            yield f"{one['out_refund_no']}: WeChat has it as {one['status']}"
    for row in _rows(connection, _GIVEN_BACK):
        number, amount, reserved, refunded, succeeded, posted, status, account, gateway = row
        # Of what people sent to people WeChat Pay knows nothing.
        theirs = given[number] if gateway == "wechat_pay" else refunded
        sums = {theirs, refunded, succeeded, posted, reserved}
        if len(sums) != 1 or refunded > amount:
            yield f"{number}: WeChat gave {given[number]} back, we have {tuple(row)}"
        if account == "sales" and (refunded == amount) != (status == "refunded"):
            yield f"{number}: {refunded} of {amount} went back, and its order is {status}"


def _goods(connection: sa.Connection) -> Iterable[str]:
    cases: dict[int, set[str]] = defaultdict(set)
    for payment_id, kind in _rows(connection, "SELECT payment_id, kind FROM cases WHERE payment_id > 0"):
        cases[payment_id].add(kind)
    rights = {row[0] for row in _rows(connection, "SELECT payment_id FROM entitlements WHERE payment_id > 0")}
    statement = (
        "SELECT p.id, p.out_trade_no, o.status, l.credit_account FROM payments p "
        "JOIN orders o ON o.id = p.order_id LEFT JOIN ledger_entries l "
        "ON l.source_type = 'payment' AND l.source_id = p.id WHERE p.status = 'paid'"
    )
    for payment_id, number, status, account in _rows(connection, statement):
        is_right, is_case = payment_id in rights, bool(cases[payment_id] & UNAPPLIED_CASES)
        if is_right and (status not in _BOUGHT or account != "sales"):
            yield f"{number}: gave a right, but its order is {status} and its money is in {account}"
        if not is_right and (not is_case or account != "unapplied"):
            yield f"{number}: gave no right; cases {sorted(cases[payment_id])}, its money is in {account}"
        rights.discard(payment_id)
    if rights:
        yield f"rights that stand on payments that are not paid: {sorted(rights)}"


def _licenses(connection: sa.Connection) -> Iterable[str]:
    licenses = _rows(connection, "SELECT id, entitlement_id, status FROM licenses")
    of_right = Counter(row[1] for row in licenses)
    active = Counter(row[1] for row in licenses if row[2] == "active")
    for right, status in _rows(connection, "SELECT id, status FROM entitlements"):
        # One whose money went back before its license was made never gets any.
        if of_right[right] != 1 and (of_right[right], status) != (0, "revoked"):
            yield f"entitlement {right} has {of_right[right]} licenses"
        if status == "active" and active[right] != 1:
            yield f"entitlement {right} is active with {active[right]} active licenses"
    bought = "SELECT l.id FROM licenses l JOIN entitlements e ON e.id = l.entitlement_id WHERE e.order_id IS NOT NULL"
    sent = Counter(
        row[0]
        for row in _rows(
            connection, "SELECT subject_id FROM outbox WHERE kind = 'mail_license' AND status = 'done'"
        )
    )
    for (license_id,) in _rows(connection, bought):
        if sent[license_id] != 1:
            yield f"license {license_id} was mailed {sent[license_id]} times"


def _orders(connection: sa.Connection) -> Iterable[str]:
    statement = "SELECT public_id, status, closing, open_key FROM orders"
    for order_id, status, closing, open_key in _rows(connection, statement):
        if status == "paid":
            yield f"order {order_id} is paid and has no license"
        if closing is not None:
            yield f"order {order_id} is {status} and still closing ({closing})"
        if (open_key is not None) != (status == "pending"):
            yield f"order {order_id} is {status} with the open key {open_key}"


def _work(connection: sa.Connection) -> Iterable[str]:
    # What watches over an order that nobody paid yet is at rest.
    statement = (
        "SELECT kind, effect_key, status, last_error FROM outbox "
        "WHERE status <> 'done' AND kind NOT IN ('watch_payment', 'transfer_overdue')"
    )
    for kind, key, status, error in _rows(connection, statement):
        yield f"work {kind} {key} is {status}: {error}"
