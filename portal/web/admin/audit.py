"""`/admin/audit`: who did what to money, licenses, roles, keys and settings; nothing here can be changed."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Response, flash, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.audit import services as audit
from portal.audit.queries import (
    AuditFilter,
    audit_lines,
    audit_page,
    cells_of,
    is_longer_than,
    latest_head,
    unsealed_count,
)
from portal.desk.audit_export import LARGE, begin_export
from portal.kit.csv_text import MEDIA_TYPE, csv_stream
from portal.kit.db import transaction
from portal.kit.errors import Invalid
from portal.learners.sessions import actor
from portal.licenses.audit_heads import chain_state
from portal.staff.permissions import Permission, Scope
from portal.staff.second_factor import staff_actor
from portal.web.admin import asked
from portal.web.admin.door import bp
from portal.web.limits import limiter
from portal.web.staff import required_staff, scope, staff_may, step_up
from portal.web.tools import tools

_FILTERS = ("actor", "action", "subject", "day")
# Machine words only: what is compared with identifiers of the database.
_WORD = re.compile(r"[0-9A-Za-z_.:@-]{0,96}", re.ASCII)


def _word(given: Mapping[str, str], name: str) -> str:
    text = given.get(name, "").strip()
    if not _WORD.fullmatch(text):
        raise Invalid(name)
    return text


def _wanted(given: Mapping[str, str]) -> AuditFilter:
    """Return which rows are asked for; some may see their own acts only."""
    reader = required_staff()
    is_limited = scope(Permission.SEE_AUDIT) is Scope.OWN_ACTS
    own = (staff_actor(reader), actor(reader)) if is_limited else None
    return AuditFilter(
        _word(given, "actor"), _word(given, "action"), _word(given, "subject"), asked.day(given, "day"), own
    )


def _own_key() -> str:
    return f"export:{required_staff().id}"


@bp.get("/audit")
@staff_may(Permission.SEE_AUDIT)
def audit_rows() -> str:
    """List what was done, newest first."""
    given = dict(asked.asked((*_FILTERS, "cursor")))
    cursor = given.pop("cursor", None)
    wanted = _wanted(given)
    return render_template(
        "admin/audit/list.html",
        page=audit_page(wanted, cursor),
        given=given,
        is_first=cursor is None,
        is_limited=wanted.only_actors is not None,
        head=latest_head(),
        unsealed=unsealed_count(),
    )


@bp.post("/audit/verify")
@staff_may(Permission.EXPORT)
@limiter.limit("10 per hour", key_func=_own_key)
def verify_audit() -> str:
    """Walk the chain now, and say what was found."""
    return render_template("admin/audit/verified.html", state=chain_state(tools().key_ring))


def _header() -> list[str]:
    header = [_("Number"), _("When (Beijing time)"), _("Who"), _("What"), _("About"), _("Before"), _("After")]
    return [*header, _("Reason"), _("More"), _("Network address"), _("Session"), _("Hash")]


@bp.get("/audit.csv")
@staff_may(Permission.EXPORT)
@step_up
@limiter.limit("5 per hour", key_func=_own_key)
def export_audit() -> ResponseReturnValue:
    """Send the rows as CSV, oldest first; for a long list there is the worker."""
    given: dict[str, Any] = dict(asked.asked(_FILTERS))
    wanted, reader = _wanted(given), required_staff()
    if is_longer_than(wanted, LARGE):
        flash(_("These are more rows than are sent at once. Let the worker write them."), "warning")
        return redirect(url_for(".audit_rows", **given), 303)
    with transaction():
        audit.record(
            "audit.exported", "audit", staff_actor(reader), filter=request.query_string.decode()[:500]
        )
    body = stream_with_context(csv_stream(_header(), map(cells_of, audit_lines(wanted))))
    response = Response(body, content_type=MEDIA_TYPE)
    response.headers["Content-Disposition"] = "attachment; filename=audit.csv"
    return response


@bp.post("/audit/export")
@staff_may(Permission.EXPORT)
@step_up
@limiter.limit("5 per hour", key_func=_own_key)
def export_audit_later() -> ResponseReturnValue:
    """Let the worker write the rows that are there now, and go to the page that shows how far it is."""
    wanted = _wanted(asked.asked(_FILTERS))
    return redirect(url_for(".job", job_id=begin_export(required_staff(), wanted, _header())), 303)
