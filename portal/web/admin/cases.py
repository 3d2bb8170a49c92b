"""`/admin/cases`: the work list of what a person has to look at, and each case with all that was said about it."""

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from portal.audit.services import SYSTEM
from portal.cases import queries, services
from portal.cases.models import Case, CaseAct, CaseKind, CaseStatus
from portal.gateways.base import BillKind
from portal.kit import keyset
from portal.kit.errors import Invalid
from portal.learners.queries import emails_of
from portal.orders.services import public_id_of
from portal.refunds.queries import GivingBack, possible_for
from portal.staff.permissions import Permission
from portal.web.admin.case_words import ACTS, KINDS, advice_of, evidence_of, said
from portal.web.admin.door import bp, person
from portal.web.admin.forms import is_readable, tidied
from portal.web.staff import required_staff, staff_may

_PAGE = 50
_ALL = "all"
_MINE = "mine"
_MONEY_TO_GO_BACK = (
    CaseKind.DUPLICATE,
    CaseKind.LATE_UNWANTED,
    CaseKind.BILL_AMOUNT,
    CaseKind.BILL_STATE,
)


class CaseTextForm(FlaskForm):
    """What is said about a case."""

    text = TextAreaField(
        _l("Text"),
        [InputRequired(_l("Write something.")), Length(1, services.LONGEST_TEXT), is_readable],
        filters=[tidied],
        render_kw={"rows": 3, "maxlength": str(services.LONGEST_TEXT)},
    )


@bp.get("/cases")
@staff_may(Permission.SEE_CASES)
def cases() -> str:
    """List cases, newest first, narrowed by state, kind and owner."""
    wanted, listing = _wanted()
    found = list(queries.cases_page(wanted, _PAGE + 1))
    page, has_more = found[:_PAGE], len(found) > _PAGE
    cursor = keyset.cursor_of(keyset.Place(page[-1].created_at, page[-1].id), listing) if has_more else None
    return render_template(
        "admin/cases/list.html",
        cases=page,
        cursor=cursor,
        is_first=wanted.before is None,
        filters={name: value for name, value in request.args.items() if name in {"state", "kind", "owner"}},
        emails=emails_of([case.owner for case in page]),
        kinds=KINDS,
        kind_choices=list(KINDS.items()),
    )


def _wanted() -> tuple[queries.CaseFilter, tuple[object, ...]]:
    """Read the filters, and the place where the page begins.

    Raises:
        Invalid: a filter that there is not, or a place in another list.
    """
    state, kind = request.args.get("state", CaseStatus.OPEN.value), request.args.get("kind", "")
    owner = request.args.get("owner", "")
    listing = ("cases", state, kind, owner, required_staff().public_id if owner else "")
    cursor = request.args.get("cursor")
    try:
        status = None if state == _ALL else CaseStatus(state)
        of_kind = CaseKind(kind) if kind else None
    except ValueError:
        raise Invalid from None
    if owner not in {"", _MINE}:
        raise Invalid
    wanted = queries.CaseFilter(
        status=status,
        kind=of_kind,
        owner=actor() if owner else None,
        before=keyset.place_of(cursor, listing).id if cursor else None,
    )
    return wanted, listing


def actor() -> str:
    """Return who of the staff is acting, as audit and cases name them."""
    return f"staff:{required_staff().public_id}"


@bp.get("/cases/<int:case_id>")
@staff_may(Permission.SEE_CASES)
def case(case_id: int) -> str:
    """Show a case."""
    return _page(services.case_of(case_id))


def _page(case: Case, comment: CaseTextForm | None = None, close: CaseTextForm | None = None) -> str:
    events = queries.events_of(case.id)
    emails = emails_of([case.owner, *(event.actor for event in events)])
    history = [
        {
            "at": event.at,
            "title": ACTS[CaseAct(event.act)],
            "detail": said(event.text) if event.actor == SYSTEM else event.text,
            "by": person(emails.get(event.actor, event.actor)),
            "kind": "good" if event.act == "closed" else "",
        }
        for event in events
    ]
    return render_template(
        "admin/cases/case.html",
        case=case,
        name=KINDS[CaseKind(case.kind)].name,
        advice=advice_of(case),
        evidence=list(evidence_of(case)),
        history=[{"at": case.created_at, "title": _("Case opened"), "kind": "warn"}, *history],
        owner=emails.get(case.owner, case.owner),
        refund=_refund(case),
        order_number=public_id_of(case.order_id) if case.order_id else None,
        comment=comment or CaseTextForm(formdata=None, prefix="comment"),
        close=close or CaseTextForm(formdata=None, prefix="close"),
        form=comment or close,
    )


def _refund(case: Case) -> GivingBack | None:
    """Return the payment that the case is about, when its money may have to go back and can."""
    if CaseKind(case.kind) not in _MONEY_TO_GO_BACK or case.payment_id is None or not case.is_open:
        return None
    found = possible_for([case.payment_id]).get(case.payment_id)
    # Another transaction under the same number is not what the page of refunds would give back.
    about = case.evidence.get("transaction_id") or case.evidence.get("number")
    is_it = found is not None and found.transaction_id == about
    return found if is_it and case.evidence.get("about") != BillKind.REVOCATION else None


def _back(case_id: int) -> ResponseReturnValue:
    return redirect(url_for(".case", case_id=case_id), 303)


@bp.post("/cases/<int:case_id>/take")
@staff_may(Permission.CLOSE_CASES)
def take_case(case_id: int) -> ResponseReturnValue:
    """Make the reader the owner of a case."""
    services.take_case(case_id, actor())
    flash(_("The case is yours."), "success")
    return _back(case_id)


@bp.post("/cases/<int:case_id>/comment")
@staff_may(Permission.SEE_CASES)
def comment_case(case_id: int) -> ResponseReturnValue:
    """Add a comment."""
    form = CaseTextForm(prefix="comment")
    if not form.validate():
        return _again(case_id, comment=form)
    services.comment_case(case_id, form.text.data or "", actor())
    flash(_("The comment is kept."), "success")
    return _back(case_id)


@bp.post("/cases/<int:case_id>/close")
@staff_may(Permission.CLOSE_CASES)
def close_case(case_id: int) -> ResponseReturnValue:
    """Close a case with a reason."""
    form = CaseTextForm(prefix="close")
    if not form.validate():
        return _again(case_id, close=form)
    if services.close_case(case_id, form.text.data or "", actor()):
        flash(_("The case is closed."), "success")
    else:
        flash(_("The case had been closed already."), "warning")
    return _back(case_id)


def _again(case_id: int, **forms: CaseTextForm) -> Response:
    return make_response(_page(services.case_of(case_id), **forms), 422)
