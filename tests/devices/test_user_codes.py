"""Codes that people read and type."""

import pytest

from portal.devices import user_codes


def test_a_code_is_eight_consonants_without_look_alikes():
    codes = {user_codes.new_user_code() for _ in range(200)}
    assert len(codes) == 200
    assert set("".join(codes)) <= set("BCDFGHJKLMNPRSTVWXZ")
    assert {len(code) for code in codes} == {8}


def test_what_is_shown_is_what_is_compared():
    code = user_codes.new_user_code()
    assert user_codes.normalised(user_codes.shown(code)) == code
    assert user_codes.shown("WDJBMTHX") == "WDJB-MTHX"


@pytest.mark.parametrize(
    "entry",
    [
        "WDJB-MTHZ",
        "wdjb-mthz",
        " WDJB MTHZ ",
        "w d j b m t h z",
        "WDJBMTHZ",
        "WDJB–MTHZ",
        "WDJB.MTHZ\n",
        "ＷＤＪＢ－ＭＴＨＺ",
        "WOJB-MTHZ",
        "W0J8-MTH2",
    ],
)
def test_entry_is_tolerant(entry):
    assert user_codes.normalised(entry) == "WDJBMTHZ"


@pytest.mark.parametrize(
    "entry", ["", "WDJB-MTH", "WDJB-MTHXX", "AEIO-AEIO", "中文中文中文中文", "\x00" * 8, "W" * 5000, "ﬀﬀﬀﬀﬀ"]
)
def test_what_cannot_be_a_code_is_none(entry):
    assert user_codes.normalised(entry) is None
