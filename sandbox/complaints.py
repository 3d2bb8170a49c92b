"""The book of complaints: what the payer and the merchant do, and what each hears of it.

PENDING until the merchant's first reply, then PROCESSING, then PROCESSED: by `complete`, by a refusal to
refund, or by itself when an approved refund has arrived. The user may go on, also after that.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from datetime import date, datetime, timedelta
from typing import Any

from . import errors
from .bill_lines import moment
from .clock import BEIJING, Clock
from .complaint import Complaint, Entry
from .notifications import Event, Notifications
from .orders import Order
from .refund import Refund
from .refunds import Refunds
from .store import Store
from .switches import Switches

USER, MERCHANT, PLATFORM = "投诉人", "商户", "系统"
PHONE = "13800138000"


class CannotComplain(Exception):
    """The payer's phone would not let it happen."""


class Complaints:
    """The complaints against all merchants."""

    def __init__(
        self, store: Store, clock: Clock, switches: Switches, refunds: Refunds, notifications: Notifications
    ) -> None:
        self._store = store
        self._clock = clock
        self._switches = switches
        self._refunds = refunds
        self._notifications = notifications
        refunds.on_success(self._refund_arrived)

    def complain(
        self, order: Order, detail: str, problem_type: str, images: list[str], apply_refund_amount: int | None
    ) -> Complaint:
        """The payer complains about a paid order.

        Raises:
            CannotComplain: not paid, or a complaint about it is open.
        """
        if order.transaction_id is None or order.openid is None:
            raise CannotComplain("not paid")
        now = self._clock.now()
        with self._store.transaction():
            earlier = self.of_order(order.mchid, order.out_trade_no)
            if earlier and earlier[-1].state != "PROCESSED":
                raise CannotComplain("a complaint is open: go on with that")
            complaint_id = new_complaint_id(now)
            self._store.insert(
                "complaints",
                complaint_id=complaint_id,
                mchid=order.mchid,
                out_trade_no=order.out_trade_no,
                transaction_id=order.transaction_id,
                amount=order.total,
                openid=order.openid,
                phone=PHONE,
                detail=detail,
                problem_type=problem_type,
                apply_refund_amount=apply_refund_amount,
                images=json.dumps(images),
                state="PENDING",
                times=1,
                is_waiting=1,
                created_at=now,
            )
            made = self._row(complaint_id)
            self._log(made, USER, "USER_CREATE_COMPLAINT", detail, images)
            self._tell(made, "COMPLAINT.CREATE", "CREATE_COMPLAINT")
        self._notifications.wake()
        return made

    def go_on(self, complaint: Complaint, detail: str, images: list[str]) -> Complaint:
        """The payer complains again, also after the end: that makes it PENDING once more."""
        state = "PENDING" if complaint.state == "PROCESSED" else complaint.state
        values = {"times": complaint.times + 1, "is_waiting": 1, "is_approved": 0, "state": state}
        step = (USER, "USER_CONTINUE_COMPLAINT", detail, images)
        return self._step(complaint, values, step, "CONTINUE_COMPLAINT")

    def answer_back(self, complaint: Complaint, detail: str, images: list[str]) -> Complaint:
        """The payer answers the merchant."""
        return self._step(
            complaint, {"is_waiting": 1}, (USER, "USER_RESPONSE", detail, images), "USER_RESPONSE"
        )

    def be_satisfied(self, complaint: Complaint, detail: str) -> Complaint:
        """The payer rates how it was handled; nobody is notified."""
        return self._step(complaint, {}, (USER, "USER_SUBMIT_SATISFACTION", detail, []), None)

    def respond(self, complaint: Complaint, content: str, images: list[str]) -> None:
        """The merchant replies; the first reply begins the processing."""
        state = "PROCESSING" if complaint.state == "PENDING" else complaint.state
        values = {"is_waiting": 0, "state": state}
        self._step(complaint, values, (MERCHANT, "MERCHANT_RESPONSE", content, images), "MERCHANT_RESPONSE")

    def complete(self, complaint: Complaint) -> None:
        """The merchant says it is done; again changes nothing.

        Raises:
            ApiError: there has been no reply yet.
        """
        if complaint.state == "PENDING":
            raise errors.invalid_request("投诉单待处理，请先回复用户")
        if complaint.state == "PROCESSING":
            step: Step = (MERCHANT, "MERCHANT_CONFIRM_COMPLETE", "商户确认处理完成", [])
            self._step(complaint, {"state": "PROCESSED", "is_waiting": 0}, step, "MERCHANT_CONFIRM_COMPLETE")

    def approve_refund(self, complaint: Complaint, day: int, remark: str) -> None:
        """The merchant agrees to a refund, which it must make itself."""
        self._check_refundable(complaint)
        values = {"is_approved": 1, "is_waiting": 0, "state": "PROCESSING"}
        details = f"商户同意退款，预计{day}个工作日内发起。{remark}"
        step: Step = (MERCHANT, "MERCHANT_APPROVE_REFUND", details, [])
        self._step(complaint, values, step, "MERCHANT_APPROVE_REFUND")

    def reject_refund(self, complaint: Complaint, reason: str, images: list[str]) -> None:
        """The merchant refuses a refund: PROCESSED at once."""
        self._check_refundable(complaint)
        step: Step = (MERCHANT, "MERCHANT_REFUSE_RERUND", reason, images)
        self._step(complaint, {"state": "PROCESSED", "is_waiting": 0}, step, "MERCHANT_REJECT_REFUND")

    def find(self, mchid: str, complaint_id: str) -> Complaint | None:
        """The complaint with this id against this merchant."""
        self._refunds.settle_due()
        row = self._store.row(
            "SELECT * FROM complaints WHERE mchid = ? AND complaint_id = ?", mchid, complaint_id
        )
        return None if row is None else _complaint(row)

    def of_order(self, mchid: str, out_trade_no: str) -> list[Complaint]:
        """Complaints about one order, oldest first."""
        return self._found("mchid = ? AND out_trade_no = ?", mchid, out_trade_no)

    def all(self, mchid: str) -> list[Complaint]:
        """Complaints against a merchant, oldest first."""
        return self._found("mchid = ?", mchid)

    def made_on(self, mchid: str, begin: date, end: date) -> list[Complaint]:
        """Those of the days `begin` to `end` in Beijing, newest first."""
        until = moment(end + timedelta(days=1))
        found = self._found("mchid = ? AND created_at >= ? AND created_at < ?", mchid, moment(begin), until)
        return found[::-1]

    def history(self, complaint: Complaint) -> list[Entry]:
        """Every step, newest first."""
        rows = self._store.rows(
            "SELECT * FROM complaint_entries WHERE complaint_id = ? ORDER BY id DESC", complaint.complaint_id
        )
        return [Entry(**dict(row)) for row in rows]

    def is_full_refunded(self, complaint: Complaint) -> bool:
        """Whether the whole amount has gone back."""
        refunds = self._refunds.of_order(complaint.mchid, complaint.out_trade_no)
        return sum(r.amount for r in refunds if r.status == "SUCCESS") >= complaint.amount

    def url(self, mchid: str) -> str | None:
        """Where a merchant wants to hear of complaints."""
        found: str | None = self._store.setting(f"complaint_url_{mchid}", None)
        return found

    def set_url(self, mchid: str, url: str | None) -> None:
        """Set or forget where."""
        self._store.set_setting(f"complaint_url_{mchid}", url)

    def _check_refundable(self, complaint: Complaint) -> None:
        if complaint.problem_type != "REFUND":
            raise errors.invalid_request("该投诉单不是退款类投诉")
        if complaint.state == "PROCESSED" or complaint.is_approved:
            raise errors.invalid_request("投诉单状态不允许更新退款进度")

    def _refund_arrived(self, refund: Refund) -> None:
        """An approved refund ends its complaint; any other is written into the history."""
        for complaint in self._found_as_is(refund.mchid, refund.out_trade_no):
            if complaint.state == "PROCESSED":
                continue
            kind = "COMPLAINT_REFUND_RECEIVED_SYSTEM_MESSAGE"
            if not complaint.is_approved:
                is_full = refund.amount >= complaint.amount
                part = "FULL" if is_full else "PARTIAL"
                kind = f"COMPLAINT_{part}_REFUNDED_SYSTEM_MESSAGE"
            values = {"state": "PROCESSED", "is_waiting": 0} if complaint.is_approved else {}
            self._step(complaint, values, (PLATFORM, kind, "退款已到账", []), "REFUND_SUCCESS")

    def _step(
        self, complaint: Complaint, values: dict[str, Any], step: Step, action: str | None
    ) -> Complaint:
        with self._store.transaction():
            for name, value in values.items():
                self._store.write(
                    f"UPDATE complaints SET {name} = ? WHERE complaint_id = ?", value, complaint.complaint_id
                )
            self._log(complaint, *step)
            changed = self._row(complaint.complaint_id)
            if action is not None:
                self._tell(changed, "COMPLAINT.STATE_CHANGE", action)
        self._notifications.wake()
        return changed

    def _log(self, complaint: Complaint, operator: str, kind: str, details: str, images: list[str]) -> None:
        self._store.insert(
            "complaint_entries",
            complaint_id=complaint.complaint_id,
            operator=operator,
            at=self._clock.now(),
            type=kind,
            details=details,
            images=json.dumps(images),
        )

    def _tell(self, complaint: Complaint, event_type: str, action: str) -> None:
        url = self.url(complaint.mchid)
        if url is None:
            return
        resource = {"complaint_id": complaint.complaint_id, "action_type": action}
        event = Event(event_type, complaint.mchid, complaint.out_trade_no, url, resource)
        self._notifications.record(event, is_sent=not self._switches["never_notify"])

    def _row(self, complaint_id: str) -> Complaint:
        row = self._store.row("SELECT * FROM complaints WHERE complaint_id = ?", complaint_id)
        assert row is not None
        return _complaint(row)

    def _found(self, condition: str, *values: Any) -> list[Complaint]:
        self._refunds.settle_due()
        rows = self._store.rows(
            f"SELECT * FROM complaints WHERE {condition} ORDER BY created_at, rowid", *values
        )
        return [_complaint(row) for row in rows]

    def _found_as_is(self, mchid: str, out_trade_no: str) -> list[Complaint]:
        rows = self._store.rows(
            "SELECT * FROM complaints WHERE mchid = ? AND out_trade_no = ?", mchid, out_trade_no
        )
        return [_complaint(row) for row in rows]


Step = tuple[str, str, str, list[str]]
"""Who did it, WeChat Pay's name for it, what was said, pictures."""


def new_complaint_id(now: float) -> str:
    """28 digits with the day in Beijing in front."""
    day = datetime.fromtimestamp(now, BEIJING).strftime("%Y%m%d")
    return f"2002{day}{secrets.randbelow(10**16):016d}"


def _complaint(row: sqlite3.Row) -> Complaint:
    return Complaint(**dict(row))
