"""What an ordered fault does to a request: before or after it is processed, and instead of its answer."""

from __future__ import annotations

import json
import time

from flask import Response

from .call import Call
from .cashier import PaymentRefused
from .envelope import new_request_id
from .faults import Fault
from .world import World

LONGEST_HANG_SECONDS = 120
HTML = (
    "<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>{status} Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


def misbehave(faults: list[Fault], call: Call, world: World) -> Response | None:
    """Let faults strike; returns the answer that one of them puts in the place of the real one."""
    for fault in faults:
        arguments = fault.arguments
        if fault.kind == "delay":
            time.sleep(arguments.get("seconds", 1))
        elif fault.kind == "drip":
            call.line.drip(arguments.get("seconds", 1))
        elif fault.kind == "pay_first":
            _pay(call, world)
        elif (answer := _instead(fault, call)) is not None:
            return answer
    return None


def _instead(fault: Fault, call: Call) -> Response | None:
    arguments = fault.arguments
    if fault.kind == "hang":
        call.line.wait_until_left(min(arguments.get("seconds", LONGEST_HANG_SECONDS), LONGEST_HANG_SECONDS))
        return _dropped(call)
    if fault.kind in ("drop", "accept_then_drop"):
        return _dropped(call)
    if fault.kind == "5xx":
        status = arguments.get("status", 500)
        code = "SYSTEM_ERROR" if status == 500 else "SERVICE_UNAVAILABLE"
        return _unsigned(status, code, "系统繁忙，请稍后重试")
    if fault.kind == "429":
        return _unsigned(429, arguments.get("code", "FREQUENCY_LIMITED"), "频率限制")
    if fault.kind == "html":
        status = arguments.get("status", 502)
        return Response(HTML.format(status=status), status, mimetype="text/html")
    if fault.kind == "error":
        return _unsigned(arguments["status"], arguments["code"], arguments.get("message", arguments["code"]))
    return None


def _dropped(call: Call) -> Response:
    call.line.drop()
    return Response(status=499)


def _unsigned(status: int, code: str, message: str) -> Response:
    text = json.dumps({"code": code, "message": message}, ensure_ascii=False)
    answer = Response(text, status, content_type="application/json; charset=utf-8")
    answer.headers["Request-ID"] = new_request_id(268447840 if status == 429 else 268435464)
    return answer


def _pay(call: Call, world: World) -> None:
    """Let a payment that is under way win against this request."""
    number = call.named().get("out_trade_no")
    code = None if number is None else world.orders.newest_code(world.keys.merchant.mchid, number)
    if code is not None:
        try:
            world.cashier.pay(code.code_url, "oSandboxInFlight")
        except PaymentRefused:
            return
