"""Refunds, a license given by hand and a complaint from end to end, with everybody at a browser of their own."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from portal.disputes.syncing import keep_notify_url
from portal.learners.models import Role
from portal.outbox.models import Job
from portal.refunds.models import RefundStatus
from tests.browser.conftest import Visitor, badge
from tests.support.desk import Desk
from tests.support.editors import Editor, editor_of
from tests.support.running import eventually
from tests.support.shop import COURSE

pytestmark = pytest.mark.browser


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


def approves(staff: Visitor, path: str) -> Page:
    """Approve what waits on a page; return the page, which says what came of it."""
    page = staff.open(path)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("main > .notice")).to_be_visible()
    return page


def cannot_approve_alone(asker: Visitor, other: Visitor, path: str) -> None:
    """See no button on the page of one's own request, and a forged form refused that has everything another's has."""
    digest = other.open(path).locator("[name=digest]").first.input_value()
    page = asker.open(path)
    expect(page.locator(".desk-content .notice")).to_contain_text("Another person has to approve this.")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    form: dict[str, str | float | bool] = {
        "csrf_token": page.locator("[name=csrf_token]").first.input_value(),
        "digest": digest,
    }
    forged = asker.context.request.post(f"{page.url}/approve", form=form)
    assert forged.status == 403
    assert "you asked for it" in forged.text()


def has_license(learner: Visitor, editor: Editor, support: Visitor) -> None:
    """See one license that is good: in the learner's account, by the API, and on the desk's list."""
    [license_] = editor.get("/licenses").get_json()["items"]
    assert license_["status"] == "active"
    badge(learner.open("/account/licenses"), "Active")
    badge(learner.open(f"/account/licenses/{license_['id']}"), "Active")
    badge(support.open(f"/admin/licenses?q={license_['id']}").locator("table"), "Active")


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

    page = approves(finance, f"/admin/refunds/{number}")
    expect(page.locator("main > .notice")).to_contain_text("another one has to agree as well")
    badge(page, "Waiting for a decision")
    cannot_approve_alone(finance, other, f"/admin/refunds/{number}")

    badge(approves(other, f"/admin/refunds/{number}"), "Approved")
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
    visit: Callable[..., Visitor], desk: Desk, clock, buys_and_pays: Callable[[Visitor], str]
) -> None:
    learner = visit()
    order_id = buys_and_pays(learner)
    assert learner.buyer is not None
    editor = editor_of(learner.buyer)
    support, finance, other = (visit(role=role) for role in (Role.SUPPORT, Role.FINANCE, Role.FINANCE))

    def goes_back(amount: str, outcome: str, status: RefundStatus) -> str:
        number = asks(finance, order_id, amount)
        cannot_approve_alone(finance, other, f"/admin/refunds/{number}")
        approves(other, f"/admin/refunds/{number}")
        ends(desk, number, outcome, status)
        return number

    def is_left(amount: str, back: str) -> None:
        expect(support.open(f"/admin/orders/{order_id}").locator("main")).to_contain_text(
            f"Of ¥99.00 paid, ¥{back} went back; ¥{amount} can still go back."
        )
        badge(learner.open(f"/account/orders/{order_id}"), "Partly refunded")
        has_license(learner, editor, support)

    part = goes_back("40.00", "SUCCESS", RefundStatus.SUCCEEDED)
    badge(finance.open(f"/admin/refunds/{part}"), "Refunded")
    is_left("59.00", back="40.00")

    clock.travel(minutes=2)  # WeChat wants a minute between two parts
    number = goes_back("20.00", "ABNORMAL", RefundStatus.ABNORMAL)
    page = finance.open(f"/admin/refunds/{number}")
    badge(page, "Delayed")
    expect(page.locator(".notice.warning")).to_contain_text("Next step: open WeChat Pay's merchant platform")
    expect(learner.open(f"/account/orders/{order_id}").locator("main")).to_contain_text("you need do nothing")
    ends(desk, number, "SUCCESS", RefundStatus.SUCCEEDED)
    badge(finance.open(f"/admin/refunds/{number}"), "Refunded")
    is_left("39.00", back="60.00")
    desk.shop.work()
    assert desk.shop.differences() == []


def test_a_license_is_given_by_hand_against_a_transaction_once_another_agrees(
    visit: Callable[..., Visitor], desk: Desk
) -> None:
    learner = visit()
    assert learner.buyer is not None
    editor = editor_of(learner.buyer)
    support, finance, other = (visit(role=role) for role in (Role.SUPPORT, Role.FINANCE, Role.FINANCE))
    page = finance.open(f"/admin/grants/new?email={learner.buyer.learner.email}")
    page.select_option("#course_id", COURSE)
    page.fill("#reference", "4200002468202611265550001")
    page.fill("#reason", "Paid to the old account, finance has the slip")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".answers")).to_contain_text("¥99.00")
    page.get_by_role("button", name="Give the license").click()
    badge(page, "Waits for approval")
    path = page.url.removeprefix(finance.origin)
    assert editor.get("/licenses").get_json()["items"] == []

    cannot_approve_alone(finance, other, path)
    assert editor.get("/licenses").get_json()["items"] == []
    expect(other.open(path).locator(".facts")).to_contain_text("4200002468202611265550001")
    badge(approves(other, path), "Given")
    has_license(learner, editor, support)
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
