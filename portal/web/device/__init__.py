"""The door at which a learner connects an editor: type its code, look at what asks, allow or refuse it."""

from portal.web.device.views import bp

__all__ = ["bp"]
