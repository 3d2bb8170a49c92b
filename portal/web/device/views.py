"""`/device`: connect an editor.

The page of a grant has an address of its own, which the browser that typed the code can open until the
learner has decided, and afterwards only who decided. So a link sent by somebody else never shows the button
"allow": the code has to be typed, or at least confirmed, here.
"""

import re
from contextlib import suppress

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.devices import grants, user_codes
from portal.devices.models import DeviceGrant, GrantState
from portal.devices.queries import grant_by_public_id
from portal.kit.errors import NotFound
from portal.learners.models import Learner
from portal.learners.throttle import TooManyTries
from portal.web.auth import current_learner, login_required, required_learner, required_reader
from portal.web.csrf import FormExpired
from portal.web.device.forms import CodeForm
from portal.web.errors import answer
from portal.web.limits import limiter, was_mistyped

bp = Blueprint("device", __name__, url_prefix="/device")

_ID = re.compile(r"[0-9a-z]{20}", re.ASCII)
_TYPED = "device_codes"
_TYPED_KEPT = 3


def _page(form: CodeForm, status: int = 200) -> Response:
    return make_response(render_template("device/enter.html", form=form), status)


def _intent() -> str:
    """Return this page with what was typed, for after signing in."""
    return url_for(".enter", user_code=request.form.get("user_code", "")[:32] or None)


@bp.errorhandler(FormExpired)
def form_expired(error: FormExpired) -> ResponseReturnValue:
    """Show the form for the code again, with what was typed and a fresh token; nothing was decided."""
    if request.endpoint != "device.find":
        return answer(error.status, error.code)
    form = CodeForm()
    form.form_errors = [_("This form had been open for too long. Nothing was sent; please send it again.")]
    return _page(form, error.status)


@bp.get("")
@login_required
def enter() -> ResponseReturnValue:
    """Ask for the code; one in the address is filled in and still has to be confirmed."""
    return _page(CodeForm(formdata=None, user_code=request.args.get("user_code", "")[:32]))


@bp.post("")
@limiter.limit("30 per 15 minutes", deduct_when=was_mistyped)
def find() -> ResponseReturnValue:
    """Find the editor that shows the code, and go on to what it asks for."""
    learner = current_learner()
    if learner is None:
        return redirect(url_for("sign_in.login", next=_intent()), 303)
    form = CodeForm()
    if not form.validate():
        return _page(form, 422)
    try:
        grant = grants.grant_with_user_code(form.user_code.data, learner)
    except grants.CodeNotGood as error:
        form.user_code.errors = [_code_text(error)]
        return _page(form, error.status)
    except TooManyTries as error:
        form.user_code.errors = [_locked_text(error.retry_after)]
        response = _page(form, error.status)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    _remember(grant, form.user_code.data)
    return redirect(url_for(".show", grant_id=grant.public_id), 303)


def _code_text(error: grants.CodeNotGood) -> str:
    if isinstance(error, grants.UsedCode):
        return _("This code has been used. Start signing in again in your editor; it shows a new one.")
    return _("No editor shows this code. Compare it with your editor, letter by letter.")


def _locked_text(seconds: int) -> str:
    return ngettext(
        "Too many tries. You can enter a code again in %(num)s minute.",
        "Too many tries. You can enter a code again in %(num)s minutes.",
        -(-seconds // 60),
    )


def _remember(grant: DeviceGrant, entry: str) -> None:
    """Keep in this browser's session which codes were typed; the database has their hashes only."""
    code = user_codes.normalised(entry) or ""
    kept = {**session.get(_TYPED, {}), grant.public_id: user_codes.shown(code)}
    session[_TYPED] = dict(list(kept.items())[-_TYPED_KEPT:])


def _grant(grant_id: str, learner: Learner) -> DeviceGrant:
    """Return a grant that the learner may see.

    Raises:
        NotFound: there is none, its code was not typed here, or somebody else decided it.
    """
    grant = grant_by_public_id(grant_id) if _ID.fullmatch(grant_id) else None
    if grant is None:
        raise NotFound
    was_typed = grant_id in session.get(_TYPED, {})
    is_own = grant.learner_id == learner.id
    if not is_own and not (was_typed and grant.learner_id is None):
        raise NotFound
    return grant


def _state(grant: DeviceGrant) -> str:
    """Return which page a grant has: an editor that was allowed is connected, or is about to be."""
    if grant.state == GrantState.DENIED:
        return "denied"
    if grant.state == GrantState.USED:
        return "done"
    if grant.is_expired:
        return "expired"
    return "done" if grant.state == GrantState.APPROVED else "confirm"


@bp.get("/<grant_id>")
@login_required
def show(grant_id: str) -> ResponseReturnValue:
    """Show what asks for what; afterwards, how it ended."""
    grant = _grant(grant_id, required_learner())
    code = session.get(_TYPED, {}).get(grant_id)
    return render_template(f"device/{_state(grant)}.html", grant=grant, code=code)


@bp.post("/<grant_id>/allow")
@login_required
def allow(grant_id: str) -> ResponseReturnValue:
    """Connect the editor."""
    learner = required_learner()
    grant = _grant(grant_id, learner)
    with suppress(grants.GrantOver):  # its page says how it ended
        grants.approve(grant, required_reader())
    return redirect(url_for(".show", grant_id=grant_id), 303)


@bp.post("/<grant_id>/deny")
@login_required
def deny(grant_id: str) -> ResponseReturnValue:
    """Refuse the editor."""
    learner = required_learner()
    grant = _grant(grant_id, learner)
    with suppress(grants.GrantOver):  # its page says how it ended
        grants.deny(grant, learner)
    return redirect(url_for(".show", grant_id=grant_id), 303)
