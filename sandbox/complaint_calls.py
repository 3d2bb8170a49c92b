"""Routes of `/v3/merchant-service`: complaints, their history, replies, pictures, where to notify."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flask import Blueprint

from . import errors
from .call import Call
from .complaint import Complaint, complaint_of, entry_of
from .complaint_fields import COMPLETE, check_progress, check_response, check_url
from .fields import missing
from .gateway import File, operation
from .images import check_meta, parts_of
from .keys import Merchant
from .sensitive import encrypted
from .world import World

LONGEST_SPAN_DAYS = 30
bp = Blueprint("complaints", __name__, url_prefix="/v3/merchant-service")


@bp.get("/complaints-v2", provide_automatic_options=False)
@operation("complaint_list")
def complaints(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Complaints of some days, newest first."""
    _check_query(call, ("limit", "offset", "begin_date", "end_date", "complainted_mchid"))
    if call.query.get("complainted_mchid", merchant.mchid) != merchant.mchid:
        raise errors.no_auth("没有权限查询该商户的投诉单")
    begin, end = _day(call, "begin_date"), _day(call, "end_date")
    if not 0 <= (end - begin).days <= LONGEST_SPAN_DAYS:
        raise errors.param_error("查询日期跨度不能超过30天", "end_date", "query", call.query["end_date"])
    found = world.complaints.made_on(merchant.mchid, begin, end)
    limit, offset = _number(call, "limit", 10, 1, 50), _number(call, "offset", 0, 0, 10**9)
    told = [_told(world, merchant, call, one, detail=False) for one in found[offset : offset + limit]]
    return {"data": told, "limit": limit, "offset": offset, "total_count": len(found)}


