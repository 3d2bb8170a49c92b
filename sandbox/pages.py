"""What the pages for people share: the language, and the way to the other one."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request, url_for

YEAR_SECONDS = 365 * 86400


def choose_language() -> None:
    """From the address, or from the last choice."""
    chosen = request.args.get("lang") or request.cookies.get("sandbox_lang")
    g.language = "en" if chosen == "en" else "zh"


def remember_language(response: Response) -> Response:
    """A language given in the address stays until another is."""
    if request.args.get("lang") in ("zh", "en"):
        response.set_cookie("sandbox_lang", g.language, YEAR_SECONDS, samesite="Lax")
    return response


def other_language_address(home: str, kept: tuple[str, ...] = ()) -> str:
    """This page in the other language; after a POST, the page `home`.

    Args:
        kept: the query parameters that belong to the page.
    """
    values: dict[str, Any] = {}
    if request.method == "GET":
        values = {name: request.args[name] for name in kept if name in request.args}
        values |= request.view_args or {}
    endpoint = request.endpoint if request.method == "GET" else None
    return url_for(endpoint or home, **values | {"lang": "zh" if g.language == "en" else "en"})
