"""The staff's desk in a browser: every page and every mistake readable by everybody, and a second factor set up."""

import base64
import dataclasses
import io
import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import expect

from portal.batches.models import Batch
from portal.cases.models import Case
from portal.catalogue.drafts import prepare_draft
from portal.catalogue.queries import course_of
from portal.catalogue.services import CourseFacts
from portal.disputes.models import Dispute
from portal.grants.services import ask_bulk, ask_course
from portal.kit import beijing, clock
from portal.kit.db import db
from portal.learners.models import Locale, Role
from portal.learners.sessions import actor
from portal.licenses.models import License
from portal.reconciliation.services import ONE_DAY, reconcile_day
from portal.reports.recount import bring_up_to_date
from tests.browser.accessibility import LOOKS, problems_of
from tests.browser.conftest import Visitor, both_languages
from tests.factories.learners import make_learner
from tests.factories.staff import code_of, set_up_phone, shown_seed
from tests.support.bills import Bill
from tests.support.complaints import PNG, Complaints
from tests.support.desk import Desk
from tests.support.shop import COURSE, Shop
from tests.support.transfers import TransferDesk

pytestmark = pytest.mark.browser
EMPTY = ["/disputes?state=processed", "/cases?state=closed", "/refunds?status=closed", "/users?q=nobody"]


def screens_of(app: Flask) -> list[str]:
    """Return the pages of the admin that have one address each."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]
    return sorted(
        rule.rule.removeprefix("/admin")
        for rule in rules
        if "GET" in (rule.methods or ()) and "<" not in rule.rule and "." not in rule.rule
    )


@pytest.fixture
def objects(shop: Shop, tools) -> dict[str, str]:
    """Give the portal one of everything that staff look at; return their pages by name."""
    desk = Desk(shop, tools)
    desk.limits(single_fen=5_000)
    buyer, boss = shop.buyer(), desk.person(Role.ADMIN)
    waiting, order_id = shop.buyer().buy(), desk.bought(buyer)
    refund = desk.ask_as_learner(buyer, order_id)
    other_id = desk.bought()
    part = desk.ask(other_id, 4_000)
    complaints = Complaints(shop.app, shop, shop.sandbox)
    picture = base64.b64encode(PNG).decode()
    complaints.complain(
        out_trade_no=shop.payment(order_id).out_trade_no, problem_type="REFUND", images=[picture]
    )
    complaints.look()
    yesterday = beijing.day_of(clock.now()) - ONE_DAY
    gateway = tools.gateway("wechat_pay")
    bill = Bill(yesterday, gateway.mchid, shop.payment(order_id).appid).paid("4200000009", "SHOP00001", 700)
    with shop.app.app_context():
        teacher = make_learner(role=Role.INSTRUCTOR)
        course = course_of(COURSE)
        cheaper = dataclasses.replace(CourseFacts.of(course), price_fen=7_700, is_on_sale=False)
        draft = prepare_draft(COURSE, cheaper, course.updated_at, actor(teacher))
        grant = ask_course(boss, teacher, COURSE, "paid by bank transfer", desk.tools)
        ask_bulk(
            boss, f"email,course_id\n{teacher.email},{COURSE}\nx@y.cn,{COURSE}", "class of autumn", tools
        )
        reconcile_day("wechat_pay", yesterday, tools, "operator:test", io.BytesIO(bill.packed()))
        bring_up_to_date()
        newest = {
            table.__tablename__: db.session.scalars(sa.select(key)).first()
            for table, key in (
                (License, License.id),
                (Batch, Batch.public_id),
                (Case, Case.id),
                (Dispute, Dispute.id),
            )
        }
    set_up_phone(shop.app, teacher)
    transfers = TransferDesk(shop, tools)
    transfers.limits(single_fen=0)
    transfers.offer()
    transfer, checked = transfers.told(), transfers.told()
    transfers.check(checked)
    return {
        "transfer": f"/confirmations/{transfers.transfer(transfer).reference}",
        "checked transfer": f"/confirmations/{transfers.transfer(checked).reference}",
        "order": f"/orders/{order_id}",
        "waiting": f"/orders/{waiting}",
        "refund": f"/refunds/{refund}",
        "sent refund": f"/refunds/{part}",
        "new refund": f"/refunds/new?order={other_id}",
        "license": f"/licenses/{newest['licenses']}",
        "license text": f"/licenses/{newest['licenses']}/text",
        "grant": f"/grants/{grant}",
        "job": f"/jobs/{newest['batches']}",
        "dispute": f"/disputes/{newest['disputes']}",
        "phone": f"/disputes/{newest['disputes']}/phone",
        "case": f"/cases/{newest['cases']}",
        "day": f"/reconciliation/{yesterday}",
        "lines": f"/reconciliation/{yesterday}/lines",
        "user": f"/users/{teacher.public_id}",
        "course": f"/courses/{COURSE}",
        "draft": f"/courses/{COURSE}/drafts/{draft}",
        "acts": f"/audit?subject=order:{order_id}",
    }


MISTAKES = [
    ("order", "comment"), ("order", "mail"), ("waiting", "close"), ("refund", "refuse"), ("new refund", "check"),
    ("license", "reissue"), ("license", "extend"), ("license", "revoke"), ("grant", "refuse"),
    ("/grants/new", "check"), ("/grants/bulk", "bulk/check"), ("dispute", "reply"), ("dispute", "approve_refund"),
    ("dispute", "reject_refund"), ("case", "comment"), ("case", "close"), ("user", "role"),
    ("user", "reset-phone"), ("course", COURSE), ("/settings", "banner"),
    ("transfer", "check"), ("transfer", "refuse"), ("checked transfer", "back"), ("course", "transfer"),
    ("draft", "refuse"),
]  # fmt: skip
SEND_EMPTY = """
    form => {
        for (const field of form.querySelectorAll("textarea, input:not([type=hidden], [type=radio])")) {
            if (field.type === "checkbox") field.checked = true;
            else field.value = "";
        }
        form.requestSubmit();
    }
