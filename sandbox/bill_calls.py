"""Routes of `/v3/bill` and `/v3/billdownload`: apply for a trade bill, fetch the file."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flask import Blueprint

from . import errors
from .bill_faults import answer_with, file_with
from .bill_lines import COLUMNS
from .call import Call
from .fields import missing
from .gateway import File, operation
from .keys import Merchant
from .world import World

bp = Blueprint("bills", __name__, url_prefix="/v3")
_PARAMETERS = ("bill_date", "bill_type", "tar_type")


@bp.get("/bill/tradebill", provide_automatic_options=False)
@operation("bill")
def tradebill(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Apply for the trade bill of a day; answers where it can be fetched."""
    if unknown := [f"/query/{name}" for name in call.query if name not in _PARAMETERS]:
        raise errors.unknown_fields(unknown)
    day = _day(call)
    bill_type = _choice(call, "bill_type", tuple(COLUMNS), "ALL")
    is_gzip = _choice(call, "tar_type", ("", "GZIP"), "") == "GZIP"
    made = world.bills.make(merchant, day, bill_type, call.faults, is_gzip=is_gzip)
    address = f"{call.base_url}/v3/billdownload/file?token={made.token}"
    body = {
        "hash_type": "SHA1",
        "hash_value": made.sha1,
        "download_url": address + "&tartype=gzip" if is_gzip else address,
    }
    return answer_with(call.faults, body)


@bp.get("/billdownload/file", provide_automatic_options=False)
@operation("billdownload")
def download(world: World, merchant: Merchant, call: Call) -> File:
    """The file itself, unsigned."""
    token = call.query.get("token", "")
    if not token:
        raise errors.param_error(missing("/query/token", "token"), "token", "query", "")
    return File(file_with(call.faults, world.bills.fetch(merchant, token)), "application/octet-stream")


def _day(call: Call) -> date:
    text = call.query.get("bill_date", "")
    if not text:
        raise errors.param_error(missing("/query/bill_date", "账单日期"), "bill_date", "query", "")
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise errors.param_error("账单日期格式错误，应为yyyy-MM-DD", "bill_date", "query", text)


def _choice(call: Call, name: str, choices: tuple[str, ...], usual: str) -> str:
    value = call.query.get(name, usual)
    if value not in choices or (name in call.query and not value):
        raise errors.param_error("枚举值不在取值范围内", name, "query", value)
    return value
