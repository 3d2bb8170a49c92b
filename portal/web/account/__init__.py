"""The door to what is one's own: orders, receipts, licenses, sign-ins and settings."""

from portal.web.account import refunds, rows, settings
from portal.web.account.views import bp

__all__ = ["bp", "refunds", "rows", "settings"]
