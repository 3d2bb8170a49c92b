"""A statement written once for a database, and run by its driver with nothing in between.

SQLAlchemy spends twice as long on a small statement as driver and network together. Here it still writes the
statement, converts what goes in and comes out, keeps the connections and names the errors.
"""

from collections import namedtuple
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a statement did: the rows of a SELECT, how many rows a write found, the key that an INSERT gave."""

    rows: Sequence[Any]
    rowcount: int
    key: Any = None

    def first(self) -> Any:
        """Return the first row, None when there is none."""
        return self.rows[0] if self.rows else None

    def one(self) -> Any:
        """Return the only row.

        Raises:
            ValueError: when there is none, or more than one.
        """
        (row,) = self.rows
        return row


class Prepared:
    """A SELECT of columns, or a write of one table's columns, for the databases of one dialect.

    Lists are given to `in_` as `sa.literal`s.
    """

    def __init__(self, statement: Any, dialect: sa.Dialect, names: Collection[str]) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(names))
        self._dialect: Any = dialect
        self._sql = str(compiled)
        constants = {**compiled.params, **_defaults(compiled)}
        if missing := [
            name for name in compiled.positiontup if compiled.binds[name].required and name not in names
        ]:
            raise sa.exc.InvalidRequestError(f"no value for {', '.join(missing)}")
        if any(bind.expanding for bind in compiled.binds.values()):
            raise sa.exc.InvalidRequestError("a list is given to in_ as literals, and not empty")
        self._given = [
            (name, constants[name], compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup
        ]
        columns = list(statement.selected_columns) if isinstance(statement, sa.Select) else []
        readers = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        self._readers = [(place, reader) for place, reader in enumerate(readers) if reader is not None]
        self._returns_rows = bool(columns)
        self._row: Any = namedtuple("Row", [str(column.key) for column in columns], rename=True)  # type: ignore[misc]
        self._key = next(iter(statement.table.primary_key)).key if isinstance(statement, sa.Insert) else None

    def rows(self, engine: sa.Engine, values: Mapping[str, object]) -> Sequence[Any]:
        """Run a SELECT by itself, outside of any transaction; a row's columns have their names.

        Raises:
            DBAPIError: as SQLAlchemy raises it. A lost connection takes those with it that were opened before.
        """
        try:
            connection = engine.raw_connection()
        except self._dialect.dbapi.Error as error:
            raise self._named(error, is_lost=False) from error
        try:
            return self._run(connection, connection, engine, values).rows
        finally:
            connection.close()

    def run(self, connection: sa.Connection, values: Mapping[str, object]) -> Outcome:
        """Run the statement in the transaction of `connection`.

        Raises:
            DBAPIError: as SQLAlchemy raises it, and as `rows`.
        """
        return self._run(connection.connection, connection, connection.engine, values)

    def _run(
        self,
        driver: Any,
        owner: sa.Connection | sa.PoolProxiedConnection,
        engine: sa.Engine,
        values: Mapping[str, object],
    ) -> Outcome:
        given = []
        for name, constant, write in self._given:
            value = values.get(name, constant)
            given.append(value if write is None else write(value))
        cursor = None
        try:
            cursor = driver.cursor()
            self._dialect.do_execute(cursor, self._sql, tuple(given))
            found = cursor.fetchall() if self._returns_rows else ()
            outcome = Outcome(
                [self._read(row) for row in found], cursor.rowcount, self._key_of(cursor, values)
            )
            cursor.close()
        except self._dialect.dbapi.Error as error:
            is_lost = self._dialect.is_disconnect(error, driver, cursor)
            if is_lost:
                owner.invalidate(error)
                engine.dispose()
            raise self._named(error, is_lost) from error
        except (KeyboardInterrupt, SystemExit):
            # The rest of an answer may still be on its way.
            owner.invalidate()
            raise
        return outcome

    def _key_of(self, cursor: Any, values: Mapping[str, object]) -> Any:
        return None if self._key is None else values.get(self._key, cursor.lastrowid)

    def _named(self, error: Exception, is_lost: bool) -> BaseException:
        """Return the driver's error as SQLAlchemy names it, which is how the doors know that the database is away."""
        driver = self._dialect.dbapi.Error
        return sa.exc.DBAPIError.instance(self._sql, None, error, driver, True, is_lost, self._dialect)

    def _read(self, row: Sequence[Any]) -> Any:
        values = list(row)
        for place, reader in self._readers:
            values[place] = reader(values[place])
        return self._row._make(values)


def _defaults(compiled: Any) -> dict[str, object]:
    """Return the constants of the columns that a write leaves to their defaults."""
    defaults = {column.key: column.default for column in compiled.insert_prefetch}
    defaults |= {column.key: column.onupdate for column in compiled.update_prefetch}
    for name, default in defaults.items():
        if not default.is_scalar:
            raise sa.exc.InvalidRequestError(f"the default of {name} is not a constant")
    return {name: default.arg for name, default in defaults.items()}
