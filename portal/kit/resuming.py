"""Complete a migration that was killed midway (F45).

A step (one file) is noted as done when all its statements are through. SQLite takes back what was not noted. MySQL and
MariaDB commit each statement that changes the schema by itself, each whole or not at all: of a step that was killed some
have happened, and the database still has the number of the step before. So the first step of a run looks, before each
statement, whether its effect is there, and leaves out what is. Later steps begin after the first has been noted, so that
nobody can have begun them: what they find in their way is an error, as ever.
"""

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic.ddl.base import AddColumn, DropColumn

from portal.kit import faults

_NOTHING = sa.text("SELECT 1")
_TRIGGER = (
    "SELECT 1 FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND trigger_name = :name"
)
_CREATE_TRIGGER = re.compile(r"\s*CREATE TRIGGER (\w+)")
_DROP_TRIGGER = re.compile(r"\s*DROP TRIGGER (?!IF\b)(\w+)")
_ADD_COLUMN = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (\w+)")
_DROP_COLUMN = re.compile(r"ALTER TABLE (\w+) (?:DROP CONSTRAINT \w+, )?DROP COLUMN (?!IF\b)(\w+)")


class Resumption:
    """Watches the statements of a run of migrations on `connection`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._may_be_half_done = connection.dialect.name != "sqlite"
        sa.event.listen(connection, "before_execute", self._before, retval=True)
        sa.event.listen(connection, "after_execute", self._after)

    def note_step(self, **_facts: Any) -> None:
        """Take note that a step is through and noted in the database (Alembic's `on_version_apply`)."""
        self._may_be_half_done = False

    def _before(
        self, connection: sa.Connection, statement: Any, several: Any, values: Any, _options: Any
    ) -> tuple[Any, Any, Any]:
        if self._may_be_half_done and _has_happened(connection, statement):
            return _NOTHING, [], {}
        return statement, several, values

    def _after(self, _connection: sa.Connection, statement: Any, *_facts: Any) -> None:
        is_of_a_step = isinstance(statement, (sa.schema.ExecutableDDLElement, sa.TextClause))
        if is_of_a_step and statement is not _NOTHING:
            faults.point("migrate.mid")


def _has_happened(connection: sa.Connection, statement: Any) -> bool:
    """Tell whether the effect of a statement is there; False for what may be run twice."""
    if isinstance(statement, sa.TextClause):
        return _text_has_happened(connection, statement.text)
    for kind, look in _LOOKS.items():
        if isinstance(statement, kind):
            return look(sa.inspect(connection), statement)
    return False


def _text_has_happened(connection: sa.Connection, text: str) -> bool:
    if match := _CREATE_TRIGGER.match(text):
        return _has_trigger(connection, match[1])
    if match := _DROP_TRIGGER.match(text):
        return not _has_trigger(connection, match[1])
    if match := _ADD_COLUMN.match(text):
        return match[2] in _columns(sa.inspect(connection), match[1])
    if match := _DROP_COLUMN.match(text):
        return match[2] not in _columns(sa.inspect(connection), match[1])
    return False


def _has_trigger(connection: sa.Connection, name: str) -> bool:
    return connection.execute(sa.text(_TRIGGER), {"name": name}).first() is not None


def _columns(schema: sa.Inspector, table: str) -> set[str]:
    return {column["name"] for column in schema.get_columns(table)}


def _is_made(schema: sa.Inspector, statement: sa.schema.CreateTable) -> bool:
    """A table of the same name with other columns is not ours, and stays in the way."""
    table = statement.element
    return schema.has_table(table.name) and _columns(schema, table.name) == set(table.columns.keys())


def _has_index(schema: sa.Inspector, index: sa.Index) -> bool:
    assert index.table is not None
    return index.name in {found["name"] for found in schema.get_indexes(index.table.name)}


def _is_added(schema: sa.Inspector, add: sa.schema.AddConstraint) -> bool:
    """Only a CHECK is looked for: of other constraints nothing is known, and their statement is run."""
    return isinstance(add.element, sa.CheckConstraint) and _has_check(schema, add.element)


def _is_dropped(schema: sa.Inspector, drop: sa.schema.DropConstraint) -> bool:
    """The same: a foreign key or a unique constraint is in no list of CHECKs, and is not gone for that."""
    return isinstance(drop.element, sa.CheckConstraint) and not _has_check(schema, drop.element)


def _has_check(schema: sa.Inspector, constraint: sa.CheckConstraint) -> bool:
    return constraint.name in {found["name"] for found in schema.get_check_constraints(constraint.table.name)}


_LOOKS: dict[type[Any], Callable[[sa.Inspector, Any], bool]] = {
    sa.schema.CreateTable: _is_made,
    sa.schema.DropTable: lambda schema, drop: not schema.has_table(drop.element.name),
    sa.schema.CreateIndex: lambda schema, create: _has_index(schema, create.element),
    sa.schema.DropIndex: lambda schema, drop: not _has_index(schema, drop.element),
    AddColumn: lambda schema, add: add.column.name in _columns(schema, add.table_name),
    DropColumn: lambda schema, drop: drop.column.name not in _columns(schema, drop.table_name),
    sa.schema.AddConstraint: _is_added,
    sa.schema.DropConstraint: _is_dropped,
}
