"""`/admin/disputes`: payers' complaints at the gateway, by when they are due, and what is answered."""

from typing import Any

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug.datastructures import FileStorage
from wtforms import BooleanField, HiddenField, IntegerField, MultipleFileField, TextAreaField
from wtforms.validators import InputRequired, NumberRange, Regexp, ValidationError

from portal.disputes import acts, queries
from portal.disputes.act_pictures import BadPicture, check_pictures
from portal.disputes.models import ActKind, Dispute
from portal.gateways.base import GatewayError
from portal.gateways.complaints import LARGEST_PICTURE, MOST_PICTURES, ComplaintState
from portal.kit import ids, keyset
from portal.kit.errors import Invalid, NotFound, Unavailable
from portal.learners.queries import emails_of
from portal.orders.services import public_id_of
from portal.staff.permissions import Permission
from portal.web.admin import dispute_words as words
from portal.web.admin.cases import actor
from portal.web.admin.door import bp
from portal.web.body_size import takes_up_to
from portal.web.staff import staff_may, step_up
from portal.web.tools import tools

_PAGE = 50
_LARGEST_REPLY = MOST_PICTURES * LARGEST_PICTURE + (64 << 10)
_OPEN = (ComplaintState.PENDING, ComplaintState.PROCESSING)


def _is_sendable(_form: Any, field: Any) -> None:
    try:
        acts.checked_text(field.data or "")
    except acts.BadReply:
        raise ValidationError(str(_l("Use 1 to 200 characters."))) from None


def _content(upload: FileStorage) -> bytes:
    content = upload.read()
    upload.seek(0)
    return content


def _are_sendable(form: Any, _field: Any) -> None:
    try:
        check_pictures(form.contents)
    except BadPicture:
        raise ValidationError(
            str(_l("Choose at most 4 pictures: PNG, JPEG or BMP, each of at most 2 MB."))
        ) from None


class _ActForm(FlaskForm):
    """An act; the token makes a form sent twice one act."""

    form_token = HiddenField(
        default=ids.new_public_id,
        validators=[InputRequired(), Regexp(r"^[0-9a-z]{20}$", message=_l("Open the form anew."))],
    )


class ReplyForm(_ActForm):
    """What the payer is told."""

    text = TextAreaField(
        _l("Text of the reply"),
        [InputRequired(_l("Write something.")), _is_sendable],
        render_kw={"rows": 4, "maxlength": str(acts.LONGEST_TEXT)},
    )

    pictures = MultipleFileField(
        _l("Pictures"), [_are_sendable], render_kw={"accept": "image/png,image/jpeg,image/bmp"}
    )

    @property
    def contents(self) -> list[bytes]:
        """Return what was chosen; a browser sends one nameless file where nothing was."""
        return [_content(upload) for upload in self.pictures.data or [] if getattr(upload, "filename", "")]


class CompleteForm(_ActForm):
    """That it is done, looked at twice."""

    is_solved = BooleanField(
        _l("The problem is really solved"), [InputRequired(_l("Confirm that the problem is solved."))]
    )


class PromiseForm(_ActForm):
    """In how many working days a refund is made."""

    days = IntegerField(
        _l("Working days until the refund is made"),
        [
            InputRequired(_l("Give 0 to 10 working days.")),
            NumberRange(0, acts.MOST_DAYS, _l("Give 0 to 10 working days.")),
        ],
    )


class RefusalForm(_ActForm):
    """Why there is no refund."""

    text = TextAreaField(
        _l("Why it is refused"),
        [InputRequired(_l("Write something.")), _is_sendable],
        render_kw={"rows": 3, "maxlength": str(acts.LONGEST_TEXT)},
    )


_FORMS: dict[ActKind, type[_ActForm]] = {
    ActKind.REPLY: ReplyForm,
    ActKind.COMPLETE: CompleteForm,
    ActKind.APPROVE_REFUND: PromiseForm,
    ActKind.REJECT_REFUND: RefusalForm,
}


@bp.get("/disputes")
@staff_may(Permission.ANSWER_DISPUTES)
def disputes() -> str:
    """List disputes, newest first, the open ones unless asked otherwise."""
    state, cursor = request.args.get("state", "open"), request.args.get("cursor")
    listing = ("disputes", state)
    try:
        states = {"open": _OPEN, "all": ()}.get(state) or (() if state == "all" else (ComplaintState(state),))
    except ValueError:
        raise Invalid("state") from None
    after = keyset.place_of(cursor, listing) if cursor else None
    found = queries.disputes_page(queries.DisputeFilter(states, after), _PAGE + 1)
    page = found[:_PAGE]
    last = page[-1] if len(found) > _PAGE else None
    return render_template(
        "admin/disputes/list.html",
        disputes=page,
        cursor=keyset.cursor_of(keyset.Place(last.complained_at, last.id), listing) if last else None,
        is_first=after is None,
        state=state,
        filters={"state": state} if "state" in request.args else {},
        words=words,
    )


