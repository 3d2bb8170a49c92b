"""Does a request cost more when there are more orders? Databases of several sizes, loaded in turns."""

from contextlib import ExitStack
from typing import Any

import MySQLdb

from bench.measure import Measured, round_of
from bench.paths import PATHS
from bench.servers import HOME, Server, database, running
from bench.shop import COURSES, Shop
from tests.support.databases import PASSWORD, USER, DatabaseServer, execute, new_database
from tests.support.processes import Sandbox

SIZES = (1_000, 100_000, 1_000_000)
_PATHS = ("poll-304", "poll", "account", "notify")
_ALLOWED = 1.15
_ORDERS_OF_ONE = 20
# Numbers far above those of the rows that are measured, so that the two never meet.
_FIRST = 10_000_000

# MariaDB's `seq_…` tables count; each order has a learner, a payment, a license and what goes with them.
_LEARNERS = """
INSERT INTO learners (id, public_id, email, password_hash, role, locale, created_at)
SELECT {first} + seq, CONCAT('old', seq), CONCAT('old', seq, '@example.com'), '-', 'learner', 'zh_Hans_CN', NOW(6)
FROM seq_0_to_{last_learner}"""
_ORDERS = """
INSERT INTO orders (id, public_id, learner_id, product_id, product_kind, title_zh, title_en, amount_fen, currency,
 license_days, max_downloads, mode, status, version, created_at, expires_at, paid_at, completed_at)
SELECT {first} + seq, SUBSTR(MD5(seq), 1, 20), {first} + seq DIV {each}, CONCAT('course-', LPAD(seq MOD {each}, 2, '0')),
 'course', '课程', 'Course', 9900, 'CNY', 365, 5, 'test', 'completed', 3, NOW(6) - INTERVAL seq SECOND, NOW(6), NOW(6),
 NOW(6) FROM seq_0_to_{last}"""
_PAYMENTS = """
INSERT INTO payments (id, order_id, gateway, mode, mchid, appid, out_trade_no, amount_fen, currency, request, status,
 transaction_id, verified_by, created_at, paid_at)
SELECT {first} + seq, {first} + seq, 'wechat_pay', 'test', '1900000001', 'wx0', CONCAT('O', SUBSTR(MD5(seq), 1, 31)), 9900, 'CNY', '{{}}',
 'paid', CONCAT('old', seq), 'notify', NOW(6), NOW(6) FROM seq_0_to_{last}"""
_RIGHTS = """
INSERT INTO entitlements (id, learner_id, course_id, order_id, payment_id, status, active_key, max_downloads, granted_at,
 expires_at)
SELECT {first} + seq, {first} + seq DIV {each}, CONCAT('course-', LPAD(seq MOD {each}, 2, '0')), {first} + seq, {first} + seq,
 'active', CONCAT({first} + seq DIV {each}, ':', seq MOD {each}), 5, NOW(6), NOW(6) + INTERVAL 1 YEAR FROM seq_0_to_{last}"""
_LICENSES = """
INSERT INTO licenses (id, entitlement_id, revision, active_key, learner_id, course_id, kid, text, digest, status, issued_at,
 expires_at)
SELECT INSERT(MD5(seq), 9, 0, '-'), {first} + seq, 1, {first} + seq, {first} + seq DIV {each}, 'course', 'old',
 REPEAT('A', 200), SHA2(seq, 256), 'active', NOW(6), NOW(6) + INTERVAL 1 YEAR FROM seq_0_to_{last}"""
