"""Pay by transfer: place the order, show the receiver's code, take the learner's word that it was made."""

from flask import flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import Optional, Regexp

from portal.pictures.services import picture_of
from portal.transfers.queries import code_of
from portal.transfers.start import begin_transfer
from portal.transfers.tell import AlreadyDecided, tell_transfer
from portal.web.auth import login_required, required_reader
from portal.web.checkout.views import account, begin, bp, facts_of, purchase
from portal.web.limits import limiter
from portal.web.uploads import PictureField, picture_response, takes_picture


class ToldForm(FlaskForm):
    """What the learner says of the transfer."""

    number = StringField(
        _l("Transfer number, or its last digits"),
        [Optional(), Regexp(r"^[0-9A-Za-z -]{4,64}\Z", message=_l("Write 4 to 64 letters and digits."))],
        filters=[lambda text: text and text.strip()],
        render_kw={"autocomplete": "off", "maxlength": "64", "inputmode": "numeric"},
    )
    picture = PictureField(_l("Picture of the transfer"))


@bp.post("/courses/<course_id>/transfer")
@login_required
@limiter.limit("10/minute;60/hour", key_func=account)
def buy_by_transfer(course_id: str) -> ResponseReturnValue:
    """Place an order that is paid by transfer, or return to the one that is open."""
    return begin(course_id, begin_transfer)


@bp.get("/checkout/<order_id>/transfer")
@login_required
def transfer(order_id: str) -> ResponseReturnValue:
    """Ask what the learner can show of the transfer."""
    return _page(order_id, ToldForm(formdata=None))


def _page(order_id: str, form: ToldForm, status: int = 200) -> ResponseReturnValue:
    facts = facts_of(purchase(order_id))
    if facts["checkout"].transfer is None:
        return redirect(url_for("checkout.show", order_id=order_id), 303)
    return make_response(render_template("checkout/transfer.html", **facts, form=form), status)


@bp.post("/checkout/<order_id>/transfer")
@login_required
@limiter.limit("20/hour", key_func=account)
@takes_picture
def tell(order_id: str) -> ResponseReturnValue:
    """*I have transferred*: staff look for it from now on."""
    found = purchase(order_id)
    form = ToldForm()
    if not form.validate():
        return _page(order_id, form, 422)
    try:
        tell_transfer(
            required_reader(), found.order.public_id, form.number.data or None, form.picture.stripped
        )
    except AlreadyDecided:
        flash(_("Somebody has looked meanwhile: this is what came of it."), "warning")
    return redirect(url_for("checkout.show", order_id=order_id), 303)


@bp.get("/checkout/<order_id>/transfer-code")
@login_required
def transfer_code(order_id: str) -> ResponseReturnValue:
    """Show the receiver's own code to the owner of an order that waits for the money."""
    return picture_response(picture_of(code_of(purchase(order_id))))
