"""The signing keys: encrypted PEM files with a state each, in one directory.

A directory holds for each kid `<kid>.pem` (private key, encrypted with the passphrase), `<kid>.pub.pem`
and one `key-ring.json` with the states: prepared → active → verify_only → revoked. Exactly one is active.
The files are looked at again when they change, so a key put back heals the portal without a restart.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from portal.kit import clock, ids

# The private half of this key is in the extension's public repository; it must never sign or verify here.
BURNED_SPKI_SHA256 = frozenset({"b5c8bbb8b3f50d3a9b72a1d8bf866e1b66f620c8ca732afd107bd183ed6bbb91"})
_NEW_KEY_BITS = 3072
_INDEX = "key-ring.json"


class KeyState(StrEnum):
    """What a key may be used for."""

    PREPARED = "prepared"
    ACTIVE = "active"
    VERIFY_ONLY = "verify_only"
    REVOKED = "revoked"


class NoSigningKey(Exception):
    """No key can sign now; `args[0]` says why. Payments go on, licenses follow when it is back."""


class BurnedKey(ValueError):
    """A key whose private half is known to the world."""


class KeyNotRevocable(Exception):
    """The key signs now, or there is none of this name; `args[0]` says which."""


@dataclass(frozen=True)
class KeyInfo:
    """A key as it is published and listed. Moments are UTC ISO 8601 texts."""

    kid: str
    state: KeyState
    not_before: str
    not_after: str | None
    pem: str


def spki_sha256(public_key: rsa.RSAPublicKey) -> str:
    """Return the SHA-256 of the key's SubjectPublicKeyInfo, hex."""
    return hashlib.sha256(
        public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def check_not_burned(public_key: rsa.RSAPublicKey) -> None:
    """Raise `BurnedKey` when the key is on the deny list."""
    if spki_sha256(public_key) in BURNED_SPKI_SHA256:
        raise BurnedKey("this key's private half is public; it can never be used")


def _public_key(pem: str) -> rsa.RSAPublicKey:
    key = load_pem_public_key(str(pem).encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise NoSigningKey("not an RSA key")
    check_not_burned(key)
    return key


class KeyRing:
    """Signs with the active key and knows all others. One per process; safe between threads."""

    def __init__(self, directory: Path, passphrase: str | None) -> None:
        self._directory = directory
        self._passphrase = passphrase.encode() if passphrase else None
        self._lock = threading.Lock()
        self._private: tuple[tuple[object, ...], str, rsa.RSAPrivateKey] | None = None
        self._public: tuple[tuple[object, ...], dict[str, tuple[KeyInfo, rsa.RSAPublicKey]]] | None = None

    def infos(self) -> list[KeyInfo]:
        """Return all keys, oldest first; none when the directory cannot be read."""
        try:
            return self._read_index()
        except NoSigningKey:
            return []

    def _read_index(self) -> list[KeyInfo]:
        try:
            entries = json.loads((self._directory / _INDEX).read_text(encoding="utf-8"))
            return [KeyInfo(**{**entry, "state": KeyState(entry["state"])}) for entry in entries]
        except FileNotFoundError:
            if any(self._directory.glob("*.pub.pem")):
                raise NoSigningKey(f"{_INDEX} is missing") from None
            return []
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise NoSigningKey(f"{_INDEX} cannot be read ({type(error).__name__})") from None

    def public_key(self, kid: str) -> tuple[KeyInfo, rsa.RSAPublicKey] | None:
        """Return the key called `kid`, for verifying, or None when it is not ours."""
        stamp = self._stamp(_INDEX)
        cached = self._public
        if cached is None or cached[0] != stamp:
            known: dict[str, tuple[KeyInfo, rsa.RSAPublicKey]] = {}
            for info in self.infos():
                try:
                    known[info.kid] = (info, _public_key(info.pem))
                except (BurnedKey, ValueError, NoSigningKey):
                    continue
            cached = self._public = (stamp, known)
        return cached[1].get(kid)

    def signer(self) -> tuple[str, Callable[[bytes], bytes]]:
        """Return the active kid and a function that signs bytes (PKCS#1 v1.5, SHA-256).

        Raises:
            NoSigningKey: when there is none, or it cannot be opened.
        """
        kid, key = self._active()
        return kid, lambda data: key.sign(data, PKCS1v15(), SHA256())

    def _active(self) -> tuple[str, rsa.RSAPrivateKey]:
        stamp = self._stamp(_INDEX)
        cached = self._private
        # The key's own file is part of the stamp, so that taking it away is noticed.
        if cached is not None and cached[0] == (*stamp, *self._stamp(f"{cached[1]}.pem")):
            return cached[1], cached[2]
        with self._lock:
            info = next((info for info in self._read_index() if info.state is KeyState.ACTIVE), None)
            if info is None:
                raise NoSigningKey("no active key")
            stamp = (*stamp, *self._stamp(f"{info.kid}.pem"))
            key = self._open(info)
            self._private = (stamp, info.kid, key)
            return info.kid, key

    def _open(self, info: KeyInfo) -> rsa.RSAPrivateKey:
        kid = info.kid
        try:
            pem = (self._directory / f"{kid}.pem").read_bytes()
            key = load_pem_private_key(pem, self._passphrase)
            published = _public_key(info.pem)
        except BurnedKey as error:
            raise NoSigningKey(f"the key {kid} is burned: {error}") from None
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise NoSigningKey(f"the key {kid} cannot be opened ({type(error).__name__})") from None
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048:
            raise NoSigningKey(f"the key {kid} is not RSA of at least 2048 bits")
        if key.public_key() != published:
            # What it signs could not be verified with the key that is published under this kid.
            raise NoSigningKey(f"the file of {kid} holds another key")
        return key

    def private_files(self) -> list[Path]:
        """Return the files that hold private keys."""
        return [path for path in self._directory.glob("*.pem") if not path.name.endswith(".pub.pem")]

    def _stamp(self, name: str) -> tuple[object, ...]:
        try:
            status = (self._directory / name).stat()
        except OSError:
            return (None,)
        return (status.st_mtime_ns, status.st_size, status.st_ino)

    def rotate(self) -> KeyInfo:
        """Make a new key the active one; the one before can only verify from now on.

        Raises:
            NoSigningKey: when there is no passphrase to encrypt it with, or the index cannot be read: a new
                one would forget the keys in it.
            OSError: when the directory cannot be written.
        """
        if self._passphrase is None:
            raise NoSigningKey("LICENSE_KEY_PASSPHRASE is not set")
        private = rsa.generate_private_key(public_exponent=65537, key_size=_NEW_KEY_BITS)
        moment = clock.now()
        kid = f"lb-{moment:%Y%m%d}-{ids.new_public_id()[:8]}"
        pem = private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(self._passphrase)
        )
        public_pem = (
            private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        )
        new = KeyInfo(kid, KeyState.ACTIVE, clock.iso(moment), None, public_pem)
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            retired = [
                replace(info, state=KeyState.VERIFY_ONLY, not_after=clock.iso(moment))
                if info.state is KeyState.ACTIVE
                else info
                for info in self._read_index()
            ]
            self._write(f"{kid}.pem", pem, 0o400)
            self._write(f"{kid}.pub.pem", public_pem.encode(), 0o444)
            self._write_index([*retired, new])
        return new

    def revoke(self, kid: str) -> None:
        """Believe nothing any more that this key signed or signs; all processes know at their next look.

        Needs no passphrase. One that is revoked already stays as it is.

        Raises:
            KeyNotRevocable: it signs now (rotate first), or there is none called `kid`.
            NoSigningKey: when the index cannot be read.
            OSError: when the directory cannot be written.
        """
        with self._alone():
            infos = self._read_index()
            state = next((info.state for info in infos if info.kid == kid), None)
            if state is None:
                raise KeyNotRevocable(f"there is no key {kid}")
            if state is KeyState.ACTIVE:
                raise KeyNotRevocable(f"{kid} signs now: `license-keys rotate` first")
            moment = clock.iso(clock.now())
            self._write_index(
                [
                    replace(info, state=KeyState.REVOKED, not_after=info.not_after or moment)
                    if info.kid == kid
                    else info
                    for info in infos
                ]
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Two changes at once, in any processes, must not lose each other's from the index.
        with (self._directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write_index(self, infos: list[KeyInfo]) -> None:
        text = json.dumps([asdict(info) for info in infos], indent=1)
        self._write(_INDEX, text.encode(), 0o644)

    def _write(self, name: str, content: bytes, mode: int) -> None:
        # Whole or not at all, and durable before the index names it.
        temporary = self._directory / f".{name}.{ids.new_public_id()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._directory / name)