_LEDGER = """
INSERT INTO ledger_entries (source_type, source_id, kind, debit_account, credit_account, amount_fen, currency, order_id,
 created_at)
SELECT 'payment', {first} + seq, 'payment', 'gateway:wechat_pay', 'sales', 9900, 'CNY', {first} + seq, NOW(6)
FROM seq_0_to_{last}"""
_NOTIFICATIONS = """
INSERT INTO notifications (gateway, event_id, event_type, out_trade_no, body, verdict, received_at)
SELECT 'wechat_pay', CONCAT('old', seq), 'TRANSACTION.SUCCESS', CONCAT('O', SUBSTR(MD5(seq), 1, 31)), '{{}}', 'settled', NOW(6)
FROM seq_0_to_{last}"""
_OUTBOX = """
INSERT INTO outbox (kind, effect_key, subject_id, status, attempts, due_at, created_at, done_at)
SELECT 'mail_license', CONCAT('old', seq), seq, 'done', 1, NOW(6), NOW(6), NOW(6) FROM seq_0_to_{last}"""
_AUDIT = """
INSERT INTO audit_rows (at, actor, action, subject, facts)
SELECT NOW(6), 'system', 'payment.settled', CONCAT('old', seq), '{{}}' FROM seq_0_to_{last}"""
_STATEMENTS = (
    _LEARNERS, _ORDERS, _PAYMENTS, _RIGHTS, _LICENSES, _LEDGER, _NOTIFICATIONS, _OUTBOX, _AUDIT,
)  # fmt: skip
assert _ORDERS_OF_ONE <= COURSES


def measure_growth(sandbox: Sandbox, seconds: float, rounds: int) -> dict[str, Any]:
    """Print and return the CPU of a request, web and database together, at each size."""
    figures: dict[str, Any] = {}
    with database("mariadb") as server, ExitStack() as stack:
        # Rows that are thrown away need no check and no wait for the disk while they are made; the measured ones do.
        execute(server, "SET GLOBAL innodb_flush_log_at_trx_commit = 2")
        shops, portals = [], []
        for size in SIZES:
            shop = Shop(HOME / f"growth-{size}", new_database(server, f"growth_{size}"), sandbox)
            _fill(server, f"growth_{size}", size)
            portal = Server(f"portal-{size}", "wsgi:app", shop.env)
            stack.enter_context(running(portal))
            shops.append(shop)
            portals.append(portal)
        execute(server, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        print(
            f"\ngrowth, mariadb: CPU µs a request (web + database) at {', '.join(f'{n:,}' for n in SIZES)} orders"
        )
        for path in (path for path in PATHS if path.name in _PATHS):
            sides = [
                (portal, iter(path.prepare(shop, portal.port, seconds * (rounds + 1))), Measured())
                for shop, portal in zip(shops, portals, strict=True)
            ]
            for number in range(rounds + 1):
                for portal, waiting, measured in sides:
                    one = round_of(portal, waiting, seconds if number else seconds / 2, server)
                    if number:
                        measured.rounds.append(one)
            costs = [measured.web_us + measured.database_us for _, _, measured in sides]
            factor = costs[-1] / costs[0]
            verdict = "good" if factor <= _ALLOWED else f"above {_ALLOWED:g}"
            print(
                f"{path.title:<27}"
                + "".join(f"{cost:>9.0f}" for cost in costs)
                + f"   ×{factor:.2f}  {verdict}"
            )
            figures[path.name] = {"cpu_us": [round(cost) for cost in costs], "factor": round(factor, 3)}
    return figures


def _fill(server: DatabaseServer, name: str, size: int) -> None:
    facts = {
        "first": _FIRST,
        "each": _ORDERS_OF_ONE,
        "last": size - 1,
        "last_learner": size // _ORDERS_OF_ONE,
    }
    connection = MySQLdb.connect(
        host="127.0.0.1", port=server.port, user=USER, passwd=PASSWORD, db=name, autocommit=True
    )
    cursor = connection.cursor()
    cursor.execute("SET foreign_key_checks = 0")
    for statement in _STATEMENTS:
        cursor.execute(statement.format(**facts))
    cursor.execute("ANALYZE TABLE orders, payments, entitlements, licenses, notifications")
    cursor.fetchall()
    connection.close()
