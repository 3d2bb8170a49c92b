"""The blueprint of the admin: deny by default, and what every page of it is given."""

from typing import Any

from flask import Blueprint, current_app, request

from portal.learners.addresses import masked
from portal.staff.permissions import Permission, may
from portal.staff.second_factor import is_fresh
from portal.switchboard.models import SwitchName
from portal.web.admin.navigation import entries_for
from portal.web.auth import current_session, reader
from portal.web.staff import CODE_FIELD, Forbidden
from portal.web.tools import tools

bp = Blueprint("admin", __name__, url_prefix="/admin")


@bp.before_request
def refuse_unmarked_views() -> None:
    """Refuse a view that does not say who may use it (`staff_may`): whoever forgot it shall notice."""
    view = current_app.view_functions.get(request.endpoint or "")
    if not hasattr(view, "permission"):
        raise Forbidden


@bp.context_processor
def navigation() -> dict[str, Any]:
    """Give the pages of the admin their navigation, and what stands above each of them."""
    return {
        "navigation": entries_for(reader()),
        "is_one_person_shop": tools().settings.APPROVAL_ONE_PERSON_SHOP,
        "hold_since": tools().board.since(SwitchName.HOLD),
        "hold_reason": tools().board.text(SwitchName.HOLD, "en"),
    }


@bp.app_template_global("may")
def reader_may(name: str) -> bool:
    """Tell a template whether its reader has the permission called `name`."""
    person = reader()
    return person is not None and may(person, Permission(name))


@bp.app_template_filter("person")
def person(email: str | None) -> str:
    """Write an e-mail address as its reader may see it: in full, or masked; what is none (`system`) as it is."""
    if not email or "@" not in email:
        return email or ""
    asking = reader()
    return email if asking is not None and may(asking, Permission.SEE_PERSONS) else masked(email)


@bp.app_template_global("needs_code")
def needs_code() -> bool:
    """Tell a template whether a form that asks for a fresh code needs a field for it."""
    session = current_session()
    return session is None or not is_fresh(session)


@bp.app_template_global("code_field_name")
def code_field_name() -> str:
    """Return the name of that field."""
    return CODE_FIELD
