"""How large a request's body may be: a little everywhere, more where a view takes files."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Flask, current_app, request

View = TypeVar("View", bound=Callable[..., Any])


def takes_up_to(size: int) -> Callable[[View], View]:
    """Let a view take bodies of up to `size` bytes."""

    def mark(view: View) -> View:
        cast(Any, view).largest_body = size
        return view

    return mark


def init_body_size(app: Flask) -> None:
    """Before anybody reads a form, allow what its view takes."""

    @app.before_request
    def allow() -> None:
        view = current_app.view_functions.get(request.endpoint or "")
        size = getattr(view, "largest_body", None)
        if size is not None:
            request.max_content_length = size
