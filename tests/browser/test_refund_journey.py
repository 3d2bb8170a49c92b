"""Money goes back, from the purchase to the revoked license, with everybody at a browser of their own."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask import Flask
from playwright.sync_api import Locator, Page, expect

from portal.learners.models import Role
from portal.refunds.models import RefundStatus
from tests.browser.conftest import Visitor
from tests.support.desk import Desk
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
    visit: Callable[..., Visitor], app: Flask, desk: Desk, buys_and_pays: Callable[[Visitor], str]
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
    badge(learner.open(f"/account/licenses/{license_['id']}"), "Revoked")
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
