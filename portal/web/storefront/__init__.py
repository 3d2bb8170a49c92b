"""The door to the shop window: the catalogue and a course's page."""

from portal.web.storefront.views import bp

__all__ = ["bp"]
