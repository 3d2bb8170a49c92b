"""The door for gateways: verify, settle, answer. No cookie, no session, no form token."""

from portal.web.notify.gate import Gate
from portal.web.notify.views import bp

__all__ = ["Gate", "bp"]
