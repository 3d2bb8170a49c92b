"""The daily signature under the audit's chain, made with the keys that sign licenses."""

import base64
import binascii
import logging

from portal.audit import services as audit
from portal.audit.models import AuditHead
from portal.licenses import text
from portal.licenses.key_ring import KeyRing, NoSigningKey

log = logging.getLogger(__name__)


def sign_audit_head(key_ring: KeyRing) -> bool:
    """Sign today's end of the chain if nobody has yet, and tell whether it was signed now.

    Without a signing key it waits for the next time.
    """
    try:
        kid, sign = key_ring.signer()
    except NoSigningKey as error:
        log.warning("audit head not signed", extra={"why": str(error)})
        return False
    return audit.sign_head(kid, sign) is not None


def chain_state(key_ring: KeyRing) -> audit.ChainState:
    """Prove the audit's chain, and its signed heads by the keys of the ring."""

    def is_genuine(head: AuditHead) -> bool:
        known = key_ring.public_key(head.kid)
        try:
            signature = base64.b64decode(head.signature, validate=True)
        except binascii.Error:
            return False
        return known is not None and text.is_signed_by(known[1], audit.message_of(head), signature)

    return audit.verify(is_genuine)
