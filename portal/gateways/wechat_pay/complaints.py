"""Complaints v2 of WeChat Pay as a `ComplaintDesk` (merchant/4012467215 and those beside it)."""

import binascii
import io
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from unicodedata import category
from urllib.parse import quote, urlsplit

from wechatpayv3.type import RequestType

from portal.config import OFFICIAL_GATEWAYS
from portal.gateways.base import GatewayRejected, GatewayUnknown
from portal.gateways.complaints import (
    LARGEST_PICTURE,
    Complaint,
    ComplaintEntry,
    ComplaintState,
    PhoneUnreadable,
    Picture,
    ProblemType,
    picture_of,
)
from portal.gateways.wechat_pay import codes
from portal.gateways.wechat_pay.answers import error_in, object_in
from portal.gateways.wechat_pay.client import SafeCore
from portal.gateways.wechat_pay.notifications import COMPLAINT_ID, GATEWAY, UnexpectedShape, moment_of
from portal.gateways.wechat_pay.transport import Answer
from portal.kit.db import forbid_open_transaction

log = logging.getLogger(__name__)

_BASE = "/v3/merchant-service"
_IMAGES = f"{_BASE}/images/"
_MEDIA_ID = re.compile(r"[0-9A-Za-z_.~=-]{1,512}", re.ASCII)
_NUMBER = re.compile(r"[\x21-\x7e]{1,64}")
_SEALED = re.compile(r"[0-9A-Za-z+/=]{1,1024}", re.ASCII)
_PER_PAGE, _STEPS_PER_PAGE, _MOST_PAGES = 50, 100, 100
_LONGEST_TEXT, _LONGEST_WORD = 4000, 64


