"""A bill is read to the letter or refused as a whole, with the number of the line that is wrong."""

import gzip
import io
from datetime import UTC, date, datetime

import pytest

from portal.gateways.base import BadBill, GatewayUnknown
from portal.gateways.wechat_pay import bills
from portal.kit.money import yuan
from tests.support.bills import Bill, facts_of, sha1

DAY = date(2026, 11, 24)
MCHID, APPID = "1900000109", "wxd678efh567hg6787"


@pytest.fixture
def bill():
    """Two payments and a refund."""
    made = Bill(DAY, MCHID, APPID)
    made.paid("4200000001", "LBT261124AAAAAAAAAAAAAAAAAA", 9900)
    made.paid("4200000002", "LBT261124BBBBBBBBBBBBBBBBBB", 1)
    return made.refunded("4200000001", "LBT261124AAAAAAAAAAAAAAAAAA", 500, "5030000001", "LBTR0001")


def read(content, sha1=None, day=DAY, mchid=MCHID):
    raw = content.encode() if isinstance(content, str) else content
    return bills.read_bill("wechat_pay", mchid, day, io.BytesIO(raw), sha1)


def refused(content, sha1=None):
    with pytest.raises(BadBill) as caught:
        read(content, sha1)
    return str(caught.value)


class TestReading:
    @pytest.mark.parametrize("is_packed", [True, False], ids=["gzip", "text"])
    def test_lines_are_read_exactly_and_as_often_as_wanted(self, bill, is_packed):
        found = read(bill.packed() if is_packed else bill.text())
        wanted = [
            ("payment", "4200000001", "LBT261124AAAAAAAAAAAAAAAAAA", 9900, "success"),
            ("payment", "4200000002", "LBT261124BBBBBBBBBBBBBBBBBB", 1, "success"),
            ("refund", "5030000001", "LBT261124AAAAAAAAAAAAAAAAAA", 500, "success"),
        ]
        for _ in range(2):
            assert [facts_of(line) for line in found.lines()] == wanted
        assert (found.line_count, found.paid_fen, found.refunded_fen) == (3, 9901, 500)
        assert found.sha1 == sha1(bill.text())

    def test_the_moment_is_beijings(self, bill):
        line = next(read(bill.text()).lines())
        assert line.at == datetime(2026, 11, 24, 4, tzinfo=UTC)

    def test_columns_are_found_by_name_wherever_they_stand_and_however_many_there_are(self, bill):
        wanted = [facts_of(line) for line in read(bill.text()).lines()]
        bill.header = ["新列", *reversed(bill.header)]
        for row in bill.rows:
            row["新列"] = "anything"
        assert [facts_of(line) for line in read(bill.text()).lines()] == wanted

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: "\ufeff" + text,
            lambda text: text.replace("\r\n", "\n"),
            lambda text: text.rstrip("\r\n"),
        ],
        ids=["byte order mark", "line feeds", "no last line end"],
    )
    def test_what_may_differ_does_not_matter(self, bill, change):
        assert read(change(bill.text())).line_count == 3

    @pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "@x", "a, b", "<script>", "引号\"'"])
    def test_a_strangers_text_is_only_text(self, bill, text):
        bill.rows[0]["商品名称"] = text
        assert read(bill.text()).line_count == 3

    def test_a_refund_says_what_became_of_it(self, bill):
        for word, state in [("PROCESSING", "processing"), ("CHANGE", "abnormal"), ("FAIL", "closed")]:
            bill.rows[2]["退款状态"] = word
            assert list(read(bill.text()).lines())[2].state == state

    @pytest.mark.parametrize("of", ["text", "file"])
    def test_the_hash_may_be_of_the_text_or_of_the_file(self, bill, of):
        digest = sha1(bill.text() if of == "text" else bill.packed())
        assert read(bill.packed(), digest).line_count == 3

    def test_a_bill_of_payments_alone_has_no_columns_for_refunds(self, bill):
        bill.rows.pop()
        bill.header = [name for name in bill.header if "退款" not in name]
        assert read(bill.text()).line_count == 2


