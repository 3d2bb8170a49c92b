"""A course paid by transfer, as learner, instructor and finance see it in a browser."""

import dataclasses
from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import expect

from portal.kit.db import db, transaction
from portal.learners.models import Role
from portal.staff.models import CourseInstructor
from tests.browser.accessibility import problems_of
from tests.browser.conftest import Visitor
from tests.support.editors import editor_of
from tests.support.shop import COURSE, Shop
from tests.support.transfers import TransferDesk, picture

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(shop: Shop, tools, session_app: Flask, monkeypatch) -> TransferDesk:
    """A course sold by transfer, in a shop where each confirmation needs two persons."""
    strict = tools.settings.model_copy(update={"APPROVAL_SINGLE_FEN": 0})
    monkeypatch.setitem(session_app.extensions, "portal_tools", dataclasses.replace(tools, settings=strict))
    made = TransferDesk(shop, tools)
    made.offer()
    return made


def test_from_the_transfer_to_the_license_by_two_persons(
    visit: Callable[..., Visitor], desk: TransferDesk, shop: Shop, tmp_path
) -> None:
    proof = tmp_path / "proof.png"
    proof.write_bytes(picture(size=(300, 600)))
    learner = visit(viewport={"width": 360, "height": 800})
    teacher, finance = visit(role=Role.INSTRUCTOR), visit(role=Role.FINANCE)
    assert learner.buyer is not None
    assert teacher.buyer is not None
    with shop.app.app_context(), transaction():
        db.session.add(CourseInstructor(learner_id=teacher.buyer.learner.id, course_id=COURSE))

    page = learner.open(f"/courses/{COURSE}")
    page.click("form[action$='/transfer'] button")
    page.wait_for_url("**/checkout/**")
    order_id = page.url.rsplit("/", 1)[1]
    reference = page.input_value("#reference")
    assert page.locator("figure.qr img").evaluate("image => image.naturalWidth") > 0
    assert problems_of(page) == []
    page.click("#tell")
    page.set_input_files("#picture", proof)
    page.fill("#number", "0001")
    assert problems_of(page) == []
    page.click("main button.pay")
    expect(page.locator("#result")).to_have_text("We are looking for your transfer")
    assert problems_of(page) == []

    work = teacher.open("/admin/confirmations")
    work.get_by_text(reference).click()
    assert work.locator("img.evidence").evaluate("image => image.naturalWidth") == 300
    work.fill("#number", "1000050001")
    work.get_by_role("button", name="This came: confirm it").click()
    expect(work.get_by_text("another one has to agree").first).to_be_visible()
    assert work.locator("form[action$='/approve']").count() == 0

    second = finance.open(f"/admin/confirmations/{reference}")
    second.get_by_role("button", name="I agree: confirm it").click()
    expect(second.get_by_text("Confirmed. The learner gets what was paid for.")).to_be_visible()
    assert problems_of(second) == []

    page = learner.open(f"/checkout/{order_id}")
    expect(page.locator("#result")).to_have_text("Your license is ready")
    assert problems_of(page) == []
    session = editor_of(learner.buyer).get(f"/payments/sessions/{order_id}").get_json()
    assert session["status"] == "completed"
    assert session["license"]["key"] in page.content()
