"""The door for those who watch the portal: is it alive, is it ready; and for browsers' CSP reports."""

from portal.web.health.views import bp

__all__ = ["bp"]
