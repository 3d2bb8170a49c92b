"""A place in a list is read back exactly, and in no other list."""

import base64
from datetime import UTC, datetime

import pytest

from portal.kit.keyset import BadCursor, Place, cursor_of, place_of

PLACE = Place(datetime(2026, 11, 20, 8, 0, 0, 123456, tzinfo=UTC), 4711)
LISTING = ("orders", "paid", None)


def test_it_is_read_back_to_the_microsecond():
    assert place_of(cursor_of(PLACE, LISTING), LISTING) == PLACE


@pytest.mark.parametrize(
    "other", [("refunds", "paid", None), ("orders", "expired", None), ("orders", "paid", "x")]
)
def test_another_list_refuses_it(other):
    with pytest.raises(BadCursor):
        place_of(cursor_of(PLACE, LISTING), other)


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


DIGEST = base64.urlsafe_b64decode(cursor_of(PLACE, LISTING) + "==").decode().rsplit(".", 1)[1]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "-1",
        "%00",
        "' OR 1=1",
        "é",
        "A" * 201,
        encoded("1.2"),
        encoded("1.2.3.4"),
        encoded(f"x.2.{DIGEST}"),
        encoded(f"{10**30}.2.{DIGEST}"),
        encoded(f"1.{1 << 63}.{DIGEST}"),
        encoded(f"1.-2.{DIGEST}"),
        encoded("1.2.") + DIGEST,
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_what_is_no_place_is_refused(cursor):
    with pytest.raises(BadCursor):
        place_of(cursor, LISTING)
