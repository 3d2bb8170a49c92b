"""Fill a MySQL or MariaDB database with a year of orders, by statements of the server's own: a million take minutes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal.kit.db import db, transaction

COURSES = 24
LEARNERS = 50_000
CHUNK = 50_000
_YEAR_SECONDS = 365 * 86_400

_DIGITS = "(" + " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10)) + ")"
_NUMBERS = (
    "SELECT :first + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n FROM "
    f"{_DIGITS} a, {_DIGITS} b, {_DIGITS} c, {_DIGITS} e, (SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 "
    "UNION ALL SELECT 3 UNION ALL SELECT 4) f"
)
_COURSE = f"CONCAT('course-', LPAD(MOD(n * 7919, {COURSES}), 2, '0'))"
_LEARNER = f"1 + MOD(n * 104729, {LEARNERS})"
# Of a hundred orders 80 are completed, 14 expired, 4 cancelled, 1 failed; and one in 10,000 waits.
_STATUS = (
    "CASE WHEN MOD(n, 10000) = 77 THEN 'pending' WHEN MOD(n, 10000) = 78 THEN 'paid' WHEN MOD(n, 100) < 80 "
    "THEN 'completed' WHEN MOD(n, 100) < 94 THEN 'expired' WHEN MOD(n, 100) < 99 THEN 'cancelled' ELSE 'failed' END"
)
_PLACED = "TIMESTAMPADD(MICROSECOND, n * :step, :begin)"


def _statements() -> Iterator[str]:
    """Return what fills the tables, for the orders n of one chunk; ids of all rows are n + 1."""
    is_paid = "status IN ('paid', 'completed')"
    yield (
        "INSERT INTO orders (id, public_id, learner_id, product_id, product_kind, title_zh, title_en, amount_fen, "
        "currency, license_days, max_downloads, mode, status, open_key, version, created_at, expires_at, paid_at, "
        f"completed_at, closed_at) SELECT n + 1, CONCAT('order', LPAD(n, 15, '0')), {_LEARNER}, {_COURSE}, 'course', "
        f"'课程', 'A course', 9900, 'CNY', 365, 5, 'test', {_STATUS} AS status, NULL, 3, {_PLACED}, "
        f"TIMESTAMPADD(MINUTE, 30, {_PLACED}), IF({_STATUS} IN ('paid', 'completed'), TIMESTAMPADD(SECOND, 60, "
        f"{_PLACED}), NULL), IF({_STATUS} = 'completed', TIMESTAMPADD(SECOND, 60, {_PLACED}), NULL), NULL "
        f"FROM ({_NUMBERS}) numbers"
    )
    yield (
        "INSERT INTO payments (id, order_id, gateway, mode, mchid, appid, out_trade_no, amount_fen, currency, request, "
        "status, transaction_id, verified_by, created_at, paid_at) SELECT id, id, 'wechat_pay', 'test', '1900000001', "
        f"'wx0000000000000001', CONCAT('LBT', LPAD(id, 24, '0')), 9900, 'CNY', '{{}}', IF({is_paid}, 'paid', 'closed'), "
        f"IF({is_paid}, CONCAT('42', LPAD(id, 26, '0')), NULL), IF({is_paid}, 'notify', NULL), created_at, "
        "TIMESTAMPADD(SECOND, -MOD(id, 20), paid_at) FROM orders WHERE id > :first AND id <= :first + :chunk"
    )
    yield (
        "INSERT INTO entitlements (id, learner_id, course_id, order_id, payment_id, status, active_key, max_downloads, "
        "granted_at, expires_at) SELECT id, learner_id, product_id, id, id, 'active', CONCAT(learner_id, ':', "
        "product_id, ':', id), 5, paid_at, TIMESTAMPADD(DAY, 365, paid_at) FROM orders "
        f"WHERE id > :first AND id <= :first + :chunk AND {is_paid}"
    )
    yield (
        "INSERT INTO ledger_entries (id, source_type, source_id, kind, debit_account, credit_account, amount_fen, "
        "currency, order_id, created_at) SELECT id, 'payment', id, 'payment', 'gateway:wechat_pay', 'sales', amount_fen, "
        f"'CNY', id, paid_at FROM orders WHERE id > :first AND id <= :first + :chunk AND {is_paid}"
    )


def fill(orders: int, now: datetime) -> None:
    """Fill the empty tables with people, courses and `orders` orders that were placed evenly over the last year.

    Args:
        orders: a multiple of 50,000.
        now: the end of the year.
    """
    begin = (now - timedelta(days=365)).astimezone(UTC).replace(tzinfo=None)
    facts = {"begin": begin, "step": _YEAR_SECONDS * 1_000_000 // orders, "chunk": CHUNK}
    _run(
        "INSERT INTO learners (id, public_id, email, password_hash, role, locale, created_at) SELECT n + 1, "
        "CONCAT('person', LPAD(n, 14, '0')), CONCAT('person', n, '@example.com'), '-', 'learner', 'zh_Hans_CN', "
        f":begin FROM ({_NUMBERS}) numbers",
        facts | {"first": 0},
    )
    _run(
        "INSERT INTO products (id, kind, title_zh, title_en, summary_zh, summary_en, price_fen, currency, is_on_sale, "
        "position, updated_at) SELECT CONCAT('course-', LPAD(n, 2, '0')), 'course', CONCAT('课程 ', n), CONCAT('Course ', "
        f"n), '', '', 9900, 'CNY', 1, n, :begin FROM ({_NUMBERS}) numbers WHERE n < {COURSES}",
        facts | {"first": 0},
    )
    _run(
        "INSERT INTO courses (id, level, estimated_hours, license_days, max_downloads, chapters) SELECT id, 'beginner', "
        "10, 365, 5, '[]' FROM products",
        {},
    )
    for first in range(0, orders, CHUNK):
        for statement in _statements():
            _run(statement, facts | {"first": first})


def _run(statement: str, facts: dict[str, Any]) -> None:
    with transaction() as session:
        session.execute(sa.text(statement), facts)


def analyse() -> None:
    """Let the server learn how the rows are spread, as it does by itself in time."""
    for table in ("orders", "payments", "entitlements", "ledger_entries", "learners"):
        db.session.execute(sa.text(f"ANALYZE TABLE {table}")).all()
    db.session.commit()
