"""Change a CHECK constraint in a migration, on SQLite and on MySQL."""

from alembic import context, op


def replace_check(table: str, name: str, old: str, new: str) -> None:
    """Give the constraint `name` of `table` the condition `new` in place of `old`.

    One ALTER TABLE on MySQL, which commits each statement by itself: killed in the middle, it has happened or
    it has not. SQLite has no such statement; its own way is to change the text that the table was made
    with (sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
    """
    if op.get_context().dialect.name != "sqlite":
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK ({new})")
        return
    before, after = (_quoted(f"CONSTRAINT {name} CHECK ({condition})") for condition in (old, new))
    op.execute("PRAGMA writable_schema=ON")
    op.execute(
        f"UPDATE sqlite_master SET sql = replace(sql, {before}, {after}) "  # noqa: S608
        f"WHERE type = 'table' AND name = {_quoted(table)}"
    )
    if not context.is_offline_mode():
        # Other connections read a table's text again when this number has changed.
        version = op.get_bind().exec_driver_sql("PRAGMA schema_version").scalar_one()
        op.execute(f"PRAGMA schema_version={version + 1}")
    op.execute("PRAGMA writable_schema=RESET")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
