"""The text of a license: `B64 + "|" + SIG`, as the Learning Buddy extension verifies it offline.

`B64` is standard base64 of a UTF-8 JSON object; `SIG` is standard base64 of an RSA PKCS#1 v1.5 SHA-256
signature over the characters of `B64` (not over the JSON).
"""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

_LONGEST = 16_384


class MalformedLicense(ValueError):
    """The text is not of the form above."""


def write(fields: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """Return the license text of `fields`; `sign` makes the signature of the bytes it is given."""
    payload = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    b64 = base64.b64encode(payload)
    return f"{b64.decode()}|{base64.b64encode(sign(b64)).decode()}"


def read(text: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Take a license text apart: its fields, the bytes that were signed, and the signature.

    Raises:
        MalformedLicense: when it is not of the form above.
    """
    if len(text) > _LONGEST or not text.isascii() or text.count("|") != 1:
        raise MalformedLicense(text[:0])
    b64, _, signature = text.partition("|")
    try:
        fields = json.loads(base64.b64decode(b64, validate=True))
        raw_signature = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError, RecursionError):
        raise MalformedLicense from None
    if not isinstance(fields, dict):
        raise MalformedLicense
    return fields, b64.encode(), raw_signature


def is_signed_by(key: RSAPublicKey, signed: bytes, signature: bytes) -> bool:
    """Tell whether `signature` is `key`'s, over the bytes `signed`."""
    try:
        key.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
