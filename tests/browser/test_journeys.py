"""Refund, complaint and reconciliation from end to end, with everybody at a browser of their own."""

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from portal.disputes.syncing import keep_notify_url
from portal.kit import beijing
from portal.kit import clock as portal_clock
from portal.learners.models import Role
from portal.outbox.models import Job
from portal.reconciliation.services import ONE_DAY, reconcile_day
from portal.refunds.models import RefundStatus
from tests.browser.conftest import Visitor
from tests.support.bills import Bill
from tests.support.desk import PAID, Desk
from tests.support.editors import editor_of
from tests.support.running import eventually
from tests.support.shop import COURSE, Shop

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(shop: Shop, tools, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A shop in which one person may give back ¥10 alone, and a WeChat that waits to be told how a refund ends."""
    found = Desk(shop, tools)
    found.limits(single_fen=1_000)
    monkeypatch.setitem(shop.app.extensions, "portal_tools", found.tools)
    found.switch(refund_mode="manual")
    return found


@pytest.fixture
def buys_and_pays(desk: Desk, visit: Callable[..., Visitor]) -> Callable[[Visitor], str]:
    """Buy as a learner, pay on WeChat's phone, and see the license arrive; return the order's id."""

    def through(learner: Visitor) -> str:
        page = learner.open(f"/courses/{COURSE}")
        page.click(".button.pay")
        page.wait_for_selector("[data-state=awaiting_payment]")
        order_id = page.url.rsplit("/", 1)[1]
        phone = visit(signed_in=False, at=desk.shop.sandbox.url)
        phone.open(f"/phone/scan?code_url={quote(str(desk.shop.payment(order_id).code_url), safe='')}")
        phone.page.locator(".cashier .button-wide").click()
        page.wait_for_selector("[data-state=delivered]")
        return order_id

    return through


def badge(page: Page | Locator, text: str) -> None:
    expect(page.locator(".badge").first).to_contain_text(text)


def ends(desk: Desk, number: str, outcome: str, status: RefundStatus) -> None:
    """Let WeChat end a refund and tell the portal, by a notification of its own."""
    desk.shop.work()
    desk.settle(number, outcome, notify=True)
    eventually(lambda: desk.refund(number).status == status, f"the refund is {status}")


def asks(staff: Visitor, order_id: str, amount: str) -> str:
    """Ask for a refund at the desk; return its number."""
    page = staff.open(f"/admin/orders/{order_id}")
    page.get_by_role("link", name="Give money back").click()
    page.fill("#amount", amount)
    page.fill("#reason", "The second half of the course is late")
    page.get_by_role("button", name="Look at what would happen").click()
    page.get_by_role("button", name=f"Give ¥{amount} back").click()
    badge(page, "Waiting for a decision")
    return page.url.rsplit("/", 1)[1]


def approves(staff: Visitor, number: str) -> Page:
    page = staff.open(f"/admin/refunds/{number}")
    page.get_by_role("button", name="Approve the refund").click()
    expect(page.locator("main > .notice")).to_be_visible()
    return page


def test_a_learner_asks_two_of_the_finance_agree_and_the_license_ends(
    visit: Callable[..., Visitor], desk: Desk, buys_and_pays: Callable[[Visitor], str]
) -> None:
    learner = visit(by_form=True)
    order_id = buys_and_pays(learner)
    assert learner.buyer is not None
    editor = editor_of(learner.buyer)
    [license_] = editor.get("/licenses").get_json()["items"]
    page = learner.open(f"/account/orders/{order_id}")
    page.get_by_role("link", name="Ask for your money back").click()
    page.select_option("#kind", "mistake")
    page.get_by_role("button", name="Ask for ¥99.00 back").click()
    badge(page.locator("section.card").first, "Waiting for a decision")
    [refund] = desk.refunds(order_id)
    number = refund.out_refund_no

    support, finance, other = (
        visit(by_form=True, role=role) for role in (Role.SUPPORT, Role.FINANCE, Role.FINANCE)
    )
    page = support.open("/admin/refunds?status=requested")
    page.get_by_role("link", name=number).click()
    expect(page.get_by_role("button", name="Approve the refund")).to_have_count(0)

    page = approves(finance, number)
    expect(page.locator("main > .notice")).to_contain_text("another one has to agree as well")
    expect(page.locator(".desk-content .notice")).to_contain_text("Another person has to approve this.")
    badge(page, "Waiting for a decision")
    digest = other.open(f"/admin/refunds/{number}").locator("[name=digest]").first.input_value()
    form: dict[str, str | float | bool] = {
        "csrf_token": page.locator("[name=csrf_token]").first.input_value(),
        "digest": digest,
    }
    forged = finance.context.request.post(f"{page.url}/approve", form=form)
    assert forged.status == 403
    assert "you asked for it" in forged.text()

    badge(approves(other, number), "Approved")
    ends(desk, number, "SUCCESS", RefundStatus.SUCCEEDED)
    badge(learner.open(f"/account/orders/{order_id}"), "Refunded")
    badge(learner.open("/account/licenses"), "Revoked")
    page = learner.open(f"/account/licenses/{license_['id']}")
    badge(page, "Revoked")
    expect(page.locator("main")).to_contain_text("you got your money back")
    page = support.open(f"/admin/licenses?q={license_['id']}")
    badge(page.locator("table"), "Revoked")
    assert editor.get(f"/licenses/{license_['id']}").get_json()["status"] == "revoked"
    revoked = learner.context.request.get(f"{learner.origin}/licenses/{quote(license_['key'], safe='')}")
    assert revoked.status == 404
    desk.shop.work()
    assert desk.shop.differences() == []


def test_a_part_goes_back_and_one_that_did_not_arrive_is_put_right(
    visit: Callable[..., Visitor], desk: Desk, buys_and_pays: Callable[[Visitor], str]
) -> None:
    learner = visit()
    order_id = buys_and_pays(learner)
    support, finance = visit(role=Role.SUPPORT), visit(role=Role.FINANCE)
    number = asks(finance, order_id, "40.00")
    expect(finance.page.get_by_role("button", name="Approve the refund")).to_have_count(0)
    approves(visit(role=Role.FINANCE), number)
    ends(desk, number, "ABNORMAL", RefundStatus.ABNORMAL)
    page = finance.open(f"/admin/refunds/{number}")
    badge(page, "Delayed")
    expect(page.locator(".notice.warning")).to_contain_text("Next step: open WeChat Pay's merchant platform")
    expect(learner.open(f"/account/orders/{order_id}").locator("main")).to_contain_text("you need do nothing")

    ends(desk, number, "SUCCESS", RefundStatus.SUCCEEDED)
    badge(finance.open(f"/admin/refunds/{number}"), "Refunded")
    page = support.open(f"/admin/orders/{order_id}")
    expect(page.locator("main")).to_contain_text(
        "Of ¥99.00 paid, ¥40.00 went back; ¥59.00 can still go back."
    )
    badge(learner.open(f"/account/orders/{order_id}"), "Partly refunded")
    expect(learner.page.locator("main")).to_contain_text("¥40.00")
    badge(learner.open("/account/licenses"), "Active")
    desk.shop.work()
    assert desk.shop.differences() == []


def test_a_complaint_from_the_phone_is_answered_in_time_and_completed(
    visit: Callable[..., Visitor], desk: Desk, count: Callable[..., int]
) -> None:
    payment = desk.shop.payment(desk.bought())
    desk.within(lambda: keep_notify_url("wechat_pay", desk.tools))
    payer = visit(signed_in=False, at=desk.shop.sandbox.url)
    phone = payer.open(f"/phone/orders/{payment.mchid}/{payment.out_trade_no}?lang=en")
    phone.locator("[name=detail]").fill("Chapter 3 does not open")
    phone.locator("form[action*=complain] button").click()
    eventually(lambda: count(Job, Job.kind == "sync_dispute"), "the notification came")
    desk.shop.work()

    support = visit(role=Role.SUPPORT)
    page = support.open("/admin/disputes")
    expect(page.locator("tbody")).to_contain_text("23 h left for the first reply")
    page.locator("tbody a").first.click()
    expect(page.locator("main")).to_contain_text("Chapter 3 does not open")
    expect(page.locator("main")).not_to_contain_text("13800138000")
    page.get_by_role("link", name="Show the phone number").click()
    expect(page.locator("main")).to_contain_text("13800138000")
    page.get_by_role("link", name="Back to the dispute").click()
    page.fill("#reply-text", "It opens now: we repaired it.")
    page.get_by_role("button", name="Send the reply").click()
    desk.shop.work(2)
    expect(support.open("/admin/disputes").locator("tbody")).to_contain_text("71 h left to be done")
    page.locator("tbody a").first.click()
    page.get_by_label("The problem is really solved").check()
    page.get_by_role("button", name="Say that it is done").click()
    desk.shop.work(2)
    page.reload()
    badge(page, "Completed")
    [complaint] = desk.shop.sandbox.control("GET", "/control/complaints")["complaints"]
    assert complaint["state"] == "PROCESSED"
    acts = visit(role=Role.ADMIN).open("/admin/audit?action=dispute.phone_seen")
    expect(acts.locator("tbody tr")).to_have_count(1)


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
