"""The sandbox's books: one SQLite file, so that orders and due notifications survive a restart."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
    mchid TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    appid TEXT NOT NULL DEFAULT '',
    trade_type TEXT NOT NULL DEFAULT '',
    request TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL CHECK (state IN ('NOTPAY', 'SUCCESS', 'CLOSED', 'BURNT')),
    total INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    pay_until REAL NOT NULL,
    opened_by TEXT,
    transaction_id TEXT UNIQUE,
    openid TEXT,
    payer_total INTEGER,
    paid_at REAL,
    closed_at REAL,
    refunds INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (mchid, out_trade_no)
);
CREATE TABLE IF NOT EXISTS refunds (
    refund_id TEXT PRIMARY KEY,
    mchid TEXT NOT NULL,
    out_refund_no TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('api', 'console')),
    request TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PROCESSING', 'SUCCESS', 'ABNORMAL', 'CLOSED')),
    amount INTEGER NOT NULL CHECK (amount > 0),
    payer_refund INTEGER NOT NULL,
    notify_url TEXT,
    account TEXT NOT NULL,
    outcome TEXT,
    due_at REAL,
    created_at REAL NOT NULL,
    settled_at REAL,
    UNIQUE (mchid, out_refund_no)
);
CREATE INDEX IF NOT EXISTS orders_by_payment ON orders (mchid, paid_at);
CREATE INDEX IF NOT EXISTS refunds_by_time ON refunds (mchid, created_at);
CREATE INDEX IF NOT EXISTS refunds_by_order ON refunds (mchid, out_trade_no);
CREATE INDEX IF NOT EXISTS refunds_due ON refunds (status, due_at);
CREATE TABLE IF NOT EXISTS bill_files (
    token TEXT PRIMARY KEY,
    mchid TEXT NOT NULL,
    created_at REAL NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS complaints (
    complaint_id TEXT PRIMARY KEY,
    mchid TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    amount INTEGER NOT NULL,
    openid TEXT NOT NULL,
    phone TEXT NOT NULL,
    detail TEXT NOT NULL,
    problem_type TEXT NOT NULL,
    apply_refund_amount INTEGER,
    images TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('PENDING', 'PROCESSING', 'PROCESSED')),
    times INTEGER NOT NULL,
    is_waiting INTEGER NOT NULL,
    is_approved INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS complaints_by_time ON complaints (mchid, created_at);
CREATE INDEX IF NOT EXISTS complaints_by_order ON complaints (mchid, out_trade_no);
CREATE TABLE IF NOT EXISTS complaint_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    complaint_id TEXT NOT NULL,
    operator TEXT NOT NULL,
    at REAL NOT NULL,
    type TEXT NOT NULL,
    details TEXT NOT NULL,
    images TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_by_complaint ON complaint_entries (complaint_id);
CREATE TABLE IF NOT EXISTS images (
    media_id TEXT PRIMARY KEY,
    mchid TEXT NOT NULL,
    content BLOB NOT NULL,
    content_type TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS codes (
    code_url TEXT PRIMARY KEY,
    mchid TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    created_at REAL NOT NULL,
    is_live INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS codes_by_order ON codes (mchid, out_trade_no, created_at);
CREATE TABLE IF NOT EXISTS notifications (
    id TEXT PRIMARY KEY,
    mchid TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    out_refund_no TEXT,
    event_type TEXT NOT NULL,
    notify_url TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'given_up', 'withheld')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL,
    created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS notifications_by_order ON notifications (mchid, out_trade_no);
CREATE INDEX IF NOT EXISTS notifications_due ON notifications (state, due_at);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notification_id TEXT NOT NULL,
    cause TEXT NOT NULL,
    signature TEXT NOT NULL,
    serial TEXT NOT NULL,
    started_at REAL NOT NULL,
    seconds REAL NOT NULL,
    status INTEGER,
    answer TEXT NOT NULL,
    error TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_by_notification ON deliveries (notification_id);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    route TEXT NOT NULL,
    mchid TEXT,
    out_trade_no TEXT,
    status INTEGER,
    code TEXT,
    faults TEXT NOT NULL DEFAULT '[]',
    seconds REAL
);
CREATE INDEX IF NOT EXISTS requests_by_order ON requests (out_trade_no, route);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    route TEXT NOT NULL,
    out_trade_no TEXT,
    kind TEXT NOT NULL,
    arguments TEXT NOT NULL,
    times_left INTEGER,
    hits INTEGER NOT NULL DEFAULT 0
);
"""
TABLES_OF_A_RUN = (
    "orders", "codes", "refunds", "bill_files", "complaints", "complaint_entries", "images", "notifications", "deliveries", "requests", "faults", "settings",
)  # fmt: skip
COLUMNS_ADDED = {
    ("orders", "refunds"): "INTEGER NOT NULL DEFAULT 0",
    ("notifications", "out_refund_no"): "TEXT",
}
"""Columns that books of an earlier version lack."""
INDEXES_OF_ADDED_COLUMNS = """
CREATE INDEX IF NOT EXISTS notifications_by_refund ON notifications (mchid, out_refund_no);
"""


class Store:
    """One connection behind one lock: every statement is short, and SQLite writes one at a time anyway."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(SCHEMA)
        self._add_columns()
        self._connection.executescript(INDEXES_OF_ADDED_COLUMNS)

    @contextmanager
    def transaction(self) -> Iterator[Store]:
        """Commit on success, roll back on error; a nested block joins the outer one."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self
            except BaseException:
                if self._depth == 1:
                    self._connection.execute("ROLLBACK")
                raise
            else:
                if self._depth == 1:
                    self._connection.execute("COMMIT")
            finally:
                self._depth -= 1

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._lock:
            found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
            return found

    def write(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Run one writing statement, in the open transaction or alone."""
        with self._lock:
            return self._connection.execute(sql, values)

    def insert(self, table: str, **columns: Any) -> int:
        """Add a row; returns its rowid. Table and column names are ours, never a caller's."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        cursor = self.write(f"INSERT INTO {table} ({names}) VALUES ({marks})", *columns.values())
        return cursor.lastrowid or 0

    def setting(self, name: str, default: Any) -> Any:
        """A setting kept as JSON, or `default`."""
        row = self.row("SELECT value FROM settings WHERE name = ?", name)
        return default if row is None else json.loads(row["value"])

    def set_setting(self, name: str, value: Any) -> None:
        """Keep a setting as JSON."""
        self.write("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", name, json.dumps(value))

    def wipe(self) -> None:
        """Forget every order, log, fault and setting."""
        with self.transaction():
            for table in TABLES_OF_A_RUN:
                self.write(f"DELETE FROM {table}")

    def _add_columns(self) -> None:
        for (table, column), kind in COLUMNS_ADDED.items():
            if column not in {row["name"] for row in self.rows(f"PRAGMA table_info({table})")}:
                self.write(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")

    def close(self) -> None:
        """Close the file; later calls fail."""
        with self._lock:
            self._connection.close()
