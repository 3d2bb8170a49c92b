"""One strict JSON reader for everything that comes from outside.

Python's own accepts duplicate keys, NaN, any depth, integers beyond 2^53 and lone surrogates, each of which
some other reader understands differently.
"""

import json
import math
from typing import Any

_DEEPEST = 32
_LARGEST = 2**53


class BadJson(ValueError):
    """The bytes are not JSON as everybody understands it."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadJson("a key stands twice")
    return fields


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _LARGEST:
        raise BadJson("a number is too large")
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadJson("a number is too large")
    return number


def _constant(name: str) -> Any:
    raise BadJson(f"{name} is not JSON")


def _check(value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise BadJson("nested too deeply")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_text(key)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise BadJson("a text holds NUL")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise BadJson("a text holds half a character")


def loads(raw: bytes) -> Any:
    """Read JSON from UTF-8 bytes.

    Raises:
        BadJson: for invalid UTF-8, a byte order mark, duplicate keys, NaN or infinite numbers, more than 32 levels,
            integers beyond 2^53, NUL or lone surrogates in texts, and of course for what is no JSON at all.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_constant,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise BadJson("not JSON") from None
    _check(value, 1)
    return value
