"""Passwords: which may be chosen, and how they are hashed (argon2id)."""

import functools
import re
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from portal.kit.errors import Invalid, Unavailable

SHORTEST, LONGEST = 10, 128

_MEMORY_KIB, _TIME_COST, _LANES = 19 * 1024, 2, 1
_hasher = PasswordHasher(time_cost=_TIME_COST, memory_cost=_MEMORY_KIB, parallelism=_LANES)

# A hash that no password has, of the same cost: whoever asks for an unknown account waits as long.
_NOBODYS_HASH = f"$argon2id$v=19$m={_MEMORY_KIB},t={_TIME_COST},p={_LANES}${'A' * 22}${'A' * 43}"

# Each hashing takes 19 MiB and a core; a flood of sign-ins must leave the rest of the process alive.
_AT_ONCE = 2
_PATIENCE_SECONDS = 5
_gate = threading.BoundedSemaphore(_AT_ONCE)

_OWN_NAMES = frozenset({"learningbuddy", "learningbuddyportal"})
_NOT_A_LETTER = re.compile(r"[\W\d_]+")
_SHORTEST_NAME = 4


class Weakness(StrEnum):
    """Why a password may not be chosen."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    CONTROL = "control"
    COMMON = "common"
    PERSONAL = "personal"
    """It is the address, or our own name."""


class WeakPassword(Invalid):
    """A password that may not be chosen; `weakness` says why."""

    code = "weak_password"

    def __init__(self, weakness: Weakness) -> None:
        super().__init__(weakness.value)
        self.weakness = weakness


def checked(password: str, email: str) -> str:
    """Return a new password in its stored form (NFC); nothing is cut off and no composition asked for.

    Raises:
        WeakPassword: when it is not 10 to 128 characters, cannot be typed, is common, or is the address.
    """
    password = unicodedata.normalize("NFC", password)
    if len(password) < SHORTEST:
        raise WeakPassword(Weakness.TOO_SHORT)
    if len(password) > LONGEST:
        raise WeakPassword(Weakness.TOO_LONG)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in password):
        raise WeakPassword(Weakness.CONTROL)
    if _is_common(password.casefold()):
        raise WeakPassword(Weakness.COMMON)
    if _is_personal(password.casefold(), email):
        raise WeakPassword(Weakness.PERSONAL)
    return password


@functools.cache
def _common_passwords() -> frozenset[str]:
    lines = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _is_common(password: str) -> bool:
    # `aaaaaaaaaa` and `abcabcabcabc` are too many to list.
    is_repetition = any((password[:size] * len(password))[: len(password)] == password for size in (1, 2, 3))
    return is_repetition or password in _common_passwords()


def _is_personal(password: str, email: str) -> bool:
    core = _NOT_A_LETTER.sub("", password)
    names = {_NOT_A_LETTER.sub("", name) for name in (email, email.partition("@")[0])}
    return core in _OWN_NAMES or password == email or (len(core) >= _SHORTEST_NAME and core in names)


@contextmanager
def _turn() -> Iterator[None]:
    if not _gate.acquire(timeout=_PATIENCE_SECONDS):
        raise Unavailable("too many sign-ins at once")
    try:
        yield
    finally:
        _gate.release()


def _bytes(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace")


def hashed(password: str) -> str:
    """Return the hash to store. Slow on purpose: call it outside of transactions.

    Raises:
        Unavailable: when too many hashings are waiting.
    """
    with _turn():
        return _hasher.hash(_bytes(password))


def matches(stored_hash: str | None, password: str) -> bool:
    """Tell whether a password is the stored one; without a stored one (None) it takes as long to say no.

    Raises:
        Unavailable: when too many hashings are waiting.
    """
    with _turn():
        try:
            _hasher.verify(stored_hash or _NOBODYS_HASH, _bytes(password))
        except VerifyMismatchError:
            return False
    return stored_hash is not None


def is_outdated(stored_hash: str) -> bool:
    """Tell whether a hash was made at another cost than today's."""
    return _hasher.check_needs_rehash(stored_hash)
