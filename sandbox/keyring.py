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
        usual = merchant.signing_key if is_public else self.signing_certificate()
        return self.named(merchant, named_serial) or usual

    def named(self, merchant: Merchant, serial: str) -> SigningKey | None:
        """The key with this serial, if the merchant holds it in the present mode."""
        held = [certificate.signing_key for certificate in self.listed_certificates()]
        if self._switches["mode"] != "certificate":
            held.append(merchant.signing_key)
        return next((key for key in held if key.serial == serial), None)

    def for_notification(self, merchant: Merchant) -> SigningKey:
        """The key of a notification; while switching, either."""
        mode = self._switches["mode"]
        if mode == "public_key":
            return merchant.signing_key
        if mode == "certificate":
            return self.signing_certificate()
        return secrets.choice((merchant.signing_key, self.signing_certificate()))