@bp.get("/disputes/<int:dispute_id>")
@staff_may(Permission.ANSWER_DISPUTES)
def dispute(dispute_id: int) -> str:
    """Show a dispute."""
    return _page(queries.dispute_of(dispute_id))


def _page(dispute: Dispute, kind: ActKind | None = None, wrong: _ActForm | None = None) -> str:
    done = queries.acts_of(dispute.id)
    forms: dict[ActKind, _ActForm] = {
        possible: form(formdata=None, prefix=possible.value)
        for possible, form in _FORMS.items()
        if acts.may_do(dispute, possible)
    }
    if kind is not None and wrong is not None:
        forms[kind] = wrong
    history = [
        {"at": entry.at, "title": words.STEPS.get(entry.kind, entry.kind), "detail": entry.text}
        for entry in queries.entries_of(dispute.id)
    ]
    return render_template(
        "admin/disputes/show.html",
        dispute=dispute,
        words=words,
        order_id=public_id_of(dispute.order_id) if dispute.order_id else None,
        history=history,
        acts=done,
        act_pictures=queries.act_picture_counts(dispute.id),
        emails=emails_of([act.actor for act in done]),
        picture_count=queries.picture_count(dispute.id),
        forms=forms,
        form=wrong,
    )


@bp.post("/disputes/<int:dispute_id>/reply")
@takes_up_to(_LARGEST_REPLY)
@staff_may(Permission.ANSWER_DISPUTES)
def reply_dispute(dispute_id: int) -> ResponseReturnValue:
    """Reply to the payer."""
    return _act(dispute_id, ActKind.REPLY)


@bp.post("/disputes/<int:dispute_id>/complete")
@staff_may(Permission.ANSWER_DISPUTES)
def complete_dispute(dispute_id: int) -> ResponseReturnValue:
    """Say that it is done."""
    return _act(dispute_id, ActKind.COMPLETE)


@bp.post("/disputes/<int:dispute_id>/approve_refund")
@staff_may(Permission.ANSWER_DISPUTES)
@step_up
def promise_dispute_refund(dispute_id: int) -> ResponseReturnValue:
    """Promise a refund."""
    return _act(dispute_id, ActKind.APPROVE_REFUND)


@bp.post("/disputes/<int:dispute_id>/reject_refund")
@staff_may(Permission.ANSWER_DISPUTES)
@step_up
def refuse_dispute_refund(dispute_id: int) -> ResponseReturnValue:
    """Refuse a refund."""
    return _act(dispute_id, ActKind.REJECT_REFUND)


def _act(dispute_id: int, kind: ActKind) -> ResponseReturnValue:
    dispute = queries.dispute_of(dispute_id)
    form = _FORMS[kind](prefix=kind.value)
    if not form.validate():
        return _again(dispute, 422, kind, form)
    text = form.text.data if isinstance(form, ReplyForm | RefusalForm) else ""
    days = form.days.data if isinstance(form, PromiseForm) else None
    pictures = form.contents if isinstance(form, ReplyForm) else []
    try:
        acts.ask_act(dispute_id, kind, actor(), form.form_token.data, text or "", days, pictures)
    except acts.NotNow:
        flash(_("The dispute does not allow this now, or somebody is doing it already."), "warning")
        return _again(dispute, 409)
    flash(_("It is written down and being sent."), "success")
    return redirect(url_for(".dispute", dispute_id=dispute_id), 303)


def _again(
    dispute: Dispute, status: int, kind: ActKind | None = None, form: _ActForm | None = None
) -> Response:
    return make_response(_page(dispute, kind, form), status)


@bp.get("/disputes/<int:dispute_id>/phone")
@staff_may(Permission.ANSWER_DISPUTES)
@step_up
def dispute_phone(dispute_id: int) -> ResponseReturnValue:
    """Show the payer's phone number, on record who saw it."""
    try:
        phone = queries.phone_of(dispute_id, actor(), tools())
    except queries.NoPhone:
        flash(_("There is no phone number that can be read."), "warning")
        return redirect(url_for(".dispute", dispute_id=dispute_id), 303)
    return render_template("admin/disputes/phone.html", dispute_id=dispute_id, phone=phone)


@bp.get("/disputes/<int:dispute_id>/pictures/<int:number>")
@staff_may(Permission.ANSWER_DISPUTES)
def dispute_picture(dispute_id: int, number: int) -> Response:
    """Show a picture of a stranger: fetched for the reader, typed by its first bytes, kept nowhere."""
    try:
        picture = queries.picture_of(dispute_id, number, tools())
    except NotFound:
        raise
    except GatewayError:
        raise Unavailable(_("The picture is not to be had at the moment.")) from None
    response = make_response(picture.content)
    response.headers["Content-Type"] = picture.media_type
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