class WeChatPayComplaints:
    """The complaints against one merchant."""

    def __init__(self, core: SafeCore, mchid: str, origin: str) -> None:
        self._core, self._mchid = core, mchid
        self._origins = {origin, *OFFICIAL_GATEWAYS}

    def listed(self, first: date, last: date) -> Iterator[Complaint]:
        """Go through the complaints of some days, newest first; both days count."""
        offset = 0
        for _ in range(_MOST_PAGES):
            query = f"?limit={_PER_PAGE}&offset={offset}&begin_date={first.isoformat()}&end_date={last.isoformat()}"
            data, total = self._page(f"{_BASE}/complaints-v2{query}")
            yield from (self._read(fields) for fields in data)
            offset += len(data)
            if not data or offset >= total:
                return
        raise GatewayUnknown("more complaints than can be")

    def complaint(self, complaint_id: str) -> Complaint:
        """Ask for one complaint."""
        complaint = self._read(object_in(self._get(_target(complaint_id))))
        if complaint.complaint_id != complaint_id:
            raise GatewayUnknown("an answer about another complaint")
        return complaint

    def history(self, complaint_id: str) -> list[ComplaintEntry]:
        """Ask for every step, and put them in order: WeChat does not promise one."""
        entries: list[ComplaintEntry] = []
        for _ in range(_MOST_PAGES):
            query = f"?limit={_STEPS_PER_PAGE}&offset={len(entries)}"
            data, total = self._page(_target(complaint_id, "/negotiation-historys") + query)
            entries += [self._entry(fields) for fields in data]
            if not data or len(entries) >= total:
                return sorted(entries, key=lambda entry: (entry.at, entry.log_id))
        raise GatewayUnknown("a history longer than can be")

    def reply(self, complaint_id: str, text: str, media_ids: Sequence[str] = ()) -> None:
        """Reply to the payer."""
        pictures = {"response_images": list(media_ids)} if media_ids else {}
        self._post(
            complaint_id, "/response", complainted_mchid=self._mchid, response_content=text, **pictures
        )

    def upload(self, picture: Picture) -> str:
        """Upload a picture for a reply."""
        filename = f"picture.{picture.extension}"
        answer = self._core.upload(f"{_IMAGES}upload", filename, picture.content, picture.media_type)
        if answer.status != 200:
            _refuse(answer)
        media_id = object_in(answer).get("media_id")
        if not isinstance(media_id, str) or not _MEDIA_ID.fullmatch(media_id):
            raise GatewayUnknown("unexpected answer: media_id")
        return media_id

    def complete(self, complaint_id: str) -> None:
        """Say that it is done."""
        self._post(complaint_id, "/complete", complainted_mchid=self._mchid)

    def approve_refund(self, complaint_id: str, days: int) -> None:
        """Promise a refund."""
        self._post(complaint_id, "/update-refund-progress", action="APPROVE", launch_refund_day=days)

    def reject_refund(self, complaint_id: str, reason: str) -> None:
        """Refuse a refund."""
        self._post(complaint_id, "/update-refund-progress", action="REJECT", reject_reason=reason)

    def picture(self, media_id: str) -> Picture:
        """Fetch a picture. It comes unsigned, and from our own gateway, whatever address the complaint names."""
        if not _MEDIA_ID.fullmatch(media_id):
            raise ValueError("not an id of a picture")
        forbid_open_transaction()
        file = io.BytesIO()
        self._core.download(_IMAGES + media_id, file, LARGEST_PICTURE)
        picture = picture_of(file.getvalue())
        if picture is None:
            raise GatewayRejected("not a picture")
        return picture

    def open_phone(self, sealed_phone: str) -> str:
        """Decrypt a phone number with the key of our certificate (merchant/4013053257).

        Raises:
            PhoneUnreadable: it does not open it.
        """
        try:
            phone: str = self._core.decrypt(sealed_phone)
        except (ValueError, binascii.Error):
            raise PhoneUnreadable from None
        return _clean(phone, _LONGEST_WORD)

    def notify_url(self) -> str | None:
        """Ask where complaints are told of."""
        answer = self._call(f"{_BASE}/complaint-notifications")
        if answer.status == 404:
            return None
        if answer.status != 200:
            _refuse(answer)
        url = object_in(answer).get("url")
        return url if isinstance(url, str) and url else None

    def set_notify_url(self, url: str, *, is_first: bool) -> None:
        """Say where; WeChat wants POST for the first address and PUT for another."""
        method = RequestType.POST if is_first else RequestType.PUT
        answer = self._call(f"{_BASE}/complaint-notifications", method, {"url": url})
        if answer.status != 200:
            _refuse(answer)
        if object_in(answer).get("url") != url:
            raise GatewayUnknown("another address was set")

    def _call(
        self, target: str, method: RequestType = RequestType.GET, fields: Mapping[str, Any] | None = None
    ) -> Answer:
        forbid_open_transaction()
        return self._core.request(target, method, data=fields)

    def _get(self, target: str) -> Answer:
        answer = self._call(target)
        if answer.status != 200:
            _refuse(answer)
        return answer

    def _post(self, complaint_id: str, act: str, **fields: object) -> None:
        answer = self._call(_target(complaint_id, act), RequestType.POST, fields)
        if answer.status != 204:
            _refuse(answer)

    def _page(self, target: str) -> tuple[list[Any], int]:
        fields = object_in(self._get(target))
        data, total = fields.get("data") or [], fields.get("total_count")
        if not isinstance(data, list) or type(total) is not int:
            raise GatewayUnknown("unexpected answer: data")
        return data, total

    def _read(self, fields: object) -> Complaint:
        try:
            return self._complaint(fields)
        except UnexpectedShape as error:
            raise GatewayUnknown(f"unexpected answer: {error}") from None

    def _complaint(self, fields: object) -> Complaint:
        if not isinstance(fields, dict):
            raise UnexpectedShape("complaint")
        if fields.get("complainted_mchid") != self._mchid:
            raise UnexpectedShape("complainted_mchid")
        order = _first(fields.get("complaint_order_info"))
        phone = fields.get("payer_phone")
        return Complaint(
            gateway=GATEWAY,
            mchid=self._mchid,
            complaint_id=_matched(fields, "complaint_id", COMPLAINT_ID),
            complained_at=_moment(fields, "complaint_time"),
            state=_state(fields),
            problem_type=_problem_type(fields.get("problem_type")),
            problem=_clean(fields.get("problem_description"), 200),
            text=_clean(fields.get("complaint_detail"), _LONGEST_TEXT),
            times=_count(fields.get("user_complaint_times")) or 1,
            is_waiting=fields.get("incoming_user_response") is True,
            is_refunded=fields.get("complaint_full_refunded") is True,
            out_trade_no=_number(order.get("out_trade_no")),
            transaction_id=_number(order.get("transaction_id")),
            amount_fen=_count(order.get("amount")),
            wanted_fen=_count(fields.get("apply_refund_amount")),
            sealed_phone=phone if isinstance(phone, str) and _SEALED.fullmatch(phone) else None,
            pictures=self._pictures(fields.get("complaint_media_list")),
        )

    def _entry(self, fields: object) -> ComplaintEntry:
        try:
            if not isinstance(fields, dict):
                raise UnexpectedShape("history")
            return ComplaintEntry(
                log_id=_matched(fields, "log_id", COMPLAINT_ID),
                at=_moment(fields, "operate_time"),
                operator=_clean(fields.get("operator"), _LONGEST_WORD),
                kind=_matched(fields, "operate_type", COMPLAINT_ID),
                text=_clean(fields.get("operate_details"), _LONGEST_TEXT),
                pictures=self._pictures(fields.get("complaint_media_list")),
            )
        except UnexpectedShape as error:
            raise GatewayUnknown(f"unexpected answer: {error}") from None

    def _pictures(self, media: object) -> tuple[str, ...]:
        """Return the ids in a media list: an array in a complaint, an object in its history."""
        groups = [media] if isinstance(media, dict) else media if isinstance(media, list) else []
        urls = [
            url
            for group in groups
            if isinstance(group, dict) and isinstance(group.get("media_url"), list)
            for url in group["media_url"]
        ]
        return tuple(media_id for url in urls if (media_id := self._media_id(url)))

    def _media_id(self, url: object) -> str | None:
        """Return the id in a picture's address; one that leads elsewhere has none and is never fetched."""
        try:
            parts = urlsplit(url) if isinstance(url, str) else None
        except ValueError:
            parts = None
        if parts is not None and f"{parts.scheme}://{parts.netloc}" in self._origins:
            media_id = parts.path.removeprefix(_IMAGES)
            if parts.path.startswith(_IMAGES) and _MEDIA_ID.fullmatch(media_id):
                return media_id
        log.warning("a picture of a complaint is elsewhere", extra={"gateway": GATEWAY, "security": True})
        return None


