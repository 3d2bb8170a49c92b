"""The portal's equipment, for a door."""

from flask import current_app

from portal.tools import Tools


def tools() -> Tools:
    """Return what `create_app` made for this portal."""
    found: Tools = current_app.extensions["portal_tools"]
    return found
