"""The account behind the token."""

from typing import Any

from flask import Response

from portal.learners.models import Locale
from portal.web.api.answers import answer, written
from portal.web.api.limits import per_account
from portal.web.api.resource import Resource
from portal.web.api.v1 import schemas
from portal.web.bearer import learner_of_token, needs

bp = Resource("me", __name__, "/me", "The account behind the token.")
_LANGUAGES = {Locale.ZH.value: "zh-CN", Locale.EN.value: "en"}


@bp.get("")
@needs()
@per_account
@bp.arguments(schemas.Nothing, location="query")
@bp.response(200, schemas.Me)
def me(_query: dict[str, Any]) -> Response:
    """Show the account; any token will do."""
    learner = learner_of_token()
    facts = {
        "id": learner.public_id,
        "email": learner.email,
        "locale": _LANGUAGES[learner.locale],
        "role": learner.role,
    }
    return answer(written(schemas.Me, facts))
