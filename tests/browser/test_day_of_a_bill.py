"""A day of the gateway's bill from end to end: every difference looked at, and each case closed."""

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time

import pytest
from playwright.sync_api import expect

from portal.kit import beijing
from portal.kit import clock as portal_clock
from portal.learners.models import Role
from portal.reconciliation.services import ONE_DAY, reconcile_day
from tests.browser.conftest import Visitor, badge
from tests.support.bills import Bill
from tests.support.desk import PAID, Desk

pytestmark = pytest.mark.browser


@dataclass
class Planted:
    """The day of a bill that differs from our books in everything that can differ, and what lacks here."""

    day: date
    lost_payment: str
    lost_refund: str


@pytest.fixture
def planted(desk: Desk, clock) -> Planted:
    """Take a bill in on whose day payments and refunds lack here, lack there, and have another amount and state."""
    noon = datetime.combine(beijing.day_of(portal_clock.now()) + ONE_DAY, time(12), beijing.BEIJING)
    clock.travel(seconds=(noon - portal_clock.now()).total_seconds())
    orders = [desk.bought() for _ in range(4)]
    refunds = [desk.refund(desk.ask(order_id, 1_000)) for order_id in orders[:3]]
    desk.shop.work()
    for refund in refunds:
        desk.settle(refund.out_refund_no)
        assert desk.tell(refund.out_refund_no) == 200
    lost_refund = desk.by_hand(orders[3], 1_000)
    desk.settle(lost_refund)
    lost = desk.shop.buyer().buy()
    lost_transaction = desk.shop.pay(lost)["transaction_id"]
    absent, dearer, undone, whole = (desk.shop.payment(order_id) for order_id in orders)
    bill = Bill(beijing.day_of(noon), absent.mchid, absent.appid)
    lines = [desk.at_gateway(order_id)[0] for order_id in orders]
    for payment, amount_fen, state in (
        (dearer, 10_000, "SUCCESS"),
        (undone, PAID, "REVOKED"),
        (whole, PAID, "SUCCESS"),
    ):
        bill.paid(str(payment.transaction_id), payment.out_trade_no, amount_fen, 交易状态=state)
    bill.paid(lost_transaction, desk.shop.payment(lost).out_trade_no, PAID)
    bill.paid("4200000009", "SHOP00001", 700)
    for payment, line, amount_fen, state in (
        (dearer, lines[1], 1_100, "SUCCESS"), (undone, lines[2], 1_000, "FAIL"), (whole, lines[3], 1_000, "SUCCESS"),
    ):  # fmt: skip
        known = (str(payment.transaction_id), payment.out_trade_no)
        bill.refunded(*known, amount_fen, line["refund_id"], line["out_refund_no"], 退款状态=state)
    clock.travel(days=1)
    for route in ("query", "refund_query"):
        desk.shop.sandbox.control("POST", "/control/faults", {"route": route, "kind": "5xx"})
    file = io.BytesIO(bill.packed())
    desk.within(lambda: reconcile_day("wechat_pay", bill.day, desk.tools, "operator:test", file))
    desk.shop.sandbox.control("DELETE", "/control/faults")
    return Planted(bill.day, lost_transaction, lines[3]["refund_id"])


def test_a_day_with_every_difference_is_looked_at_and_each_case_closed(
    visit: Callable[..., Visitor], desk: Desk, planted: Planted
) -> None:
    finance = visit(role=Role.FINANCE)
    page = finance.open("/admin/reconciliation")
    page.get_by_role("link", name=str(planted.day)).click()
    badge(page, "With differences")
    rows = page.locator("section[aria-labelledby=differences-title] tbody tr")
    cells = [row.locator("td").all_inner_texts()[:2] for row in rows.all()]
    assert Counter((kind, about.split()[1]) for kind, about in cells) == {
        ("Missing here", "payment"): 2,
        ("Missing here", "refund"): 1,
        ("Missing in the bill", "payment"): 2,  # the one that was undone has no line of a payment either
        ("Missing in the bill", "refund"): 1,
        ("Another amount", "payment"): 1,
        ("Another amount", "refund"): 1,
        ("Another state", "payment"): 1,
        ("Another state", "refund"): 1,
    }

    for number in (planted.lost_payment, planted.lost_refund):
        row = rows.filter(has_text="Missing here").filter(has_text=number)
        row.get_by_role("button", name="Adopt").click()
        expect(page.locator("main > .notice")).to_contain_text("Adopted")
        expect(rows.filter(has_text=number)).to_contain_text("Gone")
    rows.filter(has_text="Another amount").filter(has_text="payment").get_by_role(
        "link", name="Give money back"
    ).click()
    page.fill("#amount", "1.00")
    page.fill("#reason", "WeChat Pay got more than the price")
    page.get_by_role("button", name="Look at what would happen").click()
    page.get_by_role("button", name="Give ¥1.00 back").click()
    badge(page, "Approved")

    page = finance.open("/admin/cases")
    left = page.locator("tbody tr").count()
    assert left == 8
    for _ in range(left):
        page = finance.open("/admin/cases")
        page.locator("tbody a").first.click()
        page.get_by_role("button", name="Take it").click()
        page.locator("#comment-text").fill("Compared with the merchant platform")
        page.get_by_role("button", name="Comment").click()
        page.locator("#close-text").fill("Booked by hand, as agreed")
        page.get_by_role("button", name="Close the case").click()
        badge(page, "Closed")
    expect(finance.open("/admin/cases").locator(".empty")).to_contain_text("Nothing to look at")
    expect(finance.open("/admin/reconciliation").locator("tbody tr").first).to_contain_text("8, undecided 0")
