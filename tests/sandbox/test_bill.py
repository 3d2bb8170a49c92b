"""Trade bills: when there is one, what is in it, how it is fetched, and how it can be wrong."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import pytest
import requests

BEIJING = timezone(timedelta(hours=8))
DAY = 86400


@pytest.fixture
def day(sandbox):
    """The clock stands at two in the afternoon in Beijing; returns a function that moves it."""

    class Day:
        def __init__(self):
            now = datetime.now(BEIJING)
            self.noon = now.replace(hour=14, minute=0, second=0, microsecond=0)
            self.shift = (self.noon - now).total_seconds()
            self.move(0)

        @property
        def text(self):
            return f"{self.noon:%Y-%m-%d}"

        def move(self, seconds):
            sandbox.post("/clock", offset=self.shift + seconds)

        def next_morning(self):
            self.move(21 * 3600)

    sandbox.post("/switch", refund_mode="manual")
    return Day()


@pytest.fixture
def apply(merchant, day):
    def get(bill_date=None, **query):
        asked = {"bill_date": bill_date or day.text} | query
        listed = "&".join(f"{name}={value}" for name, value in asked.items() if value is not None)
        return merchant.call("GET", f"/v3/bill/tradebill?{listed}")

    return get


@pytest.fixture
def fetch(merchant):
    def get(address, by=merchant):
        parts = urlsplit(address)
        return by.call("GET", f"{parts.path}?{parts.query}")

    return get


@pytest.fixture
def bill(apply, fetch):
    """The bill of the day as lines of values by column, and its summary."""

    def read(**query):
        text = fetch(apply(**query).json()["download_url"]).content.decode("utf-8-sig")
        header, *rows, titles, sums = text.splitlines()
        columns = header.split(",")
        assert all(row.startswith("`") for row in [*rows, sums])
        lines = [dict(zip(columns, row[1:].split(",`"), strict=True)) for row in rows]
        return lines, dict(zip(titles.split(","), sums[1:].split(",`"), strict=True))

    return read


def sha1(content):
    return hashlib.sha1(content, usedforsecurity=False)


def refusal(answer):
    return answer.status_code, answer.json()["code"]


class TestWhen:
    def test_not_today_nor_tomorrow(self, apply, paid, day):
        paid()
        assert refusal(apply()) == (400, "INVALID_REQUEST")
        day.move(-2 * DAY)
        assert refusal(apply()) == (400, "INVALID_REQUEST")

    def test_from_ten_in_the_morning_of_the_next_day(self, apply, paid, day):
        paid()
        day.move(20 * 3600 - 60)
        assert refusal(apply()) == (400, "STATEMENT_CREATING")
        day.move(20 * 3600)
        assert apply().status_code == 200

    def test_for_three_months(self, apply, paid, day):
        paid()
        day.move(88 * DAY)
        assert apply().status_code == 200
        day.move(93 * DAY)
        assert refusal(apply()) == (400, "INVALID_REQUEST")

    @pytest.mark.parametrize("status", ["400", "404"])
    def test_of_a_day_without_business_there_is_none(self, sandbox, apply, merchant, day, status):
        sandbox.post("/switch", no_statement_status=status)
        merchant.placed()
        day.next_morning()
        assert refusal(apply()) == (int(status), "NO_STATEMENT_EXIST")

    def test_the_day_is_beijings(self, sandbox, apply, paid, day):
        day.move(9 * 3600 + 3599)
        paid()
        day.move(10 * 3600)
        paid()
        day.move(3 * DAY)
        assert apply().status_code == 200
        tomorrow = f"{day.noon + timedelta(days=1):%Y-%m-%d}"
        assert apply(bill_date=tomorrow).status_code == 200

    @pytest.mark.parametrize(
        "query",
        [
            {"bill_date": "2026-1-2"},
            {"bill_date": "2026-02-30"},
            {"bill_date": "x"},
            {"bill_type": "RECHARGE"},
            {"tar_type": "ZIP"},
            {"tar_type": ""},
            {"mchid": "1"},
        ],
    )
    def test_other_parameters_are_refused(self, apply, query):
        assert refusal(apply(**query)) == (400, "PARAM_ERROR")

    def test_the_date_is_required(self, merchant):
        assert refusal(merchant.call("GET", "/v3/bill/tradebill")) == (400, "PARAM_ERROR")


class TestContent:
    def test_a_payment(self, bill, paid, merchant, day):
        number = paid(attach="a,b", description="课程\u3000`1`")
        day.next_morning()
        (line,), sums = bill()
        told = merchant.query(number).json()
        assert line["商户订单号"] == number
        assert line["微信订单号"] == told["transaction_id"]
        assert (line["交易状态"], line["交易类型"], line["货币种类"]) == ("SUCCESS", "NATIVE", "CNY")
        assert (line["订单金额"], line["应结订单金额"], line["申请退款金额"]) == ("99.00", "99.00", "0.00")
        assert (line["手续费"], line["费率"]) == ("0.59000", "0.60%")
        assert (line["商户号"], line["特约商户号"]) == (merchant.mchid, "0")
        assert (line["商品名称"], line["商户数据包"]) == ("课程\u3000`1`", "a\\ b")
        assert line["交易时间"].startswith(day.text)
        assert sums == {
            "总交易单数": "1",
            "应结订单总金额": "99.00",
            "退款总金额": "0.00",
            "充值券退款总金额": "0.00",
            "手续费总金额": "0.59000",
            "订单总金额": "99.00",
            "申请退款总金额": "0.00",
        }

    def test_a_refund_has_a_line_of_its_own_on_the_day_it_was_asked_for(
        self, sandbox, bill, paid, merchant, day
    ):
        told = merchant.refunded(paid(), 5000)
        sandbox.post("/refunds/console", out_trade_no=told["out_trade_no"], amount=100, out_refund_no="HAND1")
        day.next_morning()
        (payment, refund, by_hand), sums = bill()
        assert payment["交易状态"] == "SUCCESS"
        assert (refund["交易状态"], refund["退款状态"]) == ("REFUND", "PROCESSING")
        assert (refund["商户退款单号"], refund["微信退款单号"]) == (told["out_refund_no"], told["refund_id"])
        assert (refund["订单金额"], refund["应结订单金额"]) == ("0.00", "0.00")
        assert (refund["申请退款金额"], refund["退款金额"], refund["手续费"]) == (
            "50.00",
            "50.00",
            "-0.30000",
        )
        assert by_hand["商户退款单号"] == "HAND1"
        assert (sums["总交易单数"], sums["申请退款总金额"]) == ("3", "51.00")

    def test_the_status_is_that_of_the_morning_the_bill_was_made(self, sandbox, bill, paid, merchant, day):
        ends = {"SUCCESS": "SUCCESS", "ABNORMAL": "CHANGE", "CLOSED": "FAIL"}
        for outcome in ends:
            told = merchant.refunded(paid(), 1)
            sandbox.post(f"/refunds/{told['out_refund_no']}/settle", outcome=outcome)
        late = merchant.refunded(paid(), 1)
        day.move(2 * DAY)
        sandbox.post(f"/refunds/{late['out_refund_no']}/settle", outcome="SUCCESS")
        lines, _ = bill(bill_type="REFUND")
        assert [line["退款状态"] for line in lines] == [*ends.values(), "PROCESSING"]
        assert [bool(line["退款成功时间"]) for line in lines] == [True, False, False, False]
        assert all(line["退款申请时间"] for line in lines)

    def test_types_leave_out_what_they_are_not_about(self, bill, paid, merchant, day, apply):
        merchant.refunded(paid(), 1)
        day.next_morning()
        (line,), _ = bill(bill_type="SUCCESS")
        assert "商户退款单号" not in line
        (line,), _ = bill(bill_type="REFUND")
        assert line["交易状态"] == "REFUND"

    def test_other_merchants_business_is_not_in_it(self, sandbox, bill, paid, other_merchant, day):
        number, code_url = other_merchant.placed()
        sandbox.post("/pay", code_url=code_url, notify=False)
        paid()
        day.next_morning()
        lines, _ = bill()
        assert number not in {line["商户订单号"] for line in lines}

    def test_a_coupon_lowers_what_is_settled(self, sandbox, bill, merchant, day):
        _, code_url = merchant.placed()
        sandbox.post("/pay", code_url=code_url, notify=False, amount_payer=9000)
        day.next_morning()
        (line,), _ = bill()
        assert (line["订单金额"], line["应结订单金额"]) == ("99.00", "90.00")

    def test_a_spreadsheet_reads_as_many_columns_as_the_header_has(self, apply, fetch, paid, day):
        paid(description="a,b")
        day.next_morning()
        text = fetch(apply().json()["download_url"]).content.decode("utf-8-sig")
        header, line = list(csv.reader(io.StringIO(text)))[:2]
        assert len(header) == len(line) == 27


class TestFile:
    def test_the_answer_is_signed_and_the_file_is_not(self, merchant, apply, fetch, paid, day):
        paid()
        day.next_morning()
        answer = apply()
        assert merchant.verifies(answer.headers, answer.content)
        file = fetch(answer.json()["download_url"])
        assert not [name for name in file.headers if name.startswith("Wechatpay")]
        assert answer.json()["hash_type"] == "SHA1"
        assert answer.json()["hash_value"] == sha1(file.content).hexdigest()

    def test_gzip_is_a_file_whose_content_has_the_hash(self, apply, fetch, paid, day):
        paid()
        day.next_morning()
        answer = apply(tar_type="GZIP").json()
        file = fetch(answer["download_url"])
        assert "Content-Encoding" not in file.headers
        assert answer["hash_value"] == sha1(gzip.decompress(file.content)).hexdigest()

    @pytest.mark.parametrize("bom", [True, False])
    @pytest.mark.parametrize(("ends", "end"), [("crlf", b"\r\n"), ("lf", b"\n")])
    def test_bom_and_line_ends_are_chosen(self, sandbox, apply, fetch, paid, day, bom, ends, end):
        sandbox.post("/switch", bill_bom=bom, bill_line_ends=ends)
        paid()
        day.next_morning()
        content = fetch(apply().json()["download_url"]).content
        assert content.startswith(b"\xef\xbb\xbf") == bom
        assert content.count(b"\n") == content.count(end) == 4

    def test_a_token_lives_five_minutes(self, apply, fetch, paid, day):
        paid()
        day.next_morning()
        address = apply().json()["download_url"]
        day.move(21 * 3600 + 295)
        assert fetch(address).status_code == 200
        day.move(21 * 3600 + 302)
        assert refusal(fetch(address)) == (400, "INVALID_REQUEST")

    def test_only_its_merchant_may_fetch_it_and_must_sign(self, apply, fetch, paid, day, other_merchant):
        paid()
        day.next_morning()
        address = apply().json()["download_url"]
        assert refusal(fetch(address, other_merchant)) == (403, "NO_AUTH")
        assert requests.get(address, timeout=5).status_code == 401
        assert refusal(fetch("/v3/billdownload/file?token=nothing")) == (400, "INVALID_REQUEST")
        assert refusal(fetch("/v3/billdownload/file?x=1")) == (400, "PARAM_ERROR")


class TestSpoilt:
    @pytest.fixture(autouse=True)
    def business(self, paid, merchant, day):
        self.number = paid()
        self.refund = merchant.refunded(self.number, 100)
        day.next_morning()

    @pytest.fixture
    def fault(self, sandbox):
        def order(kind, route="bill", **fields):
            return sandbox.post("/faults", route=route, kind=kind, **fields)["id"]

        return order

    def test_never_ready(self, fault, apply):
        fault("bill_not_ready", times=1)
        assert refusal(apply()) == (400, "STATEMENT_CREATING")
        assert apply().status_code == 200

    def test_wrong_hash(self, fault, apply, fetch, merchant):
        fault("wrong_hash")
        answer = apply()
        assert merchant.verifies(answer.headers, answer.content)
        content = fetch(answer.json()["download_url"]).content
        assert answer.json()["hash_value"] != sha1(content).hexdigest()

    def test_another_host(self, fault, apply):
        fault("other_host", url="https://evil.example")
        assert apply().json()["download_url"].startswith("https://evil.example/v3/billdownload/file?token=")

    def test_damaged_gzip(self, fault, apply, fetch):
        fault("damaged_gzip", "billdownload")
        content = fetch(apply(tar_type="GZIP").json()["download_url"]).content
        with pytest.raises(EOFError):
            gzip.decompress(content)

    def test_a_bomb(self, fault, apply, fetch):
        fault("bomb", "billdownload", megabytes=8)
        content = fetch(apply(tar_type="GZIP").json()["download_url"]).content
        assert len(content) < 20_000
        assert len(gzip.decompress(content)) == 8 << 20

    def test_another_day_or_merchant(self, fault, bill, day, merchant):
        fault("other_day")
        fault("other_mchid")
        lines, _ = bill()
        assert not any(line["交易时间"].startswith(day.text) for line in lines)
        assert merchant.mchid not in {line["商户号"] for line in lines}

    def test_columns_in_another_order_new_ones_and_one_less(self, fault, bill):
        usual, _ = bill()
        reordered = fault("columns_reordered")
        fault("columns_added")
        lines, _ = bill()
        assert [{name: line[name] for name in usual[0]} for line in lines] == usual
        assert list(lines[0]) != list(usual[0])
        assert reordered
        fault("columns_missing")
        assert "订单金额" not in bill()[0][0]

    def test_a_line_missing_and_the_summary_agrees(self, fault, bill):
        fault("bill_line", change="missing", number=self.number)
        (line,), sums = bill()
        assert line["商户退款单号"] == self.refund["out_refund_no"]
        assert (sums["总交易单数"], sums["订单总金额"]) == ("1", "0.00")

    def test_a_line_nobody_paid_for(self, fault, bill, day):
        fault("bill_line", change="added", number="STRANGER-1", amount=12345)
        line = bill()[0][-1]
        assert (line["商户订单号"], line["订单金额"]) == ("STRANGER-1", "123.45")
        assert line["交易时间"].startswith(day.text)
        assert len(line["微信订单号"]) == 28

    def test_another_amount_or_state(self, fault, bill):
        fault("bill_line", change="amount", number=self.number, amount=1)
        fault("bill_line", change="amount", number=self.refund["out_refund_no"], amount=2)
        fault("bill_line", change="state", number=self.refund["out_refund_no"], state="FAIL")
        (payment, refund), _ = bill()
        assert payment["订单金额"] == "0.01"
        assert (refund["申请退款金额"], refund["退款状态"]) == ("0.02", "FAIL")

    def test_a_line_twice(self, fault, bill):
        fault("bill_line", change="duplicate", number=self.number)
        lines, sums = bill()
        assert [line["商户订单号"] for line in lines] == [self.number] * 3
        assert (lines[0], sums["总交易单数"]) == (lines[1], "3")

    def test_a_day_of_which_nothing_is_left(self, fault, apply):
        for number in (self.number, self.refund["out_refund_no"]):
            fault("bill_line", change="missing", number=number)
        assert refusal(apply()) == (400, "NO_STATEMENT_EXIST")

    @pytest.mark.parametrize(
        "fields",
        [
            {"route": "create", "kind": "wrong_hash"},
            {"route": "*", "kind": "bomb"},
            {"route": "bill", "kind": "bill_line"},
            {"route": "bill", "kind": "bill_line", "change": "lost", "number": "X"},
            {"route": "bill", "kind": "bill_line", "change": "amount", "number": "X"},
        ],
    )
    def test_nonsense_is_refused(self, sandbox, fields):
        assert sandbox.try_post("/faults", **fields).status_code == 400
