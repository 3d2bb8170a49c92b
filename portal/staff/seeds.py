"""Seeds of second factors as the database keeps them: encrypted with a key derived from SECRET_KEY.

A sealed seed is base64 of nonce and AES-256-GCM ciphertext, bound to its owner's public id. Former keys
(SECRET_KEY_FALLBACKS) still open it, and whoever uses one so opened seals it again with the newest key.
"""

import base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal.kit import ids
from portal.kit.errors import Unavailable

_NONCE_BYTES = 12


class SeedUnreadable(Unavailable):
    """No key that we have opens the seed: SECRET_KEY was changed without a fallback."""

    code = "seed_unreadable"


class SeedBox:
    """Seals and opens seeds; `secrets` are SECRET_KEY and then its fallbacks."""

    def __init__(self, secrets: list[str]) -> None:
        self._keys = [AESGCM(_derived(secret)) for secret in secrets]

    def seal(self, seed: bytes, owner: str) -> str:
        """Encrypt a seed for the learner with the public id `owner`."""
        nonce = ids.random_bytes(_NONCE_BYTES)
        return base64.b64encode(nonce + self._keys[0].encrypt(nonce, seed, owner.encode())).decode()

    def open(self, sealed: str, owner: str) -> tuple[bytes, bool]:
        """Return the seed, and whether it was sealed with a former key.

        Raises:
            SeedUnreadable: when no key opens it, or it is another's.
        """
        raw = base64.b64decode(sealed)
        for age, key in enumerate(self._keys):
            try:
                return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()), age > 0
            except InvalidTag:
                continue
        raise SeedUnreadable


def _derived(secret: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"portal: seeds of second factors").derive(secret.encode())
