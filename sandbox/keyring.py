"""Which platform key signs what, in each of the three modes a merchant can be in.

A new merchant has only the WeChat Pay public key; an old one has platform certificates; one that is changing
over has both, and each answer follows the `Wechatpay-Serial` of its request while notifications come signed
by either (pay.weixin.qq.com/doc/v3/merchant/4012154180).
"""

from __future__ import annotations

import secrets

from .keys import Keys, Merchant, PlatformCertificate
from .signing import SigningKey
from .switches import Switches


class Keyring:
    """Chooses the key for an answer or a notification."""

    def __init__(self, keys: Keys, switches: Switches) -> None:
        self._keys = keys
        self._switches = switches

    def listed_certificates(self) -> tuple[PlatformCertificate, ...]:
        """What `GET /v3/certificates` lists; nothing for a merchant that has only the public key."""
        if self._switches["mode"] == "public_key":
            return ()
        return self._keys.certificates[: self._switches["certificates"]]

    def signing_certificate(self) -> SigningKey:
        """The certificate that signs: a new one is listed at least a day before it does."""
        listed = self._keys.certificates[: self._switches["certificates"]]
        return listed[min(self._switches["signing_certificate"], len(listed)) - 1].signing_key

    def for_answer(self, merchant: Merchant, named_serial: str) -> SigningKey:
        """The key the request names if the merchant holds it, else the usual one of the mode."""
        is_public = self._switches["mode"] == "public_key"
        usual = self.public_keys(merchant)[0] if is_public else self.signing_certificate()
        return self.named(merchant, named_serial) or usual

    def named(self, merchant: Merchant, serial: str) -> SigningKey | None:
        """The key with this serial, if the merchant holds it in the present mode."""
        held = [certificate.signing_key for certificate in self.listed_certificates()]
        if self._switches["mode"] != "certificate":
            held += self.public_keys(merchant)
        return next((key for key in held if key.serial == serial), None)

    def for_notification(self, merchant: Merchant) -> SigningKey:
        """The key of a notification; while one is being changed, either."""
        mode = self._switches["mode"]
        if mode == "public_key":
            return secrets.choice(self.public_keys(merchant))
        if mode == "certificate":
            return self.signing_certificate()
        return secrets.choice((*self.public_keys(merchant), self.signing_certificate()))

    def public_keys(self, merchant: Merchant) -> tuple[SigningKey, ...]:
        """Those that sign for a merchant; two while its public key is being changed."""
        elder, successor = merchant.signing_keys
        by_switch = {"elder": (elder,), "both": (elder, successor), "successor": (successor,)}
        return by_switch[self._switches["public_key"]]

    def apiv3_key(self, mchid: str) -> str:
        """What notifications and certificates are encrypted with."""
        merchant = self._keys.merchant_of(mchid)
        assert merchant is not None
        return merchant.apiv3_keys[self._switches["apiv3_key"] == "successor"]
