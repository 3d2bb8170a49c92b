"""`/admin/licenses`: find a license, see what it stands on, reissue, extend or revoke it."""

from collections.abc import Mapping
from typing import Any

from flask import flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.approvals.services import OwnRequest
from portal.audit import services as audit
from portal.catalogue.queries import courses_on_sale
from portal.grants.services import ask_extension
from portal.kit.db import transaction
from portal.kit.keyset import Place, cursor_of, place_of
from portal.learners.queries import learner_with
from portal.learners.sessions import actor
from portal.licenses import desk
from portal.licenses.key_ring import NoSigningKey
from portal.licenses.models import LicenseStatus
from portal.orders.services import public_id_of
from portal.payments.queries import mail_job_of
from portal.payments.rights import NotActive, NotRevocable, replace_license, revoke_license
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission
from portal.web.admin import asked
from portal.web.admin.addresses import known_id
from portal.web.admin.decisions import own_request_text
from portal.web.admin.door import bp
from portal.web.admin.forms import DaysForm, LicenseActForm
from portal.web.staff import required_staff, staff_may, step_up
from portal.web.tools import tools


def _courses() -> frozenset[str] | None:
    return courses_within(required_staff(), Permission.SEE_LICENSES)


def _wanted(given: Mapping[str, str]) -> desk.Wanted | None:
    """Return what the filters ask for; None: it can match nothing.

    Raises:
        BadFilter: a status that there is not, or a course that cannot be.
    """
    text = given.get("q", "").strip()
    status, course_id = asked.one_of(given, "status", LicenseStatus), asked.course(given, None)
    learner_id, license_id = None, None
    if "@" in text:
        learner = learner_with(text)
        if learner is None:
            return None
        learner_id = learner.id
    elif text:
        license_id = known_id(text.lower())
    return desk.Wanted(
        license_id=license_id,
        learner_id=learner_id,
        status=status,
        course_id=course_id,
        courses=_courses(),
    )


@bp.get("/licenses")
@staff_may(Permission.SEE_LICENSES)
def licenses() -> str:
    """List licenses, newest first, by number, address, state and course."""
    filters = dict(asked.asked(("q", "status", "course", "cursor")))
    cursor = filters.pop("cursor", None)
    listing = ("licenses", *sorted(filters.items()))
    after = place_of(cursor, listing) if cursor else None
    wanted = _wanted(filters)
    rows = desk.found_licenses(wanted, after) if wanted else []
    shown = rows[: desk.PAGE]
    next_cursor = None
    if len(rows) > desk.PAGE:
        last = shown[-1].License
        next_cursor = cursor_of(Place(last.issued_at, last.entitlement_id), listing)
    return render_template(
        "admin/licenses/list.html",
        rows=shown,
        filters=filters,
        next_cursor=next_cursor,
        is_first=after is None,
        statuses=list(LicenseStatus),
        courses=courses_on_sale(),
    )


def _page(license_id: str, status: int = 200, **forms: Any) -> ResponseReturnValue:
    row = desk.found_license(known_id(license_id), _courses())
    facts = {
        "license": row.License,
        "learner": row.Learner,
        "product": row.Product,
        "right": row.Entitlement,
        "order_number": public_id_of(row.Entitlement.order_id) if row.Entitlement.order_id else None,
        "revisions": desk.revisions_of(row.Entitlement.id),
        "mailing": mail_job_of(row.License.id),
        "reissue_form": LicenseActForm(formdata=None, prefix="reissue-"),
        "extend_form": DaysForm(formdata=None, prefix="extend-"),
        "revoke_form": LicenseActForm(formdata=None, prefix="revoke-"),
        **forms,
    }
    wrong = next((form for form in forms.values() if form.errors), None)
    return make_response(render_template("admin/licenses/show.html", form=wrong, **facts), status)


@bp.get("/licenses/<license_id>")
@staff_may(Permission.SEE_LICENSES)
def license_(license_id: str) -> ResponseReturnValue:
    """Show a license, without its text."""
    return _page(license_id)


@bp.get("/licenses/<license_id>/text")
@staff_may(Permission.CHANGE_LICENSES)
@step_up
def license_text(license_id: str) -> str:
    """Show the text of a license, on record who saw it."""
    row = desk.found_license(known_id(license_id), _courses())
    with transaction():
        audit.record("license.text_seen", f"license:{row.License.id}", actor(required_staff()))
    return render_template("admin/licenses/text.html", license=row.License, product=row.Product)


def _back(license_id: str) -> ResponseReturnValue:
    return redirect(url_for(".license_", license_id=license_id), 303)


@bp.post("/licenses/<license_id>/reissue")
@staff_may(Permission.CHANGE_LICENSES)
@step_up
def reissue_license(license_id: str) -> ResponseReturnValue:
    """Give the owner a new text in the place of this one."""
    form = LicenseActForm(prefix="reissue-")
    if not form.validate():
        return _page(license_id, 422, reissue_form=form)
    try:
        new_id = replace_license(known_id(license_id), form.reason.data, actor(required_staff()), tools())
    except NotActive:
        flash(_("This license has ended or was replaced meanwhile; nothing was changed."), "warning")
        return _back(license_id)
    except NoSigningKey:
        flash(_("No key can sign at the moment; nothing was changed."), "error")
        return _back(license_id)
    flash(_("The new license is on its way by e-mail. The old text is no longer good."), "success")
    return _back(new_id)


@bp.post("/licenses/<license_id>/extend")
@staff_may(Permission.CHANGE_LICENSES)
@step_up
def extend_license(license_id: str) -> ResponseReturnValue:
    """Ask that a license last longer; above a limit another person has to agree."""
    form = DaysForm(prefix="extend-")
    if not form.validate():
        return _page(license_id, 422, extend_form=form)
    days = form.days.data
    assert days is not None
    try:
        grant_id = ask_extension(required_staff(), known_id(license_id), days, form.reason.data, tools())
    except OwnRequest as error:
        form.days.errors = [own_request_text()]
        return _page(license_id, error.status, extend_form=form)
    except NotActive:
        flash(_("This license has ended or was replaced meanwhile; nothing was changed."), "warning")
        return _back(license_id)
    except NoSigningKey:
        flash(_("No key can sign at the moment; nothing was changed."), "error")
        return _back(license_id)
    return redirect(url_for(".grant", grant_id=grant_id), 303)


@bp.post("/licenses/<license_id>/revoke")
@staff_may(Permission.CHANGE_LICENSES)
@step_up
def revoke(license_id: str) -> ResponseReturnValue:
    """Take a license and the right behind it away, for good."""
    form = LicenseActForm(prefix="revoke-")
    if not form.validate():
        return _page(license_id, 422, revoke_form=form)
    try:
        was_good = revoke_license(known_id(license_id), form.reason.data, actor(required_staff()))
    except NotRevocable:
        flash(_("This license was replaced by another; revoke that one."), "warning")
        return _back(license_id)
    if was_good:
        flash(_("The license is revoked, here, in the API and in the signed list."), "success")
    else:
        flash(_("The license had been revoked already."), "warning")
    return _back(license_id)
