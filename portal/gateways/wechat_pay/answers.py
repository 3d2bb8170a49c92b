"""Read the body of an answer."""

import json
from typing import Any

from portal.gateways.base import GatewayUnknown
from portal.gateways.wechat_pay.transport import Answer
from portal.kit import strict_json


def object_in(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of a verified answer.

    Raises:
        GatewayUnknown: it is none.
    """
    try:
        fields = strict_json.loads(answer.body)
    except strict_json.BadJson:
        raise GatewayUnknown("the answer is not JSON") from None
    if not isinstance(fields, dict):
        raise GatewayUnknown("the answer is not an object")
    return fields


def error_in(answer: Answer) -> dict[str, Any]:
    """Return the fields of an error, none for what is no JSON object. It is not signed."""
    try:
        fields = json.loads(answer.body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
