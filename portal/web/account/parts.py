"""Parts of the account's pages that are drawn once: its tabs, and the lines of orders, most of which never change."""

from collections.abc import Iterable

from flask import request
from markupsafe import Markup

from portal.payments.history import OrderLine
from portal.web.account.views import bp
from portal.web.frame import drawn_once


@bp.app_template_global()
def account_tabs() -> Markup:
    """Draw the tabs of the account; the one of this page is marked."""
    return drawn_once("account/_tabs.html", "tabs", [(request.endpoint,)])[0]


@bp.app_template_global()
def order_rows(lines: Iterable[OrderLine], locale: str) -> Markup:
    """Draw the lines of a table of orders."""
    shown = ((line, line.state, locale) for line in lines)
    # Each is marked as safe, and is not looked at again.
    return Markup("\n".join(drawn_once("account/_order_row.html", "order_row", shown)))  # noqa: S704
