"""Fill a MySQL or MariaDB database with a year of orders and all that belongs to them, quickly.

The rows are what the portal itself would have left behind, so the doctor finds nothing wrong with them: learners who
each bought five courses, payments, refunds, ledger, licenses, work done, news kept, a sealed audit chain, cases,
disputes, grants and reconciled days. One order in sixteen is paid by transfer, which people confirm. Ids begin at `FIRST`, far above those of rows that a measurement makes.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from portal.audit.services import GENESIS, hash_of_link

FIRST = 10_000_000
COURSES = 24
ORDERS_OF_ONE = 5
CHUNK = 100_000
FEN, PART_FEN = 9900, 4900
_DAY_SECONDS = 86_400
_OPEN_SECONDS = 1800
_AUDIT_ROWS_AT_ONCE = 5_000

_DIGITS = "(" + " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10)) + ")"
NUMBERS = (
    "(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + {first} AS n FROM "
    f"{_DIGITS} a, {_DIGITS} b, {_DIGITS} c, {_DIGITS} e, {_DIGITS} f) numbers WHERE n < {{last}} ORDER BY n"
)
"""The numbers from `first` on, below `last`, at most `CHUNK` of them."""

# Of a hundred orders 77 are completed, 3 refunded, 14 expired, 5 cancelled, 1 failed; a fifth of the newest are open.
_STATE = (
    "CASE WHEN n >= {open_from} AND n MOD 5 = 3 THEN 'pending' WHEN n MOD 100 < 77 THEN 'completed' "
    "WHEN n MOD 100 < 80 THEN 'refunded' WHEN n MOD 100 < 94 THEN 'expired' WHEN n MOD 100 < 99 THEN 'cancelled' "
    "ELSE 'failed' END"
)
_PAID = "o.status IN ('completed', 'refunded')"
_ENDED = "o.status IN ('expired', 'cancelled', 'failed')"
_HAS_PART = "(o.status = 'completed' AND o.id MOD 100 < 3)"
_PART_WAITS = "(o.status = 'completed' AND o.id >= {parts_wait_from})"
_BY_TRANSFER = "o.id MOD 16 = 9"
# A transfer of an order that has ended was confirmed, of another amount, refused, or never made; of an open one, any.
_TRANSFER_STATUS = (
    f"CASE WHEN {_PAID} THEN 'confirmed' WHEN o.status = 'failed' THEN 'mismatch' WHEN o.status = 'cancelled' THEN 'refused' "
    "WHEN o.status = 'expired' THEN 'waiting' ELSE ELT(1 + o.id DIV 16 MOD 3, 'told', 'checked', 'waiting') END"
)
_SEEN = f"{_TRANSFER_STATUS} IN ('checked', 'confirmed', 'mismatch')"
# Ids and digests that grow with the orders are written several times as fast as random ones.
_LICENSE_ID = "CONCAT('00000000-0000-4000-8000-', LPAD(o.id, 12, '0'))"
_OUT_TRADE_NO = "CONCAT('LBT', LPAD(o.id, 24, '0'))"
_TRANSACTION_ID = "CONCAT('42', LPAD(o.id, 26, '0'))"
_GATEWAY = f"IF({_BY_TRANSFER}, 'transfer', 'wechat_pay')"
_MCHID = f"IF({_BY_TRANSFER}, 'transfer', '{{mchid}}')"
_BACK_AT = "LEAST(o.paid_at + INTERVAL 1 DAY, '{now}')"
_STAFF = "CONCAT('staff:person', LPAD(o.id MOD 7, 14, '0'))"

_ORDERS = {
    "id": "{id0} + n",
    "public_id": "CONCAT('order', LPAD(n, 15, '0'))",
    "learner_id": "{id0} + (n * 104729) MOD {learners}",
    "product_id": f"CONCAT('course-', LPAD((n DIV {{learners}} + n MOD {{learners}}) MOD {COURSES}, 2, '0'))",
    "product_kind": "'course'",
    "title_zh": "'课程'",
    "title_en": "'A course'",
    "amount_fen": f"{FEN}",
    "currency": "'CNY'",
    "license_days": "365",
    "max_downloads": "5",
    "mode": "'test'",
    "status": _STATE,
    "refund_state": f"IF(n MOD 100 < 3 AND {{id0}} + n >= {{parts_wait_from}} AND {_STATE} = 'completed', 'requested', NULL)",
    "version": "3",
    "created_at": "'{begin}' + INTERVAL n * {step} MICROSECOND",
    "expires_at": "'{begin}' + INTERVAL n * {step} + 7200000000 MICROSECOND",
    "paid_at": f"IF({_STATE} IN ('completed', 'refunded'), '{{begin}}' + INTERVAL n * {{step}} + 60000000 MICROSECOND, NULL)",
    "completed_at": f"IF({_STATE} IN ('completed', 'refunded'), '{{begin}}' + INTERVAL n * {{step}} + 60000000 MICROSECOND, NULL)",
    "closed_at": f"IF({_STATE} IN ('expired', 'cancelled', 'failed'), '{{begin}}' + INTERVAL n * {{step}} + 7200000000 MICROSECOND, NULL)",
    "open_key": (
        f"IF({_STATE} = 'pending', CONCAT({{id0}} + (n * 104729) MOD {{learners}}, ':course-', "
        f"LPAD((n DIV {{learners}} + n MOD {{learners}}) MOD {COURSES}, 2, '0')), NULL)"
    ),
}

# What hangs on the orders `o` of a chunk: the table, which orders have such a row, and its columns.
_BELONGINGS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "payments",
        "TRUE",
        {
            "id": "o.id",
            "order_id": "o.id",
            "gateway": _GATEWAY,
            "mode": "'test'",
            "mchid": _MCHID,
            "appid": f"IF({_BY_TRANSFER}, 'transfer', 'wx0000000000000001')",
            "out_trade_no": _OUT_TRADE_NO,
            "amount_fen": "o.amount_fen",
            "reserved_fen": f"IF(o.status = 'refunded', o.amount_fen, IF({_HAS_PART}, {PART_FEN}, 0))",
            "refunded_fen": f"IF(o.status = 'refunded', o.amount_fen, IF({_HAS_PART} AND NOT {_PART_WAITS}, {PART_FEN}, 0))",
            "currency": "'CNY'",
            "request": (
                f"JSON_OBJECT('out_trade_no', {_OUT_TRADE_NO}, 'description', o.title_zh, "
                "'amount', JSON_OBJECT('total', o.amount_fen, 'currency', 'CNY'))"
            ),
            "status": f"IF({_PAID}, 'paid', IF({_ENDED}, 'closed', 'open'))",
            "open_key": "IF(o.status = 'pending', o.id, NULL)",
            "code_url": (
                f"IF(o.status = 'pending' AND NOT ({_BY_TRANSFER}), 'weixin://wxpay/bizpayurl?pr=ABCDEFGHIJK', NULL)"
            ),
            "transaction_id": f"IF({_PAID}, {_TRANSACTION_ID}, NULL)",
            "verified_by": f"IF({_PAID}, IF({_BY_TRANSFER}, 'person', 'notify'), NULL)",
            "created_at": "o.created_at",
            "paid_at": "o.paid_at - INTERVAL o.id MOD 20 SECOND",
            "closed_at": "o.closed_at",
        },
    ),
    (
        "transfers",
        _BY_TRANSFER,
        {
            "id": "o.id",
            "payment_id": "o.id",
            "order_id": "o.id",
            "course_id": "o.product_id",
            "reference": "LPAD(o.id, 8, '0')",
            "status": _TRANSFER_STATUS,
            "told_at": f"IF({_TRANSFER_STATUS} = 'waiting', NULL, o.created_at)",
            "amount_fen": f"IF({_SEEN}, IF(o.status = 'failed', {PART_FEN}, o.amount_fen), NULL)",
            "number": f"IF({_SEEN}, {_TRANSACTION_ID}, NULL)",
            "checked_by": f"IF({_SEEN}, {{id0}} + o.id MOD 7, NULL)",
            "checked_at": f"IF({_SEEN}, o.created_at + INTERVAL 1 MINUTE, NULL)",
            "decided_at": f"IF({_PAID}, o.paid_at, NULL)",
            "created_at": "o.created_at",
        },
    ),
    (
        "transfer_numbers",
        f"{_BY_TRANSFER} AND {_SEEN}",
        {"number": _TRANSACTION_ID, "payment_id": "o.id"},
    ),
    (
        "entitlements",
        _PAID,
        {
            "id": "o.id",
            "learner_id": "o.learner_id",
            "course_id": "o.product_id",
            "order_id": "o.id",
            "payment_id": "o.id",
            "status": "IF(o.status = 'refunded', 'revoked', 'active')",
            "active_key": "IF(o.status = 'refunded', NULL, CONCAT(o.learner_id, ':', o.product_id))",
            "max_downloads": "5",
            "granted_at": "o.paid_at",
            "expires_at": "o.paid_at + INTERVAL 366 DAY",
        },
    ),
    (
        "licenses",
        _PAID,
        {
            "id": _LICENSE_ID,
            "entitlement_id": "o.id",
            "revision": "1",
            "active_key": "IF(o.status = 'refunded', NULL, o.id)",
            "learner_id": "o.learner_id",
            "course_id": "o.product_id",
            "kid": "'{kid}'",
            "text": "REPEAT('A', 500)",
            "digest": "LPAD(o.id, 64, '0')",
            "status": "IF(o.status = 'refunded', 'revoked', 'active')",
            "issued_at": "o.paid_at",
            "expires_at": "o.paid_at + INTERVAL 366 DAY",
            "revoked_at": f"IF(o.status = 'refunded', {_BACK_AT}, NULL)",
            "revoked_reason": "IF(o.status = 'refunded', 'refunded', NULL)",
        },
    ),
    (
        "ledger_entries",
        _PAID,
        {
            "source_type": "'payment'",
            "source_id": "o.id",
            "kind": "'payment'",
            "debit_account": f"CONCAT('gateway:', {_GATEWAY})",
            "credit_account": "'sales'",
            "amount_fen": "o.amount_fen",
            "currency": "'CNY'",
            "order_id": "o.id",
            "created_at": "o.paid_at",
        },
    ),
    (
        "refunds",
        f"o.status = 'refunded' OR {_HAS_PART}",
        {
            "id": "o.id",
            "payment_id": "o.id",
            "order_id": "o.id",
            "gateway": _GATEWAY,
            "mchid": _MCHID,
            "mode": "'test'",
            "out_refund_no": "CONCAT('LRT', LPAD(o.id, 24, '0'))",
            "refund_id": f"IF({_PART_WAITS}, NULL, CONCAT('50', LPAD(o.id, 26, '0')))",
            "amount_fen": f"IF(o.status = 'refunded', o.amount_fen, {PART_FEN})",
            "held_fen": f"IF(o.status = 'refunded', o.amount_fen, {PART_FEN})",
            "currency": "'CNY'",
            "reason": "'A reason'",
            "origin": "'learner'",
            "status": f"IF({_PART_WAITS}, 'requested', 'succeeded')",
            "license_effect": "IF(o.status = 'refunded', 'revoke', 'keep')",
            "requested_by": "CONCAT('learner:person', LPAD(o.learner_id - {id0}, 14, '0'))",
            "approved_by": f"IF({_PART_WAITS}, NULL, {_STAFF})",
            "verified_by": f"IF({_PART_WAITS}, NULL, IF({_BY_TRANSFER}, 'person', 'notify'))",
            "created_at": _BACK_AT,
            "approved_at": f"IF({_PART_WAITS}, NULL, {_BACK_AT})",
            "succeeded_at": f"IF({_PART_WAITS}, NULL, {_BACK_AT})",
            "ended_at": f"IF({_PART_WAITS}, NULL, {_BACK_AT})",
        },
    ),
    (
        "ledger_entries",
        f"o.status = 'refunded' OR ({_HAS_PART} AND NOT {_PART_WAITS})",
        {
            "source_type": "'refund'",
            "source_id": "o.id",
            "kind": "'refund'",
            "debit_account": "'sales'",
            "credit_account": f"CONCAT('gateway:', {_GATEWAY})",
            "amount_fen": f"IF(o.status = 'refunded', o.amount_fen, {PART_FEN})",
            "currency": "'CNY'",
            "order_id": "o.id",
            "created_at": _BACK_AT,
        },
    ),
    (
        "notifications",
        f"{_PAID} AND NOT ({_BY_TRANSFER})",
        {
            "gateway": "'wechat_pay'",
            "event_id": "CONCAT('event', o.id)",
            "event_type": "'TRANSACTION.SUCCESS'",
            "out_trade_no": _OUT_TRADE_NO,
            "body": "REPEAT('B', 300)",
            "verdict": "'settled'",
            "received_at": "o.paid_at",
        },
    ),
    (
        "outbox",
        f"NOT ({_BY_TRANSFER})",
        {
            "kind": "'watch_payment'",
            "effect_key": "CONCAT('watch_payment:', o.id)",
            "subject_id": "o.id",
            "status": "IF(o.status = 'pending', 'pending', 'done')",
            "due_at": "IF(o.status = 'pending', o.expires_at, o.created_at + INTERVAL 30 SECOND)",
            "attempts": "IF(o.status = 'pending', 0, 1)",
            "created_at": "o.created_at",
            "done_at": "IF(o.status = 'pending', NULL, o.created_at + INTERVAL 30 SECOND)",
        },
    ),
    (
        "outbox",
        _PAID,
        {
            "kind": "'mail_license'",
            "effect_key": f"CONCAT('mail_license:', {_LICENSE_ID})",
            "subject_id": _LICENSE_ID,
            "status": "'done'",
            "due_at": "o.paid_at",
            "attempts": "1",
            "created_at": "o.paid_at",
            "done_at": "o.paid_at",
        },
    ),
    (
        "cases",
        "o.id MOD 16 = 3",
        {
            "id": "o.id",
            "kind": "ELT(1 + o.id DIV 16 MOD 4, 'mismatch', 'duplicate', 'late_unwanted', 'refund_pending')",
            "dedup_key": "CONCAT('case:', o.id)",
            "status": "IF(o.id MOD 1600 = 3, 'open', 'closed')",
            "order_id": "o.id",
            "payment_id": "o.id",
            "amount_fen": "o.amount_fen",
            "currency": "'CNY'",
            "evidence": "JSON_OBJECT('why', 'amount')",
            "owner": f"IF(o.id MOD 3 = 0, {_STAFF}, NULL)",
            "created_at": "o.created_at + INTERVAL 5 MINUTE",
        },
    ),
    (
        "disputes",
        "o.id MOD 16 = 5",
        {
            "id": "o.id",
            "gateway": "'wechat_pay'",
            "mchid": "'{mchid}'",
            "complaint_id": "CONCAT('2002', o.id)",
            "order_id": "o.id",
            "payment_id": "o.id",
            "amount_fen": "o.amount_fen",
            "state": "IF(o.id MOD 1600 = 5, 'pending', 'processed')",
            "problem_type": "'others'",
            "problem": "'A problem'",
            "text": "REPEAT('C', 200)",
            "times": "1",
            "is_waiting": "FALSE",
            "is_refunded": "FALSE",
            "complained_at": "o.created_at + INTERVAL 1 HOUR",
            "first_due_at": "o.created_at + INTERVAL 25 HOUR",
            "done_due_at": "o.created_at + INTERVAL 73 HOUR",
            "read_at": "o.created_at + INTERVAL 2 HOUR",
            "created_at": "o.created_at + INTERVAL 1 HOUR",
        },
    ),
    (
        "grants",
        "o.id MOD 16 = 7",
        {
            "id": "o.id",
            "public_id": "CONCAT('grant', LPAD(o.id, 15, '0'))",
            "kind": "'course'",
            "status": "IF(o.id MOD 1600 = 7, 'requested', 'issued')",
            "learner_id": "o.learner_id",
            "course_id": "o.product_id",
            "days": "365",
            "reason": "'A reason'",
            "amount_fen": "o.amount_fen",
            "digest": "SHA2(o.id, 256)",
            "requested_by": "{id0} + o.id MOD 7",
            "created_at": "o.created_at",
        },
    ),
)  # fmt: skip

_LEARNERS = {
    "id": "{id0} + n",
    "public_id": "CONCAT('person', LPAD(n, 14, '0'))",
    "email": "CONCAT('person', n, '@example.com')",
    "password_hash": "'-'",
    "role": "IF(n < 7, 'support', 'learner')",
    "locale": "'zh_Hans_CN'",
    "created_at": "'{begin}'",
}
_PRODUCTS = {
    "id": "CONCAT('course-', LPAD(n, 2, '0'))",
    "kind": "'course'",
    "title_zh": "CONCAT('课程 ', n)",
    "title_en": "CONCAT('Course ', n)",
    "summary_zh": "''",
    "summary_en": "''",
    "price_fen": f"{FEN}",
    "currency": "'CNY'",
    "is_on_sale": "TRUE",
    "position": "n",
    "updated_at": "'{begin}'",
}
_COURSES = {
    "id": "CONCAT('course-', LPAD(n, 2, '0'))",
    "level": "'beginner'",
    "estimated_hours": "10",
    "license_days": "365",
    "max_downloads": "5",
    "chapters": "'[]'",
}
_BILL_RUNS = {
    "gateway": "'wechat_pay'",
    "mchid": "'{mchid}'",
    "bill_date": "DATE('{begin}') + INTERVAL n DAY",
    "state": "'balanced'",
    "source": "'gateway'",
    "sha1": "LEFT(SHA2(n, 256), 40)",
    "line_count": "0",
    "their_paid_fen": "0",
    "their_refunded_fen": "0",
    "our_paid_fen": "0",
    "our_refunded_fen": "0",
    "created_at": "'{begin}' + INTERVAL n DAY",
    "imported_at": "'{begin}' + INTERVAL n + 1 DAY",
    "compared_at": "'{begin}' + INTERVAL n + 1 DAY",
}
_LONG = sorted({"learners", "orders", "audit_rows", *(table for table, _, _ in _BELONGINGS)})
# Keys and logs are for rows one wants to keep: these are thrown away with their server.
_QUICK = (
    "SET SESSION foreign_key_checks = 0",
    "SET SESSION unique_checks = 0",
    "SET SESSION time_zone = '+00:00'",
)
# MySQL can do without, and then writes no page twice either; MariaDB cannot.
_REDO_LOG = "INNODB REDO_LOG"
_QUICK_SERVER = {
    "innodb_flush_log_at_trx_commit": "2",
    "innodb_redo_log_capacity": f"{4 << 30}",
    "innodb_log_file_size": f"{4 << 30}",
    "innodb_buffer_pool_size": f"{3 << 30}",
}


def fill(
    connection: Any, orders: int, now: datetime, days: int = 365, mchid: str = "1900000001", kid: str = "old"
) -> None:
    """Add a year of orders, placed evenly, to a database that has no orders from `FIRST` on.

    Args:
        connection: of somebody who may set variables of the server, which are set for speed and not for safety.
        orders: how many.
        now: the end of the year.
        days: how long the year is.
        mchid, kid: the merchant that was paid, and the key that the licenses name.
    """
    begin = (now - timedelta(days=days)).astimezone(UTC).replace(tzinfo=None)
    step = days * _DAY_SECONDS * 1_000_000 // orders
    facts: dict[str, Any] = {
        "id0": FIRST,
        "begin": begin.isoformat(" "),
        "now": now.astimezone(UTC).replace(tzinfo=None).isoformat(" "),
        "step": step,
        "learners": max(orders // ORDERS_OF_ONE, 1),
        "open_from": orders - _OPEN_SECONDS * 1_000_000 // step,
        "parts_wait_from": FIRST + orders * 99 // 100,
        "mchid": mchid,
        "kid": kid,
    }
    cursor = connection.cursor()
    redo = _make_quick(cursor)
    indexes = _take_indexes(cursor)
    for table, columns, count in (
        ("products", _PRODUCTS, COURSES),
        ("courses", _COURSES, COURSES),
        ("bill_runs", _BILL_RUNS, days - 1),
        ("learners", _LEARNERS, facts["learners"]),
        ("orders", _ORDERS, orders),
    ):
        for first in range(0, count, CHUNK):
            source = NUMBERS.format(first=first, last=min(first + CHUNK, count))
            cursor.execute(f"INSERT IGNORE {_into(table, columns, facts)} FROM {source}")
            connection.commit()
    for first in range(FIRST, FIRST + orders, CHUNK):
        for table, condition, columns in _BELONGINGS:
            chunk = f"FROM orders o WHERE o.id >= {first} AND o.id < {first + CHUNK} AND ({condition})"
            cursor.execute(f"INSERT {_into(table, columns, facts)} {chunk.format(**facts)}")
        connection.commit()
    _write_audit(connection, orders, begin, timedelta(microseconds=step))
    for statement in indexes:
        cursor.execute(statement)
    if redo:
        cursor.execute(f"ALTER INSTANCE ENABLE {redo}")
    _analyse(cursor)


def _make_quick(cursor: Any) -> str | None:
    """Give up safety for speed; return what is to be enabled again afterwards."""
    for statement in _QUICK:
        cursor.execute(statement)
    cursor.execute("SHOW GLOBAL VARIABLES LIKE 'innodb%'")
    known = {row[0] for row in cursor.fetchall()}
    for name, value in _QUICK_SERVER.items():
        if name in known and not (name == "innodb_log_file_size" and "innodb_redo_log_capacity" in known):
            cursor.execute(f"SET GLOBAL {name} = {value}")
    if "innodb_redo_log_capacity" not in known:
        return None
    cursor.execute(f"ALTER INSTANCE DISABLE {_REDO_LOG}")
    return _REDO_LOG


def _take_indexes(cursor: Any) -> list[str]:
    """Drop the indexes of the long tables, and the foreign keys that need them; return what makes them again.

    An index that is made of all rows at once is sorted; one that grows row by row is read and written in any order.
    """
    made = []
    for table in _LONG:
        cursor.execute(f"SHOW CREATE TABLE {table}")
        lines = [line.strip().rstrip(",") for line in cursor.fetchone()[1].splitlines()]
        indexes = [line for line in lines if line.startswith(("KEY ", "UNIQUE KEY "))]
        foreign = [line for line in lines if line.startswith("CONSTRAINT ") and " FOREIGN KEY " in line]
        dropped = [f"DROP FOREIGN KEY {line.split()[1]}" for line in foreign]
        dropped += [f"DROP INDEX {line.partition('KEY ')[2].split()[0]}" for line in indexes]
        cursor.execute(f"ALTER TABLE {table} {', '.join(dropped)}")
        made.append(f"ALTER TABLE {table} {', '.join(f'ADD {line}' for line in indexes + foreign)}")
    return made


def _into(table: str, columns: dict[str, str], facts: dict[str, Any]) -> str:
    names, values = ", ".join(columns), ", ".join(columns.values())
    return f"INTO {table} ({names}) SELECT {values.format(**facts)}"


class _Act(NamedTuple):
    at: datetime
    actor: str
    action: str
    subject: str
    facts: str
    address: str | None
    session: str | None


def _acts(orders: int, begin: datetime, step: timedelta) -> Iterator[_Act]:
    """Return what was done to each order: by nobody, or, to one in ten, by one of seven staff."""
    for n in range(orders):
        at, subject = (begin + n * step).replace(tzinfo=UTC), f"order:order{n:015d}"
        if n % 10:
            facts = json.dumps({"amount_fen": FEN, "payment": FIRST + n}, separators=(",", ":"))
            yield _Act(at, "system", "payment.settled", subject, facts, None, None)
        else:
            actor, action = (
                f"staff:person{n // 10 % 7:014d}",
                ("order.commented", "order.query_asked")[n // 10 % 2],
            )
            yield _Act(at, actor, action, subject, '{"text":"A comment"}', "127.0.0.1", "session")


def _write_audit(connection: Any, orders: int, begin: datetime, step: timedelta) -> None:
    """Write a sealed row for each order: the hash of each row is part of the next one's."""
    cursor, prev_hash, rows = connection.cursor(), GENESIS, []
    for seq, act in enumerate(_acts(orders, begin, step), 1):
        hash_ = hash_of_link(prev_hash, seq, act)
        rows.append((act.at.strftime("%Y-%m-%d %H:%M:%S.%f"), *act[1:], seq, prev_hash, hash_))
        prev_hash = hash_
        if len(rows) == _AUDIT_ROWS_AT_ONCE or seq == orders:
            cursor.executemany(
                "INSERT INTO audit_rows (at, actor, action, subject, facts, address, session, seq, prev_hash, hash) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                rows,
            )
            rows.clear()
            connection.commit()


def _analyse(cursor: Any) -> None:
    """Let the server learn how the rows are spread, as it does by itself in time."""
    cursor.execute(f"ANALYZE TABLE {', '.join(_LONG)}")
    cursor.fetchall()
