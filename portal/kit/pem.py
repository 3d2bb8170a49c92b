"""Keys and certificates in PEM, as settings give them: read strictly, and written in one form."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import Certificate, load_pem_x509_certificate


def _pem(text: str) -> bytes:
    return text.replace("\r\n", "\n").strip().encode() + b"\n"


def private_key(text: str) -> str:
    """Return an RSA key of at least 2048 bits in its one form.

    Raises:
        ValueError: it is none; the text is safe to show.
    """
    try:
        key = load_pem_private_key(_pem(text), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("is not an unencrypted PEM private key") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < 2048:
        raise ValueError("must be an RSA key of at least 2048 bits")
    return _pem(text).decode()


def public_key(text: str) -> str:
    """Return a public RSA key of at least 2048 bits in its one form.

    Raises:
        ValueError: it is none; the text is safe to show.
    """
    try:
        key = load_pem_public_key(_pem(text))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a PEM public key") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise ValueError("must be an RSA key of at least 2048 bits")
    return _pem(text).decode()


def certificate(text: str) -> Certificate:
    """Read a certificate.

    Raises:
        ValueError: it is none; the text is safe to show.
    """
    try:
        return load_pem_x509_certificate(_pem(text))
    except ValueError:
        raise ValueError("is not a PEM certificate") from None


def serial_of(read: Certificate) -> str:
    """Return a certificate's serial number as WeChat Pay writes it: 40 hexadecimal digits."""
    return f"{read.serial_number:040X}"


def belongs_to(read: Certificate, private: str) -> bool:
    """Tell whether a certificate is of a private key."""
    key = load_pem_private_key(_pem(private), None)
    return read.public_key() == key.public_key()
