"""Who is asking at the API: the holder of a bearer token (RFC 6750), and nobody else.

Only the `Authorization` header counts. Cookies are not read there, and a token in the address is refused
even when it is good: addresses end up in logs and histories.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

from flask import g, request

from portal.devices.models import Scope
from portal.devices.queries import TokenHolder, holder_of
from portal.kit.errors import PortalError
from portal.learners.models import Learner

_TOKEN = re.compile(r"Bearer ([A-Za-z0-9._~+/-]{16,512}=*)", re.ASCII | re.IGNORECASE)
_NAMES_IN_ADDRESS = ("access_token", "token", "bearer_token", "authorization")


class BadToken(PortalError):
    """No token, or one that is no good (any more); `facts["error"]` is RFC 6750's word for it."""

    status = 401
    code = "unauthenticated"


class InsufficientScope(PortalError):
    """The learner did not allow the editor to do this; `facts["scope"]` is what it lacks."""

    status = 403
    code = "insufficient_scope"


def token_holder() -> TokenHolder | None:
    """Return whom the request acts for, or None when it carries no token. One statement per request.

    Raises:
        BadToken: it carries one that is no good, or carries it in the address.
    """
    if "token_holder" not in g:
        g.token_holder = _read_holder()
    found: TokenHolder | None = g.token_holder
    return found


def _read_holder() -> TokenHolder | None:
    if any(name in request.args for name in _NAMES_IN_ADDRESS):
        raise BadToken(error="invalid_request")
    given = request.headers.getlist("Authorization")
    if not given:
        return None
    match = _TOKEN.fullmatch(given[0]) if len(given) == 1 else None
    holder = holder_of(match[1]) if match else None
    if holder is None:
        raise BadToken(error="invalid_token")
    return holder


def learner_of_token() -> Learner:
    """Return the learner whom the request acts for, for a view behind `needs`."""
    holder = token_holder()
    if holder is None:
        raise BadToken
    return holder.learner


def needs(scope: Scope | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Open a view to holders of a token only, one that allows `scope` when there is one."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            holder = token_holder()
            if holder is None:
                raise BadToken
            if scope is not None and scope not in holder.scopes:
                raise InsufficientScope(scope=scope.value)
            return view(*args, **kwargs)

        return guarded

    return decorate


def locale_of_holder() -> str | None:
    """Return the language of the account behind the request's token, if one was read and is good."""
    holder: TokenHolder | None = g.get("token_holder")
    return holder.learner.locale if holder is not None else None
