"""A complaint as the books have it, and as WeChat Pay tells it (consumer complaints 2.0).

Field and operation names are WeChat Pay's own, misspelt ones included.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .clock import rfc3339

REPLY_SECONDS = 24 * 3600
"""The first reply is due within a day of the complaint."""
COMPLETE_SECONDS = 72 * 3600
"""And the end within three."""
PROBLEM_TYPES = ("REFUND", "SERVICE_NOT_WORK", "OTHERS")


@dataclass(frozen=True)
class Complaint:
    """A row of the books. `state`: PENDING, PROCESSING, PROCESSED."""

    complaint_id: str
    mchid: str
    out_trade_no: str
    transaction_id: str
    amount: int
    openid: str
    phone: str
    detail: str
    problem_type: str
    apply_refund_amount: int | None
    images: str
    state: str
    times: int
    """How often the user complained."""
    is_waiting: int
    """Whether the user said something that the merchant has not answered yet."""
    is_approved: int
    """Whether the merchant has agreed to a refund."""
    created_at: float

    @property
    def reply_by(self) -> float:
        return self.created_at + REPLY_SECONDS

    @property
    def complete_by(self) -> float:
        return self.created_at + COMPLETE_SECONDS


@dataclass(frozen=True)
class Entry:
    """One step in the history of a complaint."""

    id: int
    complaint_id: str
    operator: str
    at: float
    type: str
    details: str
    images: str


def complaint_of(
    complaint: Complaint, phone: str, base_url: str, *, full_refunded: bool, detail: bool
) -> dict[str, Any]:
    """The complaint in the list and, with `payer_openid`, alone.

    Args:
        phone: the payer's number, encrypted for the merchant.
        base_url: where pictures are fetched.
    """
    told: dict[str, Any] = {
        "complaint_id": complaint.complaint_id,
        "complaint_time": rfc3339(complaint.created_at),
        "complaint_detail": complaint.detail,
        "complaint_state": complaint.state,
        "complainted_mchid": complaint.mchid,
        "payer_phone": phone,
        "complaint_order_info": [
            {
                "transaction_id": complaint.transaction_id,
                "out_trade_no": complaint.out_trade_no,
                "amount": complaint.amount,
            }
        ],
        "complaint_full_refunded": full_refunded,
        "incoming_user_response": bool(complaint.is_waiting),
        "problem_description": PROBLEMS[complaint.problem_type],
        "user_complaint_times": complaint.times,
        "problem_type": complaint.problem_type,
        "user_tag_list": ["TRUSTED"],
        "in_platform_service": False,
        "need_immediate_service": False,
        "is_agent_mode": False,
    }
    if complaint.apply_refund_amount is not None:
        told["apply_refund_amount"] = complaint.apply_refund_amount
    if media := json.loads(complaint.images):
        addresses = addresses_of(media, base_url)
        told["complaint_media_list"] = [{"media_type": "USER_COMPLAINT_IMAGE", "media_url": addresses}]
    return told | {"payer_openid": complaint.openid} if detail else told


PROBLEMS = {"REFUND": "申请退款", "SERVICE_NOT_WORK": "服务权益未生效", "OTHERS": "其他类型"}


def entry_of(entry: Entry, base_url: str) -> dict[str, Any]:
    """A step of the history; its media list is an object here and an array in the complaint."""
    told: dict[str, Any] = {
        "log_id": f"{entry.id:028d}",
        "operator": entry.operator,
        "operate_time": rfc3339(entry.at),
        "operate_type": entry.type,
        "operate_details": entry.details,
    }
    if media := json.loads(entry.images):
        addresses = addresses_of(media, base_url)
        kind = "USER_COMPLAINT_IMAGE" if entry.type.startswith("USER") else "OPERATION_IMAGE"
        told |= {
            "image_list": addresses,
            "complaint_media_list": {"media_type": kind, "media_url": addresses},
        }
    return told


def addresses_of(media_ids: list[str], base_url: str) -> list[str]:
    """Where pictures are fetched with a signed GET."""
    return [f"{base_url}/v3/merchant-service/images/{media_id}" for media_id in media_ids]
