"""A SELECT written once for a database, and run by its driver with nothing in between.

SQLAlchemy spends twice as long on a small SELECT as driver and network together. Here it still writes the statement,
converts what goes in and comes out, keeps the connections and names the errors.
"""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa


class Prepared:
    """A SELECT of columns for the databases of one dialect. Lists are given to `in_` as `sa.literal`s."""

    def __init__(self, statement: sa.Select[Any], dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self._dialect: Any = dialect
        self._sql = str(compiled)
        self._given = [
            (
                name,
                compiled.params[name],
                compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect),
            )
            for name in compiled.positiontup
        ]
        columns = list(statement.selected_columns)
        readers = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        self._readers = [(place, reader) for place, reader in enumerate(readers) if reader is not None]
        names = [str(column.key) for column in columns]
        self._row: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]

    def rows(self, engine: sa.Engine, values: Mapping[str, object]) -> Sequence[Any]:
        """Run the statement by itself, outside of any transaction; a row's columns have their names.

        Raises:
            DBAPIError: as SQLAlchemy raises it. A lost connection takes those with it that were opened before.
        """
        given = []
        for name, constant, write in self._given:
            value = values.get(name, constant)
            given.append(value if write is None else write(value))
        try:
            connection = engine.raw_connection()
        except self._dialect.dbapi.Error as error:
            raise self._named(error, is_lost=False) from error
        try:
            cursor = connection.cursor()
            self._dialect.do_execute(cursor, self._sql, tuple(given))
            found = cursor.fetchall()
            cursor.close()
        except self._dialect.dbapi.Error as error:
            is_lost = self._dialect.is_disconnect(error, connection, None)
            if is_lost:
                connection.invalidate(error)
                engine.dispose()
            raise self._named(error, is_lost) from error
        finally:
            connection.close()
        return [self._read(row) for row in found]

    def _named(self, error: Exception, is_lost: bool) -> BaseException:
        """Return the driver's error as SQLAlchemy names it, which is how the doors know that the database is away."""
        driver = self._dialect.dbapi.Error
        return sa.exc.DBAPIError.instance(self._sql, None, error, driver, True, is_lost, self._dialect)

    def _read(self, row: Sequence[Any]) -> Any:
        values = list(row)
        for place, reader in self._readers:
            values[place] = reader(values[place])
        return self._row._make(values)
