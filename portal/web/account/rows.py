"""A line of a list of orders, drawn once for as long as it shows the same: most of them never change any more."""

import functools

from flask import get_template_attribute, request
from markupsafe import Markup

from portal.payments.history import OrderLine
from portal.web.account.views import bp

_MOST = 4096


@bp.app_template_global()
def order_row(line: OrderLine, locale: str) -> Markup:
    """Draw an order's line in a table."""
    return _drawn(line, line.state, locale, request.root_path)


# Whatever a line shows is in its key: the addresses in it begin with the root path.
@functools.lru_cache(maxsize=_MOST)
def _drawn(line: OrderLine, state: str, locale: str, _root_path: str) -> Markup:
    drawn: Markup = get_template_attribute("account/_order_row.html", "order_row")(line, state, locale)
    return drawn
