"""The database itself refuses the second of everything that must be once, whatever the code above it believes."""

import pytest
import sqlalchemy as sa

from portal.kit.db import db
from tests.support.editors import editor_of

pytestmark = pytest.mark.database

# What is once, and the columns whose unique key says so.
KEYS = [
    ("orders", ("open_key",)),
    ("orders", ("public_id",)),
    ("payments", ("open_key",)),
    ("payments", ("out_trade_no",)),
    ("payments", ("gateway", "mchid", "transaction_id")),
    ("notifications", ("gateway", "event_id")),
    ("entitlements", ("active_key",)),
    ("entitlements", ("order_id",)),
    ("entitlements", ("payment_id",)),
    ("licenses", ("active_key",)),
    ("licenses", ("digest",)),
    ("licenses", ("entitlement_id", "revision")),
    ("ledger_entries", ("source_type", "source_id", "kind")),
    ("outbox", ("effect_key",)),
    ("cases", ("dedup_key",)),
    ("idempotency_keys", ("principal", "method", "route", "key")),
    ("audit_rows", ("prev_hash",)),
    ("audit_rows", ("seq",)),
]


@pytest.fixture
def sold(shop, app):
    """A shop with one row at least in each of these tables: one order open, one bought, one case."""
    buyer = shop.buyer()
    bought = buyer.buy()
    shop.pay(bought)
    shop.notify(bought, mutate={"amount.total": 1}, new_event_id=True)
    shop.notify(bought)
    assert buyer.state(bought) == "delivered"
    assert editor_of(buyer).begin("react-complete").status_code == 201
    shop.work()


@pytest.mark.parametrize(
    ("name", "columns"), KEYS, ids=lambda value: value if isinstance(value, str) else "+".join(value)
)
def test_a_second_is_refused(sold, app, name, columns):
    table = db.metadata.tables[name]
    with app.app_context(), db.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF" if is_sqlite else "SET foreign_key_checks=0")
        connection.rollback()
        row = connection.execute(sa.select(table).where(*[table.c[c].is_not(None) for c in columns])).first()
        assert row is not None
        second = _with_nothing_else_in_common(table, dict(row._mapping), set(columns))
        with pytest.raises(sa.exc.IntegrityError) as refused:
            connection.execute(sa.insert(table).values(second))
        connection.rollback()
        connection.exec_driver_sql("PRAGMA foreign_keys=ON" if is_sqlite else "SET foreign_key_checks=1")
        connection.rollback()
    told = str(refused.value.orig)
    assert f"uq_{name}_{'_'.join(columns)}" in told or f"{name}.{columns[0]}" in told, told


def _with_nothing_else_in_common(table: sa.Table, row: dict, kept: set[str]) -> dict:
    """Return the row with another primary key, and another value in every other unique key."""
    others = {
        column.name
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint) and {c.name for c in constraint.columns} != kept
        for column in list(constraint.columns)[-1:]
    }
    changed = {column.name for column in table.primary_key} | {c.name for c in table.c if c.unique} | others
    for name in changed - kept:
        value = row[name]
        row[name] = value + 1_000_000 if isinstance(value, int) else value and f"x{value[1:-1]}x"
    return row
