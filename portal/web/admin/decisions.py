"""What the page of something to be approved says when it cannot be decided now."""

from collections.abc import Callable

from flask import flash
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.approvals.services import ChangedSinceAsked, OwnRequest
from portal.kit.errors import PortalError
from portal.switchboard.hold import OnHold


def not_decided(
    error: PortalError, page: Callable[[str, int], ResponseReturnValue], number: str, own: str | None = None
) -> ResponseReturnValue:
    """Draw the page again as it is now, and say why nothing was decided.

    Args:
        error: what the room raised; anything but the two of approvals and a hold means that somebody was faster.
        page: draws the page of `number` with a status.
        own: what is said to whoever asked for it themselves, where it is not the usual.
    """
    match error:
        case OwnRequest():
            flash(own or own_request_text(), "error")
        case ChangedSinceAsked():
            flash(_("This is not what you were shown. Look again before you decide."), "error")
        case OnHold():
            flash_on_hold()
        case _:
            flash(_("This was decided meanwhile."), "warning")
    return page(number, error.status)


def own_request_text() -> str:
    """Say that somebody else has to ask for this, or to approve it."""
    return _("Another person has to do this: you asked for it, or it is for yourself.")


def flash_on_hold() -> None:
    """Say that no refund is asked for or approved before the hold is released."""
    flash(_("The portal is on hold: no refund is asked for or approved until it is released."), "error")
