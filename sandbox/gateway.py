"""The way of every API request: log, faults, authorization, the operation, a signed answer.

2xx answers are signed, those without a body too; errors are not (pay.weixin.qq.com/doc/v3/merchant/4013053249
and observation). Headers are those of a real answer.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import wraps
from typing import Any

from flask import Response, request

from . import misbehaviour, spoiling
from .authorization import check_authorization
from .call import Call
from .envelope import new_request_id
from .errors import ApiError
from .keys import Merchant
from .signing import signature_headers
from .world import World, the_world


@dataclass(frozen=True)
class File:
    """An answer that is a file and therefore not signed: a bill, a picture."""

    content: bytes
    content_type: str


Operation = Callable[[World, Merchant, Call], dict[str, Any] | File | None]
JSON = "application/json; charset=utf-8"
View = Callable[..., Response]

log = logging.getLogger("sandbox.api")
_probed: set[bytes] = set()
"""Digests of requests whose last answer was a probe, because their repetition is not probed."""


def operation(route: str, *, needs_user_agent: bool = False) -> Callable[[Operation], View]:
    """Make a view of a function that answers a dict or a File (200) or None (204) or raises ApiError.

    Args:
        route: its name in the log and for faults.
        needs_user_agent: whether `Accept` and `User-Agent` are insisted upon.
    """

    def decorate(operate: Operation) -> View:
        @wraps(operate)
        def view(**path_values: str) -> Response:
            return answer(Call.of(request, route, path_values, needs_user_agent), operate)

        return view

    return decorate


def answer(call: Call, operate: Operation) -> Response:
    """Answer one request, faults included."""
    world, begun = the_world(), time.monotonic()
    out_trade_no = _order_of(call, world)
    faults = world.faults.claim(call.route, out_trade_no) + world.chaos.strikes(call.route)
    call.faults = faults
    number = world.requests_log.arrived(call, out_trade_no, faults)
    early, late = [f for f in faults if not f.is_late], [f for f in faults if f.is_late]
    mchid, response = None, misbehaviour.misbehave(early, call, world)
    if response is None:
        mchid, response = _process(call, operate, world)
        response = misbehaviour.misbehave(late, call, world) or response
    status = None if call.line.is_dropped else response.status_code
    code = response.get_json(silent=True) if response.status_code >= 400 and response.is_json else None
    world.requests_log.answered(number, mchid, status, (code or {}).get("code"), begun)
    log.info("%s %s: %s", call.method, call.target.decode("utf-8", "replace"), status or "dropped")
    response.headers["Date"] = formatdate(world.clock.now(), usegmt=True)
    return response


def _process(call: Call, operate: Operation, world: World) -> tuple[str | None, Response]:
    """Check, operate and sign; also the mchid of who asked, when that is known."""
    merchant = None
    try:
        certificate_state = world.switches["merchant_certificate"]
        merchant = check_authorization(call, world.keys, world.clock.now(), certificate_state)
        body = operate(world, merchant, call)
    except ApiError as error:
        return (merchant.mchid if merchant else None), _error(call, error)
    if isinstance(body, File):
        return merchant.mchid, _with_headers(Response(body.content, 200), 0, body.content_type)
    return merchant.mchid, _signed(call, world, merchant, body)


def _signed(call: Call, world: World, merchant: Merchant, body: dict[str, Any] | None) -> Response:
    faults = call.faults
    text = b"" if body is None else _json(spoiling.content_of(faults, body))
    response = _with_headers(Response(text, 204 if body is None else 200), 0)
    key = world.keyring.for_answer(merchant, call.headers.get("Wechatpay-Serial", ""))
    manner = spoiling.manner_of(faults)
    if manner == "good" and _is_probed(call, world.switches["signtest_rate"]):
        manner = "signtest"
    moment = spoiling.moment_of(faults, world.clock.now())
    response.headers.extend(signature_headers(spoiling.key_of(faults, key), text, moment, manner))
    return response


def _error(call: Call, error: ApiError) -> Response:
    response = _with_headers(Response(_json(error.body()), error.status), error.number)
    # Seen on the real gateway: a 401 of these routes has no Request-ID.
    if error.status == 401 and call.target.startswith(b"/v3/pay/transactions/"):
        del response.headers["Request-ID"]
    return response


def _with_headers(response: Response, number: int, content_type: str = JSON) -> Response:
    response.headers["Content-Type"] = content_type
    response.headers["Cache-Control"] = "no-cache, must-revalidate"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Request-ID"] = new_request_id(number)
    response.headers["Content-Language"] = "zh-CN"
    return response


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _is_probed(call: Call, rate: float) -> bool:
    """Whether this answer is a signature probe: some are, but never to a request repeated after one."""
    if not rate:
        return False
    digest = hashlib.sha256(call.method.encode() + call.target + call.body).digest()
    if digest in _probed:
        _probed.discard(digest)
        return False
    if random.random() < rate:
        _probed.add(digest)
        return True
    return False


_TABLES = (
    ("orders", "transaction_id"),
    ("refunds", "out_refund_no"),
    ("refunds", "refund_id"),
    ("complaints", "complaint_id"),
)


def _order_of(call: Call, world: World) -> str | None:
    """The order a request is about, by whichever number it names."""
    numbers = call.named()
    if "out_trade_no" in numbers:
        return numbers["out_trade_no"]
    for table, column in _TABLES:
        if column in numbers:
            row = world.store.row(f"SELECT out_trade_no FROM {table} WHERE {column} = ?", numbers[column])
            if row is not None:
                return str(row["out_trade_no"])
    return None
