"""Time-based one-time passwords (RFC 6238: HMAC-SHA-1, 30 seconds, six digits, as all phone apps do)."""

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote

STEP_SECONDS = 30
_DIGITS = 6
_ISSUER = "Learning Buddy"


def step_at(moment: datetime) -> int:
    """Return the number of the 30 seconds that `moment` is in."""
    return int(moment.timestamp()) // STEP_SECONDS


def code_at(seed: bytes, step: int, digits: int = _DIGITS) -> str:
    """Return the code of a step (RFC 4226, section 5.3)."""
    digest = hmac.digest(seed, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(seed: bytes, code: str, moment: datetime) -> int | None:
    """Return the step whose code this is: the one of `moment`, the one before or the one after."""
    now = step_at(moment)
    matches = [step for step in (now - 1, now, now + 1) if hmac.compare_digest(code_at(seed, step), code)]
    return matches[0] if matches else None


def seed_text(seed: bytes) -> str:
    """Return the seed as apps take it when it is typed: base 32 in groups of four."""
    text = base64.b32encode(seed).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def seed_uri(seed: bytes, account: str) -> str:
    """Return the seed as apps take it from a QR code (the Key URI format of Google Authenticator)."""
    secret = seed_text(seed).replace(" ", "")
    return f"otpauth://totp/{quote(_ISSUER)}:{quote(account)}?secret={secret}&issuer={quote(_ISSUER)}"
