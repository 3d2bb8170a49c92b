"""The addresses of the course provider that the extension's present client calls (CONTRACT 6)."""

from portal.web.provider.views import bp

__all__ = ["bp"]
