"""What a promise is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariant:
    """A promise. `sql` selects one column, the names of the rows that break it.

    `walks` names the column of whole numbers, as `table.column`, along which a long table is gone through: the
    statement looks at the rows between `:first` and `:last` only, so each is short however long the table is.
    """

    number: str
    name: str
    promise: str
    sql: str
    walks: str | None = None
