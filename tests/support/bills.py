"""Trade bills made by hand, in WeChat Pay's form, for tests of what is wrong with one."""

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from portal.kit.money import yuan

HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


class Bill:
    """A bill that can be spoilt: its lines as columns, and its summary, are to be changed before it is written."""

    def __init__(self, day: date, mchid: str, appid: str) -> None:
        self.day = day
        self.mchid = mchid
        self.appid = appid
        self.header = HEADER.split(",")
        self.rows: list[dict[str, str]] = []
        self.summary: dict[str, str] = {}

    def _add(
        self, transaction_id: str, out_trade_no: str, facts: Mapping[str, str], changes: Mapping[str, str]
    ) -> None:
        row = dict.fromkeys(self.header, "")
        row |= {
            "交易时间": f"{self.day} 12:00:00",
            "公众账号ID": self.appid,
            "商户号": self.mchid,
            "特约商户号": "0",
            "微信订单号": transaction_id,
            "商户订单号": out_trade_no,
            "用户标识": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
            "交易类型": "NATIVE",
            "付款银行": "OTHERS",
            "货币种类": "CNY",
            "代金券金额": "0.00",
            "充值券退款金额": "0.00",
            "商品名称": "C++ Primer 第五版",
            "手续费": "0.60000",
            "费率": "0.60%",
        }
        self.rows.append(row | dict(facts) | dict(changes))

    def paid(self, transaction_id: str, out_trade_no: str, amount_fen: int, **changes: str) -> "Bill":
        """Add a payment; `changes` are columns."""
        facts = {
            "交易状态": "SUCCESS",
            "应结订单金额": yuan(amount_fen),
            "订单金额": yuan(amount_fen),
            "微信退款单号": "0",
            "商户退款单号": "0",
            "退款金额": "0.00",
            "申请退款金额": "0.00",
        }
        self._add(transaction_id, out_trade_no, facts, changes)
        return self

    def refunded(
        self,
        transaction_id: str,
        out_trade_no: str,
        amount_fen: int,
        refund_id: str,
        out_refund_no: str,
        **changes: str,
    ) -> "Bill":
        """Add a refund; `changes` are columns."""
        facts = {
            "交易状态": "REFUND",
            "应结订单金额": "0.00",
            "订单金额": "0.00",
            "微信退款单号": refund_id,
            "商户退款单号": out_refund_no,
            "退款金额": yuan(amount_fen),
            "申请退款金额": yuan(amount_fen),
            "退款类型": "ORIGINAL",
            "退款状态": "SUCCESS",
        }
        self._add(transaction_id, out_trade_no, facts, changes)
        return self

    def text(self) -> str:
        """Write it."""
        lines = [",".join(self.header)]
        lines += [_written([row[name] for name in self.header]) for row in self.rows]
        sums = {
            "总交易单数": str(len(self.rows)),
            "应结订单总金额": self._sum("应结订单金额"),
            "退款总金额": self._sum("退款金额"),
            "充值券退款总金额": self._sum("充值券退款金额"),
            "手续费总金额": "0.00000",
            "订单总金额": self._sum("订单金额"),
            "申请退款总金额": self._sum("申请退款金额"),
        } | self.summary
        lines += [",".join(sums), _written(list(sums.values()))]
        return "\r\n".join(lines) + "\r\n"

    def _sum(self, column: str) -> str:
        amounts = [row.get(column, "0.00") for row in self.rows]
        well = [amount for amount in amounts if amount.replace(".", "", 1).isdigit()]
        return yuan(sum(round(float(amount) * 100) for amount in well))

    def packed(self) -> bytes:
        """Write it as WeChat sends it."""
        return gzip.compress(self.text().encode(), mtime=0)


def _written(values: Sequence[str]) -> str:
    return ",".join(f"`{value}" for value in values)


def sha1(text: str | bytes) -> str:
    """Return what the signed answer says of a bill."""
    raw = text.encode() if isinstance(text, str) else text
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()


def facts_of(line: Any) -> tuple[Any, ...]:
    """Return what matters of a line that was read."""
    return (line.kind.value, line.key, line.out_trade_no, line.amount_fen, line.state.value)
