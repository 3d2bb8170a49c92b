"""Which language a page is in, and the switch in its header.

The account's language wins, then the cookie of the switch, then the browser's wish; the rest is Chinese. A
program of the API says what it wants with each request, and has no cookie: its wish wins, then the account.
"""

import functools
from urllib.parse import unquote

import babel
from flask import Blueprint, Flask, Response, current_app, redirect, request
from flask_babel import Babel
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response as BaseResponse

from portal.kit.errors import BadRequest
from portal.learners.models import Locale
from portal.learners.services import change_locale
from portal.web import problems
from portal.web.auth import current_learner, reader
from portal.web.bearer import locale_of_holder
from portal.web.filters import language

bp = Blueprint("language", __name__)

COOKIE = "lang"
ANY_PAGE = "/courses"
_A_YEAR = 365 * 24 * 3600
# Asking Werkzeug for `zh_Hans_CN` would make Chrome's `zh-CN,zh;q=0.9,en;q=0.8` English.
_WISHES = {"zh-CN": Locale.ZH, "zh": Locale.ZH, "en": Locale.EN}
_HTML_LANG = {Locale.ZH.value: "zh-Hans-CN", Locale.EN.value: "en"}


@bp.post("/language")
def switch() -> BaseResponse:
    """Change the language, for good when somebody is signed in, and stay on the page."""
    try:
        locale = Locale(request.form.get("locale", ""))
    except ValueError:
        raise BadRequest from None
    learner = current_learner()
    if learner is not None:
        change_locale(learner, locale)
    page = request.form.get("next", "")
    response = redirect(page if _is_our_page(page) else ANY_PAGE, 303)
    response.set_cookie(
        COOKIE, locale.value, max_age=_A_YEAR, secure=request.is_secure, httponly=True, samesite="Lax"
    )
    return response


# Read once: a request has one of two.
_parsed = functools.cache(babel.Locale.parse)


def select_locale() -> babel.Locale:
    """Return the language for this request."""
    if problems.are_wanted():
        wish = _wished_by(request.headers.get("Accept-Language", ""))
        return _parsed(wish.value if wish else locale_of_holder() or Locale.ZH.value)
    return _parsed((_locale_of_account() or _locale_of_cookie() or _locale_of_browser()).value)


def _locale_of_account() -> Locale | None:
    try:
        known = reader()
    except SQLAlchemyError:
        # The page that says so must show without the database.
        return None
    return Locale(known.locale) if known is not None else None


def _locale_of_cookie() -> Locale | None:
    kept = request.cookies.get(COOKIE)
    return Locale(kept) if kept in _HTML_LANG else None


def _locale_of_browser() -> Locale:
    return _wished_by(request.headers.get("Accept-Language", "")) or Locale.ZH


# Browsers of one kind and country all send the same.
@functools.lru_cache(maxsize=256)
def _wished_by(header: str) -> Locale | None:
    wish = parse_accept_header(header, LanguageAccept).best_match(list(_WISHES))
    return _WISHES[wish] if wish else None


def html_lang() -> str:
    """Return the `lang` of the page."""
    return _HTML_LANG[language()]


def this_page() -> str:
    """Return where to come back to: this page, or the courses when it is only the answer to a form."""
    if request.method == "GET":
        return request.full_path.removesuffix("?")
    return request.path if _is_our_page(request.path) else ANY_PAGE


def _is_our_page(address: str) -> bool:
    """Tell whether `address` is a page that can be read here, the ones for signing in among them."""
    if (
        not address.startswith("/")
        or address.startswith("//")
        or "\\" in address
        or not address.isprintable()
    ):
        return False
    router = current_app.create_url_adapter(request)
    return router is not None and router.test(unquote(address.partition("?")[0]), "GET")


def _vary(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.vary.update(("Accept-Language", "Cookie"))
    return response


def init_language(app: Flask) -> Babel:
    """Let `app` speak Chinese and English."""
    translations = Babel(app, default_locale=Locale.ZH.value, locale_selector=select_locale)
    app.add_template_global(html_lang)
    app.add_template_global(this_page)
    app.after_request(_vary)
    return translations
