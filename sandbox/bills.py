"""Trade bills: which day there is one for, and the files that can be fetched for five minutes."""

from __future__ import annotations

import calendar
import gzip
import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from . import errors
from .bill_faults import columns_with, lines_with
from .bill_lines import COLUMNS, lines_of_day, moment
from .bill_text import text_of
from .clock import BEIJING, Clock
from .faults import Fault
from .keys import Merchant
from .orders import Orders
from .refunds import Refunds
from .store import Store
from .switches import Switches

READY_AT = time(10)
TOKEN_SECONDS = 300
MONTHS_BACK = 3


@dataclass(frozen=True)
class BillFile:
    """What can be fetched: its token, and the SHA-1 of the uncompressed text."""

    token: str
    sha1: str


class Bills:
    """Makes bills from the books of orders and refunds."""

    def __init__(
        self, store: Store, clock: Clock, switches: Switches, orders: Orders, refunds: Refunds
    ) -> None:
        self._store = store
        self._clock = clock
        self._switches = switches
        self._orders = orders
        self._refunds = refunds

    def make(
        self, merchant: Merchant, day: date, bill_type: str, faults: list[Fault], *, is_gzip: bool
    ) -> BillFile:
        """Make the bill of one day in Beijing and keep it ready for five minutes.

        Raises:
            ApiError: no bill for such a day, none yet, or nothing happened that day.
        """
        self._check_day(day)
        if any(fault.kind == "bill_not_ready" for fault in faults):
            raise errors.statement_creating()
        lines = lines_of_day(self._orders, self._refunds, merchant.mchid, day, bill_type)
        lines = lines_with(faults, lines, merchant, day)
        if not lines:
            raise errors.no_statement(int(self._switches["no_statement_status"]))
        text = text_of(
            columns_with(faults, COLUMNS[bill_type]),
            lines,
            bom=self._switches["bill_bom"],
            line_end="\r\n" if self._switches["bill_line_ends"] == "crlf" else "\n",
        )
        token = secrets.token_urlsafe(48)
        self._store.insert(
            "bill_files",
            token=token,
            mchid=merchant.mchid,
            created_at=self._clock.now(),
            content=gzip.compress(text) if is_gzip else text,
        )
        # Of the uncompressed text, as the official example computes it; any other use of SHA-1 is not ours.
        return BillFile(token, hashlib.sha1(text, usedforsecurity=False).hexdigest())

    def fetch(self, merchant: Merchant, token: str) -> bytes:
        """The file behind a token.

        Raises:
            ApiError: 400 unknown or too old, 403 another merchant's.
        """
        row = self._store.row("SELECT * FROM bill_files WHERE token = ?", token)
        if row is None:
            raise errors.invalid_request("账单下载地址无效，请重新申请账单")
        if row["mchid"] != merchant.mchid:
            raise errors.no_auth("没有权限下载该账单")
        if self._clock.now() > row["created_at"] + TOKEN_SECONDS:
            raise errors.invalid_request("账单下载地址已失效，请重新申请账单")
        content: bytes = row["content"]
        return content

    def _check_day(self, day: date) -> None:
        now = self._clock.now()
        today = datetime.fromtimestamp(now, BEIJING).date()
        if day >= today:
            raise errors.invalid_request("账单日期错误，不能下载当天及以后的账单")
        if day < months_before(today, MONTHS_BACK):
            raise errors.invalid_request("账单日期错误，只能下载三个月以内的账单")
        if now < moment(day + timedelta(days=1), READY_AT):
            raise errors.statement_creating()


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
