"""The door to what is one's own: orders, receipts, licenses, sign-ins and settings."""

from portal.web.account import parts, refunds, settings
from portal.web.account.views import bp

__all__ = ["bp", "parts", "refunds", "settings"]
