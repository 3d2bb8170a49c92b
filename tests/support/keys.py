"""The files of license keys, for tests that take one away."""

from pathlib import Path

from portal.licenses.key_ring import KeyRing


def active_key_file(key_ring: KeyRing) -> Path:
    """Return the file of the key that signs now; other tests may have left older ones beside it."""
    kid, _sign = key_ring.signer()
    (found,) = [path for path in key_ring.private_files() if path.stem == kid]
    return found
