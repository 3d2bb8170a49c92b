"""How an ordered fault spoils a trade bill: its lines, its columns, its file, or the answer that announces it."""

from __future__ import annotations

import hashlib
import zlib
from datetime import date, time
from typing import Any

from .bill_lines import Line, moment, payment_line, yuan
from .faults import Fault
from .keys import Merchant
from .orders import Order
from .payers import USUAL_PAYER

BOMB_MEGABYTES = 64
LINE_CHANGES = ("missing", "added", "amount", "state", "duplicate")


def lines_with(faults: list[Fault], lines: list[Line], merchant: Merchant, day: date) -> list[Line]:
    """The lines as the faults want them."""
    for fault in faults:
        if fault.kind == "bill_line":
            if fault.arguments["change"] == "added":
                lines = [*lines, _invented(fault.arguments, merchant, day)]
            else:
                lines = _changed(lines, fault.arguments)
        elif fault.kind == "other_mchid":
            lines = [line | {"商户号": "1900000000"} for line in lines]
        elif fault.kind == "other_day":
            lines = [line | {"交易时间": "2020-01-01" + line["交易时间"][10:]} for line in lines]
    return lines


def columns_with(faults: list[Fault], columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns, in another order or with some that nobody knows."""
    for fault in faults:
        if fault.kind == "columns_reordered":
            columns = columns[::-1]
        elif fault.kind == "columns_added":
            columns = (columns[0], "新增列一", *columns[1:], "新增列二")
        elif fault.kind == "columns_missing":
            columns = tuple(column for column in columns if column != "订单金额")
    return columns


def answer_with(faults: list[Fault], body: dict[str, Any]) -> dict[str, Any]:
    """The answer that says where the bill is."""
    for fault in faults:
        if fault.kind == "wrong_hash":
            body = body | {"hash_value": "0" * 40}
        elif fault.kind == "other_host":
            path = body["download_url"].split("//", 1)[1].partition("/")[2]
            body = body | {"download_url": f"{fault.arguments.get('url', 'https://example.com')}/{path}"}
    return body


def file_with(faults: list[Fault], content: bytes) -> bytes:
    """The file as it is sent."""
    for fault in faults:
        if fault.kind == "damaged_gzip":
            content = content[: len(content) // 2]
        elif fault.kind == "bomb":
            content = _bomb(fault.arguments.get("megabytes", BOMB_MEGABYTES))
    return content


def _bomb(megabytes: int) -> bytes:
    """A small gzip file of very many zeros."""
    packer, piece = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16), bytes(1 << 20)
    return b"".join(packer.compress(piece) for _ in range(megabytes)) + packer.flush()


def _changed(lines: list[Line], arguments: dict[str, Any]) -> list[Line]:
    change, number = arguments["change"], arguments["number"]
    changed: list[Line] = []
    for line in lines:
        if number not in _numbers(line):
            changed.append(line)
        elif change == "duplicate":
            changed += [line, line]
        elif change != "missing":
            changed.append(line | _values(line, arguments))
    return changed


def _numbers(line: Line) -> tuple[str, ...]:
    """What a line is known by: a refund's number, else the order's."""
    if line["交易状态"] == "REFUND":
        return (line["商户退款单号"], line["微信退款单号"])
    return (line["商户订单号"], line["微信订单号"])


def _values(line: Line, arguments: dict[str, Any]) -> Line:
    is_refund = line["交易状态"] == "REFUND"
    if arguments["change"] == "state":
        return {"退款状态" if is_refund else "交易状态": arguments["state"]}
    amount = yuan(arguments["amount"])
    if is_refund:
        return {"退款金额": amount, "申请退款金额": amount}
    return {"应结订单金额": amount, "订单金额": amount}


def _invented(arguments: dict[str, Any], merchant: Merchant, day: date) -> Line:
    """A payment nobody made, on the bill's day."""
    number, at = arguments["number"], moment(day, time(23, 59))
    digits = int(hashlib.sha256(number.encode()).hexdigest(), 16) % 10**23
    order = Order(
        mchid=merchant.mchid,
        out_trade_no=number,
        appid=merchant.appid,
        trade_type="NATIVE",
        request="{}",
        state="SUCCESS",
        total=arguments["amount"],
        created_at=at,
        pay_until=at,
        opened_by=None,
        transaction_id=f"42009{digits:023d}",
        openid=USUAL_PAYER,
        payer_total=arguments["amount"],
        paid_at=at,
        closed_at=None,
        refunds=0,
    )
    return payment_line(order)