class TestRefusing:
    def test_another_hash(self, bill):
        assert "SHA-1" in refused(bill.packed(), sha1("another"))

    def test_a_file_that_ends_in_the_middle(self, bill):
        assert "middle" in refused(bill.packed()[:-9])
        assert "summary" in refused(bill.text().rsplit("\r\n", 3)[0])

    @pytest.mark.parametrize("place", [12, 60, -4], ids=["early", "middle", "checksum"])
    def test_a_damaged_file(self, bill, place):
        raw = bytearray(bill.packed())
        raw[place] ^= 0xFF
        assert refused(bytes(raw))

    def test_something_behind_the_end(self, bill):
        assert "follows" in refused(bill.packed() + b"x")
        assert "follows" in refused(bill.packed() + bill.packed())
        assert refused(bill.text() + "`1,`2\r\n") == "Line 7: something follows the summary."

    def test_a_bomb(self):
        assert "times its size" in refused(gzip.compress(b"`" * 20_000_000))

    def test_too_much_text(self, bill, monkeypatch):
        monkeypatch.setattr(bills, "_LARGEST_TEXT", 500)
        assert "larger" in refused(bill.packed())

    def test_too_many_lines(self, bill, monkeypatch):
        monkeypatch.setattr(bills, "_MOST_LINES", 2)
        assert "more than 2 lines" in refused(bill.packed())

    def test_a_line_without_end(self, bill):
        bill.rows[1]["商品名称"] = "x" * 9000
        assert refused(bill.text()).startswith("Line 3: it is longer")
        assert refused("x" * 200_000).startswith("Line 1: it is longer")

    @pytest.mark.parametrize("raw", [b"", b"\n", b"not a bill", b"\x1f\x8b", b"PK\x03\x04", b"{}"])
    def test_what_is_no_bill(self, raw):
        assert refused(raw)

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("商户号", "1900000110"),
            ("交易时间", "2026-11-23 23:59:59"),
            ("交易时间", "2026-11-25 00:00:00"),
            ("交易时间", "2026-11-24T12:00:00"),
            ("交易时间", "2026-13-24 12:00:00"),
            ("交易时间", ""),
            ("交易状态", "PAID"),
            ("货币种类", "cny"),
            ("订单金额", "99.000"),
            ("订单金额", "-99.00"),
            ("订单金额", "+99.00"),
            ("订单金额", "9.9e1"),
            ("订单金额", "９９.00"),
            ("订单金额", "1_0.00"),
            ("订单金额", ""),
            ("微信订单号", ""),
            ("微信订单号", "4200 0001"),
            ("微信订单号", "4" * 65),
            ("商户订单号", "订单"),
            ("商品名称", "a\0b"),
            ("商品名称", "a\x1bb"),
            ("商品名称", "x,`y"),
        ],
    )
    def test_a_wrong_value_by_its_line(self, bill, column, value):
        bill.rows[1][column] = value
        assert refused(bill.text()).startswith("Line 3: ")

    def test_what_is_not_utf_8(self, bill):
        bill.rows[1]["商品名称"] = "MARK"
        assert refused(bill.text().encode().replace(b"MARK", b"\xff\xfe")) == "Line 3: it is not UTF-8."

    def test_a_value_too_few(self, bill):
        lines = bill.text().split("\r\n")
        lines[2] = lines[2].rsplit(",", 1)[0]
        assert refused("\r\n".join(lines)) == "Line 3: it has 26 values for 27 columns."

    def test_a_missing_or_doubled_column(self, bill):
        kept = bill.header
        bill.header = [name for name in kept if name != "订单金额"]
        assert refused(bill.text()) == "Line 1: there is no column 订单金额."
        bill.header = [*kept, "订单金额"]
        assert "twice" in refused(bill.text())

    def test_a_refund_without_its_columns(self, bill):
        bill.header = [name for name in bill.header if name != "申请退款金额"]
        assert refused(bill.text()).startswith("Line 4: ")

    def test_a_line_that_stands_there_twice(self, bill):
        bill.rows.append(bill.rows[1])
        assert refused(bill.text()) == "Line 5: it stands in the bill twice."

    @pytest.mark.parametrize(
        ("column", "value"), [("总交易单数", "4"), ("订单总金额", yuan(9902)), ("申请退款总金额", "4.99")]
    )
    def test_a_summary_that_is_not_of_these_lines(self, bill, column, value):
        bill.summary[column] = value
        assert refused(bill.text()).startswith("Line 6: ")


class TestLink:
    ORIGIN = "https://api.mch.weixin.qq.com"

    def test_path_and_query_are_taken_verbatim(self):
        fields = {
            "hash_type": "SHA1",
            "hash_value": "A" * 40,
            "download_url": f"{self.ORIGIN}/v3/billdownload/file?token=x%2By&tartype=gzip",
        }
        target = "/v3/billdownload/file?token=x%2By&tartype=gzip"
        assert bills.link_in(fields, self.ORIGIN) == (target, "a" * 40)

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/v3/billdownload/file?token=x",
            "https://api.mch.weixin.qq.com.evil.example/v3/billdownload/file",
            "https://api.mch.weixin.qq.com@evil.example/v3/billdownload/file",
            "https://user@api.mch.weixin.qq.com/v3/billdownload/file",
            "https://api.mch.weixin.qq.com:8443/v3/billdownload/file",
            "https://api2.mch.weixin.qq.com/v3/billdownload/file",
            "http://api.mch.weixin.qq.com/v3/billdownload/file",
            "//api.mch.weixin.qq.com/v3/billdownload/file",
            "https://api.mch.weixin.qq.com/v3/pay/transactions/native",
            "https://api.mch.weixin.qq.com/v3/bill/../pay",
            "https://api.mch.weixin.qq.com/v3/billdownload/file#x",
            "https://api.mch.weixin.qq.com\n/v3/billdownload/file",
            "/v3/billdownload/file",
            "",
            None,
            7,
        ],
    )
    def test_a_link_elsewhere_is_not_followed(self, url):
        fields = {"hash_type": "SHA1", "hash_value": "a" * 40, "download_url": url}
        with pytest.raises(GatewayUnknown):
            bills.link_in(fields, self.ORIGIN)

    @pytest.mark.parametrize(
        ("kind", "value"), [("MD5", "a" * 40), ("SHA1", "a" * 39), ("SHA1", None), (None, "a" * 40)]
    )
    def test_without_a_sha1_nothing_is_fetched(self, kind, value):
        fields = {
            "hash_type": kind,
            "hash_value": value,
            "download_url": f"{self.ORIGIN}/v3/billdownload/file",
        }
        with pytest.raises(GatewayUnknown):
            bills.link_in(fields, self.ORIGIN)
