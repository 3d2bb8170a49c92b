"""Keys of the platform and of two merchants: made at the first start, read at every other.

What a merchant holds is described at pay.weixin.qq.com/doc/v3/merchant/4013070756 (mchid, appid) and
4024350132 (API key pair, APIv3 key); the WeChat Pay public key at 4013038816.
"""

from __future__ import annotations

import json
import os
import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .issuing import issue, serial_of
from .signing import SigningKey

FACTS = "merchants.json"
SUCCESSOR = "_successor"
"""In the names of files: the key that follows the present one."""
OWNERS = {"merchant": "学习伙伴 Learning Buddy", "other_merchant": "隔壁商店 The Shop Next Door"}
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Merchant:
    """One merchant and what WeChat Pay knows of it."""

    name: str
    folder: Path
    mchid: str
    appid: str
    apiv3_keys: tuple[str, str]
    """The present one, and the one that follows it."""
    certificate: x509.Certificate
    signing_keys: tuple[SigningKey, SigningKey]
    """The private halves of this merchant's WeChat Pay public key, and of the one that follows it."""

    @property
    def cert_serial_no(self) -> str:
        return serial_of(self.certificate)

    @property
    def request_key(self) -> rsa.RSAPublicKey:
        """Verifies this merchant's requests."""
        key = self.certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        return key

    def settings(self, base_url: str, keys: str = "") -> dict[str, str]:
        """What a shop must be configured with to be this merchant; `keys` is SUCCESSOR after a rotation."""
        return {
            "WECHATPAY_APPID": self.appid,
            "WECHATPAY_MCHID": self.mchid,
            "WECHATPAY_CERT_SERIAL_NO": self.cert_serial_no,
            "WECHATPAY_PRIVATE_KEY_FILE": str(self.folder / "apiclient_key.pem"),
            "WECHATPAY_APIV3_KEY_FILE": str(self.folder / f"apiv3_key{keys}.txt"),
            "WECHATPAY_PUBLIC_KEY_ID": self.signing_keys[bool(keys)].serial,
            "WECHATPAY_PUBLIC_KEY_FILE": str(self.folder / f"wechatpay_public_key{keys}.pem"),
            "WECHATPAY_BASE_URL": base_url,
        }


@dataclass(frozen=True)
class PlatformCertificate:
    """A platform certificate and the key that signs under its serial."""

    certificate: x509.Certificate
    signing_key: SigningKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True)
class Keys:
    """All key material of one sandbox."""

    merchant: Merchant
    other_merchant: Merchant
    certificates: tuple[PlatformCertificate, ...]
    """Two whose validity overlaps: the elder and its successor."""

    def merchant_of(self, mchid: str) -> Merchant | None:
        """The merchant with this number, if there is one."""
        return next((m for m in (self.merchant, self.other_merchant) if m.mchid == mchid), None)


def load_or_make(data: Path) -> Keys:
    """Read the keys under `data`, after making them if this is the first start."""
    platform = data / "platform"
    # The facts are written last: a first start that was killed half-way is simply done again.
    if not (platform / FACTS).exists():
        _make(data, platform)
    for owner in OWNERS:
        # The private key is written last, so where it is the others are too.
        if not (platform / f"{owner}_signing_key{SUCCESSOR}.pem").exists():
            _make_shared(data, platform, owner, SUCCESSOR)
    facts = json.loads((platform / FACTS).read_text("utf-8"))
    return Keys(
        merchant=_read_merchant(data, "merchant", facts),
        other_merchant=_read_merchant(data, "other_merchant", facts),
        certificates=tuple(_read_certificate(platform, name) for name in ("elder", "successor")),
    )


def write_settings(keys: Keys, base_url: str) -> None:
    """Write `settings.json` beside each merchant's keys; the address may differ from start to start.

    `settings_successor.json` is the same with the keys that follow the present ones.
    """
    for merchant in (keys.merchant, keys.other_merchant):
        for which in ("", SUCCESSOR):
            text = json.dumps(merchant.settings(base_url, which), indent=2) + "\n"
            _write(merchant.folder / f"settings{which}.json", text.encode())


