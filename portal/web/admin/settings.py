"""`/admin/settings`: pause the sale, put up a banner, look at keys and settings."""

from datetime import datetime

from flask import flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.kit.errors import NotFound
from portal.learners.sessions import actor
from portal.staff.permissions import Permission
from portal.switchboard.models import OF_STAFF, SwitchName
from portal.switchboard.services import ChangedByAnother, switches, turn
from portal.web.admin.door import bp
from portal.web.admin.forms import SwitchForm
from portal.web.staff import required_staff, staff_may, step_up
from portal.web.tools import tools

# What is shown as it is; whatever is secret is only said to be there.
_SHOWN = (
    "PORTAL_MODE",
    "PORTAL_BASE_URL",
    "WECHATPAY_BASE_URL",
    "WECHATPAY_APPID",
    "WECHATPAY_MCHID",
    "WECHATPAY_CERT_SERIAL_NO",
    "WECHATPAY_PUBLIC_KEY_ID",
    "ORDER_TTL_SECONDS",
    "TRANSFER_TTL_SECONDS",
    "APPROVAL_SINGLE_FEN",
    "APPROVAL_DAY_FEN",
    "APPROVAL_ONE_PERSON_SHOP",
    "SUPPORT_EMAIL",
    "MAIL_FROM",
)


def _page(
    wrong: SwitchName | None = None, form: SwitchForm | None = None, status: int = 200
) -> ResponseReturnValue:
    standing = switches()
    forms = {name: SwitchForm.of(standing.get(name), name) for name in OF_STAFF}
    if wrong is not None and form is not None:
        forms[wrong] = form
    settings = tools().settings
    page = render_template(
        "admin/settings/show.html",
        standing=standing,
        forms=forms,
        form=form,
        keys=[
            (key, _moment(key.not_before), _moment(key.not_after))
            for key in reversed(tools().key_ring.infos())
        ],
        settings=[(name, getattr(settings, name)) for name in _SHOWN],
    )
    return make_response(page, status)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@bp.get("/settings")
@staff_may(Permission.SEE_SETTINGS)
def settings() -> ResponseReturnValue:
    """Show the switches, the key ring and the settings, without any secret."""
    return _page()


@bp.post("/settings/<name>")
@staff_may(Permission.CHANGE_SETTINGS)
@step_up
def turn_switch(name: str) -> ResponseReturnValue:
    """Turn a switch."""
    if name not in OF_STAFF:
        raise NotFound
    switch = SwitchName(name)
    form = SwitchForm(prefix=f"{switch.value}-")
    if not form.validate():
        return _page(switch, form, 422)
    version = int(form.version.data)
    try:
        turn(
            switch,
            form.is_on.data,
            form.text_zh.data or "",
            form.text_en.data or "",
            version,
            actor(required_staff()),
        )
    except ChangedByAnother:
        flash(_("Somebody else turned this switch meanwhile. Look again before you turn it."), "error")
        return _page(status=409)
    tools().board.forget()
    flash(_("Changed. Every page shows it within five seconds."), "success")
    return redirect(url_for(".settings"), 303)