def _target(complaint_id: str, act: str = "") -> str:
    if not COMPLAINT_ID.fullmatch(complaint_id):
        raise ValueError("not an id of a complaint")
    return f"{_BASE}/complaints-v2/{quote(complaint_id, safe='')}{act}"


def _refuse(answer: Answer) -> None:
    codes.raise_for(
        "complaint", answer.status, error_in(answer).get("code"), answer.headers.get("Retry-After")
    )


def _clean(text: object, longest: int) -> str:
    """Keep of a stranger's text what can be seen, and blanks: no controls, nothing that turns its direction around."""
    if not isinstance(text, str):
        return ""
    kept = (letter for letter in text if letter == "\n" or letter.isprintable() or category(letter) == "Zs")
    return "".join(kept)[:longest]


def _matched(fields: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise UnexpectedShape(name)
    return value


def _moment(fields: Mapping[str, Any], name: str) -> datetime:
    moment = moment_of(fields.get(name))
    if moment is None:
        raise UnexpectedShape(name)
    return moment


def _state(fields: Mapping[str, Any]) -> ComplaintState:
    try:
        return ComplaintState(str(fields.get("complaint_state")).lower())
    except ValueError:
        raise UnexpectedShape("complaint_state") from None


def _problem_type(value: object) -> ProblemType:
    """Return what it is about; a word that WeChat adds later is one of the others."""
    try:
        return ProblemType(str(value).lower())
    except ValueError:
        return ProblemType.OTHERS


def _number(value: object) -> str | None:
    return value if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 53 else None


def _first(orders: object) -> Mapping[str, Any]:
    first = orders[0] if isinstance(orders, list) and orders else {}
    return first if isinstance(first, dict) else {}
