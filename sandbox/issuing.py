"""X.509 certificates as WeChat Pay issues them: to merchants, and for its own platform keys."""

from __future__ import annotations

import secrets
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

ISSUER = "Tenpay.com Root CA"


def issue(
    issuer_key: RSAPrivateKey, public_key: RSAPublicKey, common_name: str, begins: datetime, ends: datetime
) -> x509.Certificate:
    """A certificate of the sandbox's own root; its serial has 40 hexadecimal digits."""
    # The highest bit is set so that the serial keeps all its digits when a client drops leading zeros.
    serial = secrets.randbits(157) | (1 << 157)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(ISSUER))
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(issuer_key, SHA256())
    )


def serial_of(certificate: x509.Certificate) -> str:
    """The serial as headers carry it: 40 upper-case hexadecimal digits."""
    return f"{certificate.serial_number:040X}"


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "WeChat Pay Sandbox"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
