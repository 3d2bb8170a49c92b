"""JSON from outside means one thing to every reader, or is refused."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.kit.strict_json import BadJson, loads

BAD = {
    "nothing": b"",
    "no json": b"{",
    "two values": b"{} {}",
    "trailing comma": b"[1,]",
    "single quotes": b"{'a': 1}",
    "a comment": b"{} // x",
    "a raw line end in a text": b'"a\nb"',
    "invalid UTF-8": b'"\xff"',
    "half a UTF-8 character": b'"\xe4\xb8',
    "overlong UTF-8": b'"\xc0\xaf"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "a key twice": b'{"a": 1, "a": 1}',
    "a key twice, once escaped": b'{"a": 1, "\\u0061": 2}',
    "a key twice, deep inside": b'[{"x": {"a": 1, "b": 2, "a": 3}}]',
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity]",
    "minus Infinity": b"-Infinity",
    "a number that becomes infinite": b"[1e999]",
    "one that becomes minus infinite": b"-1e999",
    "33 levels of lists": b"[" * 33 + b"]" * 33,
    "33 levels of objects": b'{"a":' * 32 + b"{}" + b"}" * 32,
    "a hundred thousand levels": b"[" * 100_000 + b"]" * 100_000,
    "a hundred thousand levels, unended": b'{"a":' * 100_000,
    "2^53 + 1": b"9007199254740993",
    "-2^53 - 1": b"[-9007199254740993]",
    "twenty digits": b"12345678901234567890",
    "a hundred thousand digits": b"1" * 100_000,
    "a negative one of them": b'{"a": -' + b"9" * 100_000 + b"}",
    "a leading zero": b"01",
    "a lone high surrogate": b'"\\ud800"',
    "a lone low surrogate": b'["\\udc00x"]',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "a lone surrogate in a key": b'{"\\ud83d": 1}',
    "NUL": b'"a\\u0000b"',
    "NUL in a key": b'{"\\u0000": 1}',
    "a raw NUL": b'"a\x00b"',
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_it_refuses(raw):
    begun = time.process_time()
    with pytest.raises(BadJson):
        loads(raw)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (
            b'{"a": [1, -2, 0.5, 1e3, true, false, null, "x"]}',
            {"a": [1, -2, 0.5, 1000.0, True, False, None, "x"]},
        ),
        (b" \t\r\n{} \n", {}),
        (b"9007199254740992", 2**53),
        (b"-9007199254740992", -(2**53)),
        (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
        ('{"名": "微信支付 😀"}'.encode(), {"名": "微信支付 😀"}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    ],
)
def test_it_reads(raw, value):
    assert loads(raw) == value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=1)), inner)
    ),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_it_reads_what_is_well_formed(value, ensure_ascii):
    assert loads(json.dumps(value, ensure_ascii=ensure_ascii).encode()) == value


@given(st.binary(max_size=200))
def test_bytes_are_json_or_bad_json_and_nothing_else(raw):
    try:
        loads(raw)
    except BadJson:
        return
