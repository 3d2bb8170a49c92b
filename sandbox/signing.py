"""Signatures and encryption of API v3, seen from WeChat Pay's side.

Requests, answers and notifications are signed with RSA PKCS#1 v1.5 over SHA-256, of lines that each end with
a line feed, the last one too (pay.weixin.qq.com/doc/v3/merchant/4012365342 and 4013053249).
"""

from __future__ import annotations

import base64
import binascii
import secrets
import string
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
MANNERS = ("good", "bad", "signtest", "signtest_short", "none")
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class SigningKey:
    """A private key of the platform and the name (`Wechatpay-Serial`) merchants know it by."""

    serial: str
    private_key: RSAPrivateKey


def signed_text(*lines: bytes) -> bytes:
    """The bytes that are signed: every line with its line feed, an empty last line included."""
    return b"".join(line + b"\n" for line in lines)


def sign(key: RSAPrivateKey, text: bytes) -> str:
    """Base64 of the signature, without line breaks."""
    return base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


def is_signed(key: RSAPublicKey, text: bytes, signature: str) -> bool:
    """Whether `signature` (base64) is the owner's of `key` over `text`."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def signature_headers(key: SigningKey, body: bytes, moment: float, manner: str = "good") -> dict[str, str]:
    """The five `Wechatpay-*` headers of an answer or a notification.

    Args:
        key: signs, and is named by `Wechatpay-Serial`.
        body: the bytes on the wire; empty for a 204.
        moment: Unix seconds for `Wechatpay-Timestamp`.
        manner: one of MANNERS. `signtest` is the probe WeChat Pay sends now and then, a real signature whose
            beginning is overwritten; `signtest_short` is the form seen in the wild that is not valid base64
            (pay.weixin.qq.com/doc/v3/merchant/4013053249).
    """
    if manner == "none":
        return {}
    timestamp, nonce = str(int(moment)), secrets.token_hex(16)
    text = signed_text(timestamp.encode(), nonce.encode(), body)
    signature = sign(key.private_key, text if manner != "bad" else text + b"forged")
    if manner == "signtest":
        signature = PROBE_PREFIX + signature[len(PROBE_PREFIX) :]
    elif manner == "signtest_short":
        signature = PROBE_PREFIX + secrets.token_hex(19)
    return {
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": signature,
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Serial": key.serial,
        "Wechatpay-Signature-Type": SIGNATURE_TYPE,
    }


def encrypt(apiv3_key: str, plaintext: str, associated_data: str) -> dict[str, str]:
    """AES-256-GCM under the APIv3 key, as in notifications and certificate downloads.

    Returns the four fields both carry; the nonce is 12 letters and digits, used as bytes.
    """
    nonce = "".join(secrets.choice(_LETTERS) for _ in range(12))
    sealed = AESGCM(apiv3_key.encode()).encrypt(nonce.encode(), plaintext.encode(), associated_data.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "associated_data": associated_data,
        "nonce": nonce,
    }
