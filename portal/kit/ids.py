"""Identifiers and secrets. Nothing else draws random numbers."""

import hashlib
import random
import secrets
import uuid
from datetime import datetime

from portal.kit.beijing import BEIJING

# Crockford's base 32 without vowels that could spell words: unambiguous when read aloud or typed.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def random_text(length: int, alphabet: str = _ALPHABET) -> str:
    """Return `length` random characters of `alphabet`."""
    if 256 % len(alphabet):
        return "".join(secrets.choice(alphabet) for _ in range(length))
    # Each character stands for the same number of bytes, so that none is likelier than another.
    return "".join([alphabet[byte % len(alphabet)] for byte in secrets.token_bytes(length)])


def is_row_id(number: int) -> bool:
    """Tell whether a number can be the id of a row at all; a larger one would not even reach the database."""
    return 0 < number < 1 << 63


def new_public_id() -> str:
    """Return an unguessable public id: 20 characters, 100 bits, lower case."""
    return random_text(20).lower()


def new_request_id() -> str:
    """Return what the log lines of a request are known by: 20 hex digits, no secret.

    Made without the system's randomness, asking for which hands the interpreter to another thread.
    """
    return f"{random.getrandbits(80):020x}"


def new_out_trade_no(mode_letter: str, moment: datetime) -> str:
    """Return our order number at a gateway: prefix, Beijing day, 90 random bits; 27 characters.

    Only digits and capital letters, 6 to 32 of them, so that it fits every gateway and never needs
    escaping in a path. `mode_letter` keeps test and live numbers apart.
    """
    return f"LB{mode_letter}{moment.astimezone(BEIJING):%y%m%d}{random_text(18)}"


def new_out_refund_no(mode_letter: str, moment: datetime) -> str:
    """Return our number of a refund at a gateway: as `new_out_trade_no`, beginning `LR`."""
    return f"LR{mode_letter}{moment.astimezone(BEIJING):%y%m%d}{random_text(18)}"


def new_transfer_reference() -> str:
    """Return what a payer types beside a transfer: 8 characters that are read and typed without mistakes."""
    return random_text(8)


def new_secret() -> str:
    """Return a bearer secret of 256 bits, safe in URLs and cookies."""
    return secrets.token_urlsafe(32)


def random_bytes(count: int) -> bytes:
    """Return `count` random bytes, for keys and nonces."""
    return secrets.token_bytes(count)


def secret_hash(secret: str) -> str:
    """Return the SHA-256 of a bearer secret, hex: all that the database keeps of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_uuid() -> str:
    """Return a random UUID in its usual text form."""
    return str(uuid.uuid4())


def random_fraction() -> float:
    """Return a number in [0, 1), for jitter."""
    return secrets.randbelow(1 << 20) / (1 << 20)
