"""What stands around every page, and parts of pages that are drawn once for as long as they show the same."""

import functools
from collections.abc import Hashable, Iterable

from flask import Flask, get_template_attribute, request
from markupsafe import Markup, escape

from portal.web.auth import reader
from portal.web.csrf import form_token
from portal.web.filters import language
from portal.web.language import this_page

# Of half a kilobyte each; headers and tabs are a few dozen of them, lines of orders the rest.
_MOST = 4096
# They stand in a drawn header for what is another's in the next request.
_TOKEN, _PAGE = "token-of-the-form", "address-of-the-page"


def drawn_once(template: str, macro: str, each: Iterable[tuple[Hashable, ...]]) -> list[Markup]:
    """Return what a macro draws for `each` of its arguments, in the language of the request.

    Nothing else may be in what it draws, but texts and addresses: it is drawn for the first who sees it.
    """
    spoken, root = language(), request.root_path
    return [_drawn(template, macro, shown, spoken, root) for shown in each]


# The addresses begin with the root path.
@functools.lru_cache(maxsize=_MOST)
def _drawn(template: str, macro: str, shown: tuple[Hashable, ...], _language: str, _root_path: str) -> Markup:
    drawn: Markup = get_template_attribute(template, macro)(*shown)
    return drawn


def site_header() -> Markup:
    """Draw the header of a page: it differs by who is signed in and by the part of the site."""
    known = reader()
    role = known.role if known is not None else None
    (drawn,) = drawn_once("components/_header.html", "header", [(role, request.blueprint, _TOKEN, _PAGE)])
    # The address last: whoever asks has written it.
    return drawn.replace(_TOKEN, form_token()).replace(_PAGE, escape(this_page()))


def init_frame(app: Flask) -> None:
    """Give the templates their header."""
    app.add_template_global(site_header)
