"""Read WeChat Pay's trade bill: what it took and gave back on one day (merchant/4013071212).

The answer that names the bill is signed, the file is not: its SHA-1 stands in that answer. A file is read
twice, first to be judged as a whole, then to be used, line by line and in bounded memory; what does not fit to the letter is
refused with the number of its line. Every text in it may come from a stranger.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import BinaryIO, NoReturn
from urllib.parse import urlsplit

from portal.gateways.base import BadBill, BillKind, BillLine, BillState, GatewayUnknown, TradeBill
from portal.kit import beijing, money

LARGEST_FILE = 64 << 20
_LARGEST_TEXT = 500_000_000
_HIGHEST_RATIO = 100
_MOST_LINES = 1_000_000
_LONGEST_LINE = 8192
_CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"

_URL = re.compile(r"[\x21-\x7e]{1,2048}")
_PATH = re.compile(r"/v3/bill[0-9A-Za-z/_-]*", re.ASCII)
_SHA1 = re.compile(r"[0-9a-f]{40}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_NUMBER = re.compile(r"[\x21-\x7e]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

# Columns are found by name: their order differs between kinds of bill, and new ones are added over time.
_AT, _APPID, _MCHID = "交易时间", "公众账号ID", "商户号"
_TRANSACTION_ID, _OUT_TRADE_NO, _TRADE_TYPE, _STATE = "微信订单号", "商户订单号", "交易类型", "交易状态"
_CURRENCY_OF, _TOTAL = "货币种类", "订单金额"
_REFUND_ID, _OUT_REFUND_NO, _REFUND, _REFUND_STATE = (
    "微信退款单号",
    "商户退款单号",
    "申请退款金额",
    "退款状态",
)
_COLUMNS = (_AT, _APPID, _MCHID, _TRANSACTION_ID, _OUT_TRADE_NO, _TRADE_TYPE, _STATE, _CURRENCY_OF, _TOTAL)
_REFUND_COLUMNS = (_REFUND_ID, _OUT_REFUND_NO, _REFUND, _REFUND_STATE)
_LINES_SUMMED = "总交易单数"
# Fees are left out: WeChat rounds each line's, and the portal keeps no account of them.
_SUMS = {"订单总金额": _TOTAL, "申请退款总金额": _REFUND}
_KINDS = {"SUCCESS": BillKind.PAYMENT, "REFUND": BillKind.REFUND, "REVOKED": BillKind.REVOCATION}
_REFUND_STATES = {
    "SUCCESS": BillState.SUCCESS,
    "PROCESSING": BillState.PROCESSING,
    "CHANGE": BillState.ABNORMAL,
    "FAIL": BillState.CLOSED,
}


def link_in(fields: Mapping[str, object], origin: str) -> tuple[str, str]:
    """Return path and query of the bill's file, and its SHA-1, from the signed answer that names them.

    Args:
        origin: scheme and host of our gateway: our authorization goes nowhere else.

    Raises:
        GatewayUnknown: when the link leads elsewhere or there is no SHA-1.
    """
    url, sha1 = fields.get("download_url"), fields.get("hash_value")
    if not isinstance(url, str) or not _URL.fullmatch(url):
        raise GatewayUnknown("no link to a bill")
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" != origin or not _PATH.fullmatch(parts.path) or parts.fragment:
        raise GatewayUnknown("the link to the bill leads elsewhere")
    if fields.get("hash_type") != "SHA1" or not isinstance(sha1, str) or not _SHA1.fullmatch(sha1.lower()):
        raise GatewayUnknown("no SHA-1 of the bill")
    return url.removeprefix(origin), sha1.lower()


def read_bill(gateway: str, mchid: str, day: date, file: BinaryIO, sha1: str | None = None) -> TradeBill:
    """Judge a bill as a whole and return it, its lines to be read from `file` as often as wanted.

    Args:
        gateway: our name of the gateway.
        mchid: the merchant that every line must be of.
        day: the day in Beijing that every payment must be of.
        file: the bill, gzipped or not.
        sha1: of the text or of the file (the documentation leaves open which); None: not known.

    Raises:
        BadBill: for anything that is not exactly such a bill.
    """
    text_sha1, file_sha1 = _hashes(file)
    if sha1 is not None and sha1 not in (text_sha1, file_sha1):
        raise BadBill("The file's SHA-1 is not the one that the gateway has signed.")
    count = paid = refunded = 0
    seen: set[int] = set()
    for line in _bill_lines(file, mchid, day):
        key = hash((line.kind, line.key))
        if key in seen:
            raise BadBill(f"Line {line.number}: it stands in the bill twice.")
        seen.add(key)
        count += 1
        paid += line.amount_fen if line.kind is BillKind.PAYMENT else 0
        refunded += line.amount_fen if line.kind is BillKind.REFUND else 0
    return TradeBill(
        gateway=gateway,
        mchid=mchid,
        day=day,
        sha1=text_sha1,
        line_count=count,
        paid_fen=paid,
        refunded_fen=refunded,
        file=file,
        lines=lambda: _bill_lines(file, mchid, day),
    )


def _hashes(file: BinaryIO) -> tuple[str, str]:
    of_text = hashlib.sha1(usedforsecurity=False)
    for chunk in _unpacked(file):
        of_text.update(chunk)
    of_file = hashlib.sha1(usedforsecurity=False)
    file.seek(0)
    while chunk := file.read(_CHUNK):
        of_file.update(chunk)
    return of_text.hexdigest(), of_file.hexdigest()


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    is_gzip = file.read(2) == _GZIP
    file.seek(0)
    size = 0
    for chunk in _gunzipped(file) if is_gzip else iter(lambda: file.read(_CHUNK), b""):
        size += len(chunk)
        if size > _LARGEST_TEXT:
            raise BadBill(f"The bill is larger than {_LARGEST_TEXT} bytes.")
        yield chunk


def _gunzipped(file: BinaryIO) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    packed_size = size = 0
    while not unpack.eof:
        packed = unpack.unconsumed_tail or file.read(_CHUNK)
        if not packed:
            raise BadBill("The file ends in the middle.")
        before = len(packed)
        try:
            text = unpack.decompress(packed, _CHUNK)
        except zlib.error:
            raise BadBill("The file is damaged: it cannot be unpacked.") from None
        packed_size += before - len(unpack.unconsumed_tail)
        size += len(text)
        # The first chunk of an honest file may unpack well before much of it was read.
        if size > _HIGHEST_RATIO * packed_size + _CHUNK:
            raise BadBill(f"The file unpacks to more than {_HIGHEST_RATIO} times its size.")
        yield text
    if unpack.unused_data or file.read(1):
        raise BadBill("Something follows the end of the packed file.")


def _text_lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    number, rest = 0, b""
    for chunk in _unpacked(file):
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            number += 1
            yield number, _decoded(number, raw)
        if len(rest) > _LONGEST_LINE:
            raise BadBill(f"Line {number + 1}: it is longer than {_LONGEST_LINE} bytes.")
    if rest:
        yield number + 1, _decoded(number + 1, rest)


def _decoded(number: int, raw: bytes) -> str:
    if len(raw) > _LONGEST_LINE:
        raise BadBill(f"Line {number}: it is longer than {_LONGEST_LINE} bytes.")
    try:
        text = raw.removesuffix(b"\r").decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise BadBill(f"Line {number}: it is not UTF-8.") from None
    if _CONTROL.search(text):
        raise BadBill(f"Line {number}: it has a control character.")
    return text


@dataclass
class _Sums:
    lines: int = 0
    of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SUMS.values(), 0))


def _bill_lines(file: BinaryIO, mchid: str, day: date) -> Iterator[BillLine]:
    """Yield the lines, and refuse the bill at its end when they are not what its summary says."""
    lines = _text_lines(file)
    _, header = next(lines, (0, ""))
    columns = header.split(",")
    _check_header(columns)
    sums = _Sums()
    for number, text in lines:
        if not text.startswith("`"):
            _check_summary(number, text, lines, sums)
            return
        row = _Row(number, dict(zip(columns, _values(number, text, len(columns)), strict=True)))
        line = row.read(mchid, day)
        sums.lines += 1
        if sums.lines > _MOST_LINES:
            raise BadBill(f"The bill has more than {_MOST_LINES} lines.")
        for column in sums.of:
            sums.of[column] += row.fen(column) if column in row.values else 0
        yield line
    raise BadBill("The bill ends without its summary.")


def _check_header(columns: list[str]) -> None:
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise BadBill(f"Line 1: there is no column {', '.join(missing)}.")
    if len(set(columns)) != len(columns):
        raise BadBill("Line 1: a column stands there twice.")


def _values(number: int, text: str, wanted: int) -> list[str]:
    # Each value begins with a backtick, and WeChat takes commas out of merchants' texts: this is the documented way.
    values = text[1:].split(",`")
    if len(values) != wanted:
        raise BadBill(f"Line {number}: it has {len(values)} values for {wanted} columns.")
    return values


def _check_summary(number: int, header: str, lines: Iterator[tuple[int, str]], sums: _Sums) -> None:
    columns = header.split(",")
    _, text = next(lines, (0, ""))
    if _LINES_SUMMED not in columns or not text.startswith("`"):
        raise BadBill(f"Line {number}: it is neither a payment, a refund nor the summary.")
    row = _Row(number + 1, dict(zip(columns, _values(number + 1, text, len(columns)), strict=True)))
    if row.values[_LINES_SUMMED] != str(sums.lines):
        raise BadBill(f"Line {row.number}: the summary speaks of another number of lines than {sums.lines}.")
    for name, column in _SUMS.items():
        if name in row.values and row.fen(name) != sums.of[column]:
            raise BadBill(
                f"Line {row.number}: {name} is not the sum of the lines, {money.yuan(sums.of[column])}."
            )
    for after, rest in lines:
        if rest:
            raise BadBill(f"Line {after}: something follows the summary.")


@dataclass(frozen=True)
class _Row:
    number: int
    values: dict[str, str]

    def read(self, mchid: str, day: date) -> BillLine:
        if self.values[_MCHID] != mchid:
            self._refuse("it is of another merchant")
        kind = _KINDS.get(self.values[_STATE])
        if kind is None:
            self._refuse(f"{_STATE} is not known")
        at = self._moment()
        # A refund's line may carry the day of its payment; a payment's is its own.
        on = beijing.day_of(at)
        if on > day or (on < day and kind is not BillKind.REFUND):
            self._refuse(f"it is not of {day}")
        is_refund = kind is BillKind.REFUND
        if is_refund and not all(name in self.values for name in _REFUND_COLUMNS):
            self._refuse("a refund in a bill without columns for it")
        return BillLine(
            number=self.number,
            kind=kind,
            at=at,
            appid=self._number(_APPID),
            transaction_id=self._number(_TRANSACTION_ID),
            out_trade_no=self._number(_OUT_TRADE_NO),
            trade_type=self._number(_TRADE_TYPE),
            state=self._state(kind),
            currency=self._currency(),
            amount_fen=self.fen(_REFUND if is_refund else _TOTAL),
            refund_id=self._number(_REFUND_ID) if is_refund else None,
            out_refund_no=self._number(_OUT_REFUND_NO) if is_refund else None,
        )

    def fen(self, column: str) -> int:
        try:
            return money.fen(self.values[column])
        except ValueError:
            self._refuse(f"{column} is not an amount")

    def _moment(self) -> datetime:
        text = self.values[_AT]
        try:
            if _MOMENT.fullmatch(text):
                return datetime.fromisoformat(text).replace(tzinfo=beijing.BEIJING)
        except ValueError:
            pass
        self._refuse(f"{_AT} is not a moment")

    def _number(self, column: str) -> str:
        value = self.values[column]
        if not _NUMBER.fullmatch(value):
            self._refuse(f"{column} is not a number")
        return value

    def _currency(self) -> str:
        value = self.values[_CURRENCY_OF]
        if not _CURRENCY.fullmatch(value):
            self._refuse(f"{_CURRENCY_OF} is not a currency")
        return value

    def _state(self, kind: BillKind) -> BillState:
        if kind is BillKind.REVOCATION:
            return BillState.REVOKED
        if kind is BillKind.PAYMENT:
            return BillState.SUCCESS
        state = _REFUND_STATES.get(self.values[_REFUND_STATE])
        if state is None:
            self._refuse(f"{_REFUND_STATE} is not known")
        return state

    def _refuse(self, why: str) -> NoReturn:
        raise BadBill(f"Line {self.number}: {why}.")
