"""Identifiers fit where they go and cannot be guessed."""

import hashlib
import re
import uuid
from datetime import UTC, datetime

import pytest

from portal.kit import ids

MOMENT = datetime(2026, 11, 20, 20, tzinfo=UTC)  # the next morning in Beijing


@pytest.mark.parametrize(
    "draw",
    [ids.new_public_id, ids.new_secret, ids.new_uuid, lambda: ids.new_out_trade_no("T", MOMENT)],
    ids=["public_id", "secret", "uuid", "out_trade_no"],
)
def test_no_two_are_the_same(draw):
    assert len({draw() for _ in range(2000)}) == 2000


def test_a_public_id_has_a_hundred_bits_in_letters_that_are_not_mistaken():
    for _ in range(200):
        assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{20}", ids.new_public_id())


class TestOrderNumber:
    def test_it_is_what_every_gateway_accepts(self):
        assert re.fullmatch(r"LBT261121[0-9A-Z]{18}", ids.new_out_trade_no("T", MOMENT))

    def test_test_and_live_money_cannot_share_one(self):
        test, live = (ids.new_out_trade_no(letter, MOMENT) for letter in "TL")
        assert test[:3] != live[:3]


def test_a_secret_has_256_bits_and_needs_no_escaping():
    assert re.fullmatch(r"[0-9A-Za-z_-]{43}", ids.new_secret())


def test_of_a_secret_only_its_sha256_is_kept():
    assert ids.secret_hash("words") == hashlib.sha256(b"words").hexdigest()


def test_a_uuid_is_random_and_in_its_usual_form():
    text = ids.new_uuid()
    assert (str(uuid.UUID(text)), uuid.UUID(text).version) == (text, 4)


def test_a_fraction_is_at_least_0_and_below_1():
    drawn = [ids.random_fraction() for _ in range(2000)]
    assert 0 <= min(drawn) < 0.1 < 0.9 < max(drawn) < 1


def test_a_random_text_has_every_character_of_its_alphabet_and_no_other():
    for alphabet in ("01", "0123456789ABCDEFGHJKMNPQRSTVWXYZ", "BCDFGHJKLMNPQRSTVWXZ"):
        assert set(ids.random_text(2000, alphabet)) == set(alphabet)
