"""Pages of long lists: each begins where the one before it ended, so that page 1,000 costs what the first does.

A place in a list is written as a text for the link to the next page. It names the list and its filters, so
that it is refused in any other: rows would be skipped there without a word.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal.kit.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 200
# Days 1 to 9999, in microseconds: what a moment can be and a database can compare.
_MOMENTS = range(-62_135_596_800_000_000, 253_402_300_800_000_000)
_IDS = range(1 << 63)


class BadCursor(Invalid):
    """A page was asked for by a text that is no place in this list."""

    code = "bad_cursor"


@dataclass(frozen=True)
class Place:
    """The last row of a page in a list by moment and id, newest first."""

    at: datetime
    id: int

    def before(self, at: Any, id_: Any) -> sa.ColumnElement[bool]:
        """Return the condition that a row comes after this place, for the columns `at` and `id_`.

        Written so that the index on the moment is used from its right place on: a database seldom sees that
        in a comparison of pairs.
        """
        return sa.and_(at <= self.at, sa.or_(at < self.at, id_ < self.id))


def cursor_of(place: Place, listing: Sequence[object]) -> str:
    """Write a place in the list that `listing` (a name and the filters) tells from every other."""
    micros = (place.at - _EPOCH) // timedelta(microseconds=1)
    text = f"{micros}.{place.id}.{_digest(listing)}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(cursor: str, listing: Sequence[object]) -> Place:
    """Read a place in the list that `listing` names.

    Raises:
        BadCursor: it is not a place, or one in another list.
    """
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise BadCursor
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        micros, row_id, digest = text.split(".")
        numbers = int(micros), int(row_id)
    except (binascii.Error, ValueError):
        raise BadCursor from None
    if digest != _digest(listing) or numbers[0] not in _MOMENTS or numbers[1] not in _IDS:
        raise BadCursor
    return Place(_EPOCH + timedelta(microseconds=numbers[0]), numbers[1])


def _digest(listing: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in listing]).encode()).hexdigest()[:12]
