"""What a promise is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariant:
    """A promise. `sql` selects one column, the names of the rows that break it."""

    number: str
    name: str
    promise: str
    sql: str
