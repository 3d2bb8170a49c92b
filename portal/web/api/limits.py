"""How often a program may call (RELIABILITY 4.7): per learner with a token, per address without."""

from typing import Any

from flask import Response, request

from portal.web.api.answers import REPLAYED
from portal.web.bearer import learner_of_token, token_holder
from portal.web.limits import client_network, limiter


def account() -> str:
    """Return the account's key."""
    return f"account:{learner_of_token().id}"


def _session() -> str:
    values: dict[str, Any] = request.view_args or {}
    return f"{account()}:{values.get('session_id')}"


def _token() -> str:
    holder = token_holder()
    return f"token:{holder.family_id}" if holder else "none"


def _has_no_token() -> bool:
    return token_holder() is None


def _made_one(response: Response) -> bool:
    return response.status_code == 201 and REPLAYED not in response.headers


per_account = limiter.limit("300/minute", key_func=account)
per_address = limiter.limit("600/minute", key_func=client_network)
per_session = limiter.limit("60/minute", key_func=_session)
per_token = limiter.limit("60/minute", key_func=_token, exempt_when=_has_no_token)
changes = limiter.limit("60/minute", key_func=account)
# What counts against the ten is an order that was placed: a repeat, or an open one found again, is none.
new_orders = limiter.limit("10/minute;60/hour", key_func=account, deduct_when=_made_one)
