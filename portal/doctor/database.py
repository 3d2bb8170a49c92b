"""What the database must be like for the rules of `kit/db.py` to hold, and whether it is."""

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from portal.config import ROOT
from portal.kit.db import db

_SQLITE = {"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"}
_STRICT = ("STRICT_TRANS_TABLES", "NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ERROR_FOR_DIVISION_BY_ZERO")
# MariaDB 10.11 says tx_isolation, MySQL 8 transaction_isolation.
_VARIABLES = (
    "sql_mode",
    "time_zone",
    "tx_isolation",
    "transaction_isolation",
    "innodb_flush_log_at_trx_commit",
    "log_bin",
    "sync_binlog",
)


def settings_problems() -> list[str]:
    """Name each setting of the database that is not as it must be."""
    return _sqlite_problems() if db.engine.dialect.name == "sqlite" else _mysql_problems()


def _sqlite_problems() -> list[str]:
    found = {name: str(db.session.scalar(sa.text(f"PRAGMA {name}"))) for name in _SQLITE}
    return [
        f"{name} is {found[name]}, not {wanted}" for name, wanted in _SQLITE.items() if found[name] != wanted
    ]


def _mysql_problems() -> list[str]:
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    rows = db.session.execute(sa.text(f"SHOW VARIABLES WHERE Variable_name IN ({names})")).all()
    return judge_variables({str(row[0]).lower(): str(row[1]) for row in rows}) + _table_problems()


def judge_variables(found: dict[str, str]) -> list[str]:
    """Judge a MySQL server's variables, as our own connections see them."""
    problems = [f"sql_mode lacks {word}" for word in _STRICT if word not in found.get("sql_mode", "")]
    isolation = found.get("transaction_isolation") or found.get("tx_isolation")
    if isolation != "READ-COMMITTED":
        problems.append(f"isolation is {isolation}, not READ-COMMITTED")
    wanted = {"time_zone": "+00:00", "innodb_flush_log_at_trx_commit": "1"}
    if found.get("log_bin") == "ON":
        wanted["sync_binlog"] = "1"
    problems += [
        f"{name} is {found.get(name)}, not {value}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    return problems


def _table_problems() -> list[str]:
    engines = db.session.execute(
        sa.text(
            "SELECT table_name, engine FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'"
        )
    )
    problems = [f"table {name} is {engine}, not InnoDB" for name, engine in engines]
    collations = db.session.execute(
        sa.text(
            "SELECT table_name, column_name, collation_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND collation_name IS NOT NULL"
        )
    )
    found = {(table, column): collation for table, column, collation in collations}
    for table in db.metadata.sorted_tables:
        for column in table.columns:
            wanted = getattr(column.type.dialect_impl(db.engine.dialect), "collation", None)
            actual = found.get((table.name, column.name))
            if wanted and actual and actual != wanted:
                problems.append(f"{table.name}.{column.name} compares by {actual}, not {wanted}")
    return problems


def schema_problems() -> list[str]:
    """Tell whether the schema is that of this code's newest migration."""
    newest = ScriptDirectory(str(ROOT / "migrations")).get_current_head()
    current = MigrationContext.configure(db.session.connection()).get_current_revision()
    return [] if current == newest else [f"the schema is at {current}, the code at {newest}: run db upgrade"]
