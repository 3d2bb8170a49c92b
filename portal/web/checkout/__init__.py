"""The door to paying: press *buy*, the page with the code and every state after it, and transfers."""

from portal.web.checkout import transfer
from portal.web.checkout.views import bp

__all__ = ["bp", "transfer"]