@bp.get("/complaints-v2/<complaint_id>", provide_automatic_options=False)
@operation("complaint")
def complaint(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """One complaint."""
    _check_query(call, ())
    return _told(world, merchant, call, _found(world, merchant, call), detail=True)


@bp.get("/complaints-v2/<complaint_id>/negotiation-historys", provide_automatic_options=False)
@operation("complaint_history")
def history(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """What was said and done about a complaint, newest first."""
    _check_query(call, ("limit", "offset"))
    limit, offset = _number(call, "limit", 100, 1, 300), _number(call, "offset", 0, 0, 10**9)
    found = world.complaints.history(_found(world, merchant, call))
    data = [entry_of(entry, call.base_url) for entry in found[offset : offset + limit]]
    return {"data": data, "limit": limit, "offset": offset, "total_count": len(found)}


@bp.post("/complaints-v2/<complaint_id>/response", provide_automatic_options=False)
@operation("complaint_response")
def respond(world: World, merchant: Merchant, call: Call) -> None:
    """Reply to the user."""
    fields = call.json_object()
    check_response(fields)
    _check_mchid(merchant, fields)
    images = fields.get("response_images", [])
    world.images.check(merchant.mchid, images, "/response_images")
    world.complaints.respond(_found(world, merchant, call), fields["response_content"], images)


@bp.post("/complaints-v2/<complaint_id>/complete", provide_automatic_options=False)
@operation("complaint_complete")
def complete(world: World, merchant: Merchant, call: Call) -> None:
    """Say that it is done."""
    fields = call.json_object()
    COMPLETE.check(fields, "")
    _check_mchid(merchant, fields)
    world.complaints.complete(_found(world, merchant, call))


@bp.post("/complaints-v2/<complaint_id>/update-refund-progress", provide_automatic_options=False)
@operation("complaint_refund")
def update_refund_progress(world: World, merchant: Merchant, call: Call) -> None:
    """Agree to a refund, which the merchant must make itself, or refuse it."""
    fields = call.json_object()
    check_progress(fields)
    found = _found(world, merchant, call)
    if fields["action"] == "APPROVE":
        world.complaints.approve_refund(found, fields["launch_refund_day"], fields.get("remark", ""))
        return
    images = fields.get("reject_media_list", [])
    world.images.check(merchant.mchid, images, "/reject_media_list")
    world.complaints.reject_refund(found, fields["reject_reason"], images)


@bp.post("/images/upload", provide_automatic_options=False)
@operation("image_upload")
def upload(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Upload a picture; the signature is over its `meta`."""
    parts = parts_of(call.body)
    check_meta(parts)
    return {"media_id": world.images.keep(merchant.mchid, parts.file)}


@bp.get("/images/<media_id>", provide_automatic_options=False)
@operation("image")
def image(world: World, merchant: Merchant, call: Call) -> File:
    """Fetch a picture, unsigned."""
    return File(*world.images.fetch(merchant.mchid, call.path_values["media_id"]))


@bp.post("/complaint-notifications", provide_automatic_options=False)
@operation("complaint_url")
def create_url(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Say for the first time where to notify."""
    url = _url(call)
    if world.complaints.url(merchant.mchid) is not None:
        raise errors.ApiError(400, "RESOURCE_ALREADY_EXISTS", "投诉通知回调地址已存在")
    return _set_url(world, merchant, url)


@bp.put("/complaint-notifications", provide_automatic_options=False)
@operation("complaint_url")
def change_url(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Say where else to notify."""
    url = _url(call)
    _known_url(world, merchant)
    return _set_url(world, merchant, url)


@bp.get("/complaint-notifications", provide_automatic_options=False)
@operation("complaint_url")
def show_url(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Where notifications go."""
    return {"mchid": merchant.mchid, "url": _known_url(world, merchant)}


@bp.delete("/complaint-notifications", provide_automatic_options=False)
@operation("complaint_url")
def delete_url(world: World, merchant: Merchant, call: Call) -> None:
    """Notify nobody any more."""
    _known_url(world, merchant)
    world.complaints.set_url(merchant.mchid, None)


def _url(call: Call) -> str:
    fields = call.json_object()
    check_url(fields)
    url: str = fields["url"]
    return url


def _known_url(world: World, merchant: Merchant) -> str:
    url = world.complaints.url(merchant.mchid)
    if url is None:
        raise errors.resource_not_exists("投诉通知回调地址不存在")
    return url


def _set_url(world: World, merchant: Merchant, url: str) -> dict[str, Any]:
    world.complaints.set_url(merchant.mchid, url)
    return {"mchid": merchant.mchid, "url": url}


def _found(world: World, merchant: Merchant, call: Call) -> Complaint:
    found = world.complaints.find(merchant.mchid, call.path_values["complaint_id"])
    if found is None:
        raise errors.invalid_request("投诉单不存在")
    return found


def _told(world: World, merchant: Merchant, call: Call, one: Complaint, *, detail: bool) -> dict[str, Any]:
    phone = encrypted(merchant, one.phone)
    is_full = world.complaints.is_full_refunded(one)
    return complaint_of(one, phone, call.base_url, full_refunded=is_full, detail=detail)


def _check_mchid(merchant: Merchant, fields: dict[str, Any]) -> None:
    if fields["complainted_mchid"] != merchant.mchid:
        raise errors.mchid_mismatch("/complainted_mchid", "body", fields["complainted_mchid"])


def _check_query(call: Call, names: tuple[str, ...]) -> None:
    if unknown := [f"/query/{name}" for name in call.query if name not in names]:
        raise errors.unknown_fields(unknown)


def _day(call: Call, name: str) -> date:
    text = call.query.get(name, "")
    if not text:
        raise errors.param_error(missing(f"/query/{name}", name), name, "query", "")
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise errors.param_error("日期格式错误，应为yyyy-MM-DD", name, "query", text)


def _number(call: Call, name: str, usual: int, least: int, most: int) -> int:
    text = call.query.get(name, str(usual))
    if not (text.isascii() and text.isdecimal()) or not least <= int(text[:10]) <= most:
        raise errors.param_error(f"取值范围为{least}到{most}", name, "query", text)
    return int(text)
