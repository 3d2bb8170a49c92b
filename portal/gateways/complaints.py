"""Complaints of payers, in the portal's own words, and what a gateway lets a merchant do about them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol


class PhoneUnreadable(Exception):
    """Our key does not open the payer's phone number: it was sealed for another certificate of ours."""


class ComplaintState(StrEnum):
    """How far a complaint is, as the gateway sees it."""

    PENDING = "pending"
    """Not answered yet."""
    PROCESSING = "processing"
    PROCESSED = "processed"
    """Done; the payer may still go on, and it is pending again."""


class ProblemType(StrEnum):
    """What a payer complains about."""

    REFUND = "refund"
    SERVICE_NOT_WORK = "service_not_work"
    OTHERS = "others"


class EntryKind(StrEnum):
    """The steps of a complaint that mean something to us; the gateway has more, kept in its own words."""

    COMPLAINED = "USER_CREATE_COMPLAINT"
    WENT_ON = "USER_CONTINUE_COMPLAINT"
    REPLIED = "MERCHANT_RESPONSE"
    COMPLETED = "MERCHANT_CONFIRM_COMPLETE"
    REFUND_APPROVED = "MERCHANT_APPROVE_REFUND"
    REFUND_REJECTED = "MERCHANT_REFUSE_RERUND"
    """Misspelt by WeChat Pay."""


@dataclass(frozen=True)
class Complaint:
    """A complaint as the gateway tells it. Amounts in fen; texts are a stranger's.

    `sealed_phone` is the payer's number, encrypted for our certificate. `pictures` are the gateway's ids of them.
    """

    gateway: str
    mchid: str
    complaint_id: str
    complained_at: datetime
    state: ComplaintState
    problem_type: ProblemType
    problem: str
    text: str
    times: int
    """How often the payer complained."""
    is_waiting: bool
    """The payer said something that was not answered yet."""
    is_refunded: bool
    out_trade_no: str | None
    transaction_id: str | None
    amount_fen: int | None
    wanted_fen: int | None
    """The refund that the payer asks for."""
    sealed_phone: str | None
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class ComplaintEntry:
    """One step in the history of a complaint. `kind` is the gateway's word, an `EntryKind` or another."""

    log_id: str
    at: datetime
    operator: str
    kind: str
    text: str
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class ComplaintNotice:
    """A genuine message that something happened to a complaint. What it is, is asked for."""

    gateway: str
    complaint_id: str
    action: str


@dataclass(frozen=True)
class Picture:
    """A picture, its type told by its first bytes."""

    content: bytes
    media_type: str

    @property
    def extension(self) -> str:
        """Return the end of a file's name that WeChat takes for this type."""
        return {"image/jpeg": "jpg"}.get(self.media_type, self.media_type.removeprefix("image/"))


LARGEST_PICTURE = 2 << 20
"""In bytes, whoever sends it (merchant-service/images/upload, 2025-09-01)."""
MOST_PICTURES = 4
"""Of one reply (merchant/4012467213)."""
_PICTURE_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"BM": "image/bmp"}


def picture_of(content: bytes) -> Picture | None:
    """Return what bytes are a picture of, None when they are no PNG, JPEG or BMP of at most 2 MiB."""
    media_type = next((kind for start, kind in _PICTURE_TYPES.items() if content.startswith(start)), None)
    if media_type is None or len(content) > LARGEST_PICTURE:
        return None
    return Picture(content, media_type)


class ComplaintDesk(Protocol):
    """What a gateway offers about complaints. Every call raises GatewayRejected or GatewayUnknown (`base.py`)."""

    def listed(self, first: date, last: date) -> Iterator[Complaint]:
        """Go through the complaints of some days in Beijing, at most 31, page by page."""

    def complaint(self, complaint_id: str) -> Complaint:
        """Ask for one complaint."""

    def history(self, complaint_id: str) -> list[ComplaintEntry]:
        """Ask for every step of a complaint, in order."""

    def reply(self, complaint_id: str, text: str, media_ids: Sequence[str] = ()) -> None:
        """Reply to the payer, with at most 4 uploaded pictures.

        Not the same twice: whether an unknown one arrived is in the history.
        """

    def upload(self, picture: Picture) -> str:
        """Upload a picture for a reply and return its id. One uploaded twice is there twice, and harmless."""

    def complete(self, complaint_id: str) -> None:
        """Say that it is done."""

    def approve_refund(self, complaint_id: str, days: int) -> None:
        """Promise a refund to be made in `days` working days (0: today). It refunds nothing."""

    def reject_refund(self, complaint_id: str, reason: str) -> None:
        """Refuse a refund, which ends the complaint."""

    def picture(self, media_id: str) -> Picture:
        """Fetch a picture, at most 2 MiB of PNG, JPEG or BMP."""

    def open_phone(self, sealed_phone: str) -> str:
        """Decrypt a phone number, without asking anybody.

        Raises:
            PhoneUnreadable: our key does not open it.
        """

    def notify_url(self) -> str | None:
        """Ask where the gateway tells of complaints; None: nowhere."""

    def set_notify_url(self, url: str, *, is_first: bool) -> None:
        """Say where the gateway shall tell of complaints; `is_first`: it has no address yet."""
