"""A bill as a file: a header, a backtick before every value, two lines of summary.

The form of pay.weixin.qq.com/doc/v3/merchant/4013071238: merchants split lines at ",`", because a text of the
merchant's own may hold anything else.
"""

from __future__ import annotations

from decimal import Decimal

from .bill_lines import Line

SUMMARY = (
    ("应结订单总金额", "应结订单金额"),
    ("退款总金额", "退款金额"),
    ("充值券退款总金额", "充值券退款金额"),
    ("手续费总金额", "手续费"),
    ("订单总金额", "订单金额"),
    ("申请退款总金额", "申请退款金额"),
)
"""Each sum and the column it is the sum of."""
BOM = "\ufeff"


def text_of(columns: tuple[str, ...], lines: list[Line], *, bom: bool, line_end: str) -> bytes:
    """The file, uncompressed."""
    rows = [",".join(columns), *(_values([line.get(column, "") for column in columns]) for line in lines)]
    rows.append(",".join(["总交易单数", *(title for title, _ in SUMMARY)]))
    rows.append(_values([str(len(lines)), *(_sum(lines, column) for _, column in SUMMARY)]))
    return ((BOM if bom else "") + "".join(row + line_end for row in rows)).encode()


def _values(values: list[str]) -> str:
    return ",".join("`" + _harmless(value) for value in values)


def _harmless(value: str) -> str:
    """Line breaks and commas are written otherwise; nothing else is."""
    return value.replace("\r", "").replace("\n", "\\n").replace(",", "\\ ")


def _sum(lines: list[Line], column: str) -> str:
    decimals = Decimal("0.00000" if column == "手续费" else "0.00")
    return str(sum((Decimal(line[column]) for line in lines if column in line), decimals))