def _make(data: Path, platform: Path) -> None:
    platform.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = datetime.now(UTC)
    root = _new_key()
    _write(platform / "root_key.pem", _private_pem(root), secret=True)
    # Platform certificates live five years; the successor is listed long before the elder ends
    # (pay.weixin.qq.com/doc/v3/merchant/4012068829).
    for name, begins in (("elder", now - timedelta(days=4 * 365)), ("successor", now - timedelta(days=2))):
        key = _new_key()
        certificate = issue(
            root, key.public_key(), "Tenpay.com sign", begins, begins + timedelta(days=5 * 365)
        )
        _write(platform / f"{name}_key.pem", _private_pem(key), secret=True)
        _write(platform / f"{name}_cert.pem", certificate.public_bytes(serialization.Encoding.PEM))
    facts = {owner: _make_merchant(data, platform, owner, root, now) for owner in OWNERS}
    _write(platform / FACTS, json.dumps(facts, indent=2).encode())


def _make_merchant(
    data: Path, platform: Path, owner: str, root: rsa.RSAPrivateKey, now: datetime
) -> dict[str, str]:
    folder = data / owner
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    mchid = "19" + "".join(secrets.choice(string.digits) for _ in range(8))
    key = _new_key()
    certificate = issue(
        root, key.public_key(), mchid, now - timedelta(days=1), now + timedelta(days=5 * 365 - 1)
    )
    _write(folder / "apiclient_key.pem", _private_pem(key), secret=True)
    _write(folder / "apiclient_cert.pem", certificate.public_bytes(serialization.Encoding.PEM))
    _make_shared(data, platform, owner, "")
    return {
        "mchid": mchid,
        "appid": "wx" + secrets.token_hex(8),
        "public_key_id": f"PUB_KEY_ID_01{mchid}{now:%Y%m%d}00{secrets.randbelow(10**8):08d}",
    }


def _make_shared(data: Path, platform: Path, owner: str, which: str) -> None:
    """The WeChat Pay public key of a merchant and its APIv3 key; `which` is "" or SUCCESSOR."""
    signing, secret = _new_key(), "".join(secrets.choice(_LETTERS) for _ in range(32))
    _write(data / owner / f"wechatpay_public_key{which}.pem", _public_pem(signing.public_key()))
    _write(data / owner / f"apiv3_key{which}.txt", secret.encode(), secret=True)
    _write(platform / f"{owner}_signing_key{which}.pem", _private_pem(signing), secret=True)


def _read_merchant(data: Path, owner: str, facts: dict[str, dict[str, str]]) -> Merchant:
    folder, fact, platform = (data / owner).resolve(), facts[owner], data / "platform"
    return Merchant(
        name=OWNERS[owner],
        folder=folder,
        mchid=fact["mchid"],
        appid=fact["appid"],
        apiv3_keys=(
            (folder / "apiv3_key.txt").read_text("ascii"),
            (folder / f"apiv3_key{SUCCESSOR}.txt").read_text("ascii"),
        ),
        certificate=x509.load_pem_x509_certificate((folder / "apiclient_cert.pem").read_bytes()),
        signing_keys=(
            SigningKey(fact["public_key_id"], _read_key(platform / f"{owner}_signing_key.pem")),
            SigningKey(
                _next_id(fact["public_key_id"]), _read_key(platform / f"{owner}_signing_key{SUCCESSOR}.pem")
            ),
        ),
    )


def _next_id(public_key_id: str) -> str:
    """The id of the public key that follows: the same but for its last eight digits."""
    return f"{public_key_id[:-8]}{(int(public_key_id[-8:]) + 1) % 10**8:08d}"


def _read_certificate(platform: Path, name: str) -> PlatformCertificate:
    certificate = x509.load_pem_x509_certificate((platform / f"{name}_cert.pem").read_bytes())
    key = _read_key(platform / f"{name}_key.pem")
    return PlatformCertificate(certificate, SigningKey(serial_of(certificate), key))


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _read_key(path: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _private_pem(key: rsa.RSAPrivateKey) -> bytes:
    encoding, container = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, container, serialization.NoEncryption())


def _public_pem(key: rsa.RSAPublicKey) -> bytes:
    encoding, container = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, container)


def _write(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write whole or not at all; a secret is never readable by others, not even for a moment."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
