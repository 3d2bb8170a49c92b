"""The door to paying: press *buy*, the page with the QR code and every state after it."""

from portal.web.checkout.views import bp

__all__ = ["bp"]
