"""Route `/v3/certificates`: platform certificates, encrypted with the merchant's APIv3 key.

pay.weixin.qq.com/doc/v3/merchant/4012551764; a merchant that has only the WeChat Pay public key gets a 404
(4012076511).
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from . import errors
from .call import Call
from .clock import rfc3339
from .gateway import operation
from .keys import Merchant, PlatformCertificate
from .signing import encrypt
from .world import World

bp = Blueprint("certificates", __name__, url_prefix="/v3")


@bp.get("/certificates", provide_automatic_options=False)
@operation("certificates", needs_user_agent=True)
def certificates(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """List the certificates of the present mode; RSA is the only kind there is."""
    kind = call.query.get("algorithm_type", "RSA")
    if kind not in ("RSA", "ALL", "SM2"):
        raise errors.param_error("参数错误", "algorithm_type", "query", kind)
    listed = world.keyring.listed_certificates()
    if not listed or kind == "SM2":
        raise errors.no_certificates()
    return {"data": [_entry(certificate, world.keyring.apiv3_key(merchant.mchid)) for certificate in listed]}


def _entry(certificate: PlatformCertificate, apiv3_key: str) -> dict[str, Any]:
    return {
        "serial_no": certificate.signing_key.serial,
        "effective_time": rfc3339(certificate.certificate.not_valid_before_utc.timestamp()),
        "expire_time": rfc3339(certificate.certificate.not_valid_after_utc.timestamp()),
        "encrypt_certificate": encrypt(apiv3_key, certificate.pem, "certificate"),
    }
