"""One written form for each e-mail address."""

import pytest

from portal.learners.addresses import BadAddress, checked, masked, normalised


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("a@example.com", "a@example.com"),
        ("  Wang.Li+courses@QQ.com ", "wang.li+courses@qq.com"),
        ("o'hara@sub.example.co", "o'hara@sub.example.co"),
        ("1@1.cn", "1@1.cn"),
    ],
)
def test_an_address_has_one_form(typed, address):
    assert checked(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "a",
        "a@",
        "@example.com",
        "a@example",
        "a@@example.com",
        "a@b@example.com",
        "a b@example.com",
        ".a@example.com",
        "a..b@example.com",
        "a@-example.com",
        "a@example..com",
        "a@127.0.0.1",
        "a@example.com\r\nBcc: all@example.com",
        "a@example.com\x00",
        "a\u202e@example.com",
        "王@example.com",
        "a@例子.cn",
        "a@\u212aexample.com",
        "a@example.com,b@example.com",
        "<a@example.com>",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + "b.c" * 90 + ".com",
    ],
)
def test_what_is_no_plain_address_is_refused(typed):
    with pytest.raises(BadAddress):
        checked(typed)


def test_a_letter_that_folds_to_ascii_is_not_that_letter():
    # The Kelvin sign casefolds to k, and would make this somebody else's address.
    assert normalised("\u212ate@example.com") != "kate@example.com"


def test_a_masked_address_shows_its_first_letter_and_domain():
    assert masked("wang@qq.com") == "w***@qq.com"