"""


@both_languages
def test_every_page_is_for_everybody(
    visit: Callable[..., Visitor], session_app: Flask, objects: dict[str, str], locale: Locale
) -> None:
    boss, finance = visit(locale=locale, role=Role.ADMIN), visit(locale=locale, role=Role.FINANCE)
    paths = [*screens_of(session_app), *EMPTY, *objects.values()]
    found = []
    # Half of the looks in each language: there are many pages.
    looks = LOOKS[0::2] if locale is Locale.ZH else LOOKS[1::2]
    for path in paths:
        visitor = finance if path.startswith("/reconciliation") else boss
        page = visitor.open(f"/admin{path}")
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        found += problems_of(page, looks=looks)
    assert found == []


@both_languages
def test_every_mistake_is_said_beside_its_field(
    visit: Callable[..., Visitor], objects: dict[str, str], locale: Locale
) -> None:
    visitor = visit(locale=locale, role=Role.ADMIN)
    found = []
    for name, act in MISTAKES:
        page = visitor.open(f"/admin{objects.get(name, name)}")
        with page.expect_navigation():
            page.locator(f"main form[action$='{act}'], main form[action*='/{act}?']").first.evaluate(
                SEND_EMPTY
            )
        expect(page.locator(".error-summary")).to_be_focused()
        found += problems_of(page, ".error-summary, .is-wrong", [LOOKS[0], LOOKS[2]])
    assert found == []
    # The browser itself reports each 422.
    visitor.complaints.clear()


@both_languages
def test_a_phone_is_set_up_and_a_mistake_said(
    visit: Callable[..., Visitor], session_app: Flask, locale: Locale
) -> None:
    visitor = visit(locale=locale, role=Role.ADMIN)
    assert visitor.buyer is not None
    page = visitor.open("/admin/second-factor/set-up")
    page.locator("#second_factor_code").fill("1")
    page.click("main button.primary")
    expect(page.locator(".error-summary")).to_be_focused()
    assert problems_of(page) == []
    page.locator("#second_factor_code").fill(code_of(shown_seed(session_app, visitor.buyer.learner)))
    page.click("main button.primary")
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    assert problems_of(page) == []
    with page.expect_download() as download:
        page.locator("a[download]").click()
    kept = download.value.path().read_text()
    assert len(re.findall(r"^[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}$", kept, re.MULTILINE)) == 10
    page = visitor.open("/admin/confirm")
    page.click("main button.primary")
    expect(page.locator(".error-summary")).to_be_focused()
    assert problems_of(page) == []
    # The browser itself reports each 422.
    visitor.complaints.clear()
