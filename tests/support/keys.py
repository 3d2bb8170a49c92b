"""The files of license keys, for tests that take one away, and certificates."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from portal.licenses.key_ring import KeyRing


def active_key_file(key_ring: KeyRing) -> Path:
    """Return the file of the key that signs now; other tests may have left older ones beside it."""
    kid, _sign = key_ring.signer()
    (found,) = [path for path in key_ring.private_files() if path.stem == kid]
    return found


def certificate_pem(key: RSAPrivateKey, serial: str, days: int = 365) -> str:
    """Return a certificate of `key` that is good for some days from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "merchant")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(serial, 16))
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
    )
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()
