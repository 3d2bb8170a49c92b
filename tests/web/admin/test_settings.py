"""An admin pauses the sale, puts up a banner, edits a course; prices seen are prices kept."""

import html
import re

import pytest
import sqlalchemy as sa

from portal.catalogue.models import Course, Price
from portal.kit.db import db, transaction
from portal.learners.models import Role
from portal.staff.models import CourseInstructor
from tests.support.shop import COURSE, Buyer

pytestmark = pytest.mark.database
SETTINGS, PAGE = "/admin/settings", f"/admin/courses/{COURSE}"


@pytest.fixture
def admin(shop) -> Buyer:
    """An admin at a browser, a code just entered."""
    return shop.buyer(role=Role.ADMIN)


@pytest.fixture(autouse=True)
def fresh_board(tools):
    """Forget what the test before switched."""
    tools.board.forget()


def turn(admin: Buyer, name: str, version: str = "0", **fields):
    form = {"is_on": "y", "text_zh": "盘点中，请稍后", "text_en": "Stocktaking, back soon", **fields}
    data = {
        f"{name}-{field}": value for field, value in {"version": version, **form}.items() if value is not None
    }
    return admin.post(f"{SETTINGS}/{name}", data, page=SETTINGS)


class TestSwitches:
    def test_a_pause_is_said_everywhere_and_stops_new_orders_only(self, admin, shop):
        begun, late = shop.buyer(), shop.buyer()
        order_id = begun.buy()
        assert turn(admin, "sales_pause").status_code == 303
        assert "Stocktaking, back soon" in late.get("/courses").get_data(as_text=True)
        refused = late.post(f"/courses/{COURSE}/buy", page=f"/courses/{COURSE}")
        assert refused.location == f"/courses/{COURSE}"
        assert begun.state(order_id) == "awaiting_payment"
        shop.pay(order_id)
        assert shop.notify(order_id).status_code == 200
        assert begun.state(order_id) == "delivered"
        turn(admin, "sales_pause", "1", is_on=None)
        assert late.buy()

    def test_a_banner_is_in_the_readers_language(self, admin, client):
        turn(admin, "banner", text_en="<b>Sale</b>")
        page = client.get("/courses", headers={"Accept-Language": "en"}).get_data(as_text=True)
        assert "&lt;b&gt;Sale&lt;/b&gt;" in page
        assert "盘点中" in client.get("/courses", headers={"Accept-Language": "zh-CN"}).get_data(as_text=True)

    @pytest.mark.parametrize(
        "fields",
        [
            {"text_zh": ""},
            {"text_en": " "},
            {"text_en": "x" * 301},
            {"text_en": "two\nlines"},
            {"text_zh": "\u202eabc"},
            {"version": "-1"},
            {"version": "x"},
        ],
    )
    def test_what_says_nothing_or_too_much_is_not_switched_on(self, admin, client, fields):
        response = turn(admin, "banner", **fields)
        assert response.status_code == 422
        assert "error-summary" in response.get_data(as_text=True)
        assert "shop-notice" not in client.get("/courses").get_data(as_text=True)

    def test_a_page_that_is_old_turns_nothing(self, admin):
        turn(admin, "banner")
        assert turn(admin, "banner", "0", text_en="another").status_code == 409
        assert "another" not in admin.get("/courses").get_data(as_text=True)

    def test_there_is_no_such_switch(self, admin):
        assert turn(admin, "everything").status_code == 404

    def test_keys_are_shown_and_secrets_are_not(self, admin, tools):
        page = admin.get(SETTINGS).get_data(as_text=True)
        assert tools.key_ring.infos()[-1].kid in page
        settings = tools.settings
        for secret in (settings.SECRET_KEY, settings.WECHATPAY_APIV3_KEY, settings.LICENSE_KEY_PASSPHRASE):
            assert secret.get_secret_value() not in page
        assert "PRIVATE KEY" not in page


def edit(admin: Buyer, page: str | None = None, **fields):
    text = admin.get(PAGE).get_data(as_text=True) if page is None else page
    seen = html.unescape(re.search(r'name="seen"[^>]*value="([^"]+)"', text)[1])
    form = {
        "seen": seen,
        "title_zh": "新书名",
        "title_en": "New title",
        "summary_zh": "简介",
        "summary_en": "Summary",
        "price": "88.50",
        "license_days": "30",
        "max_downloads": "3",
        "is_on_sale": "y",
        **fields,
    }
    return admin.post(PAGE, {name: value for name, value in form.items() if value is not None}, page=PAGE)


class TestCourses:
    def test_a_new_price_is_in_the_history_and_no_order_changes(self, app, admin, shop):
        order_id = shop.buyer().buy()
        assert edit(admin).status_code == 303
        assert shop.order(order_id).amount_fen == 9900
        with app.app_context():
            prices = db.session.scalars(
                sa.select(Price.amount_fen).where(Price.product_id == COURSE).order_by(Price.id)
            ).all()
            assert prices == [9900, 8850]
            course = db.session.get_one(Course, COURSE)
            assert (course.price_fen, course.title_en, course.license_days) == (8850, "New title", 30)
        assert "¥88.50" in shop.buyer().get(f"/courses/{COURSE}").get_data(as_text=True)

    def test_withdrawn_it_cannot_be_bought(self, admin, shop):
        edit(admin, is_on_sale=None)
        page = shop.buyer().get(f"/courses/{COURSE}").get_data(as_text=True)
        assert f"/courses/{COURSE}/buy" not in page
        assert "New title" not in shop.buyer().get("/courses").get_data(as_text=True)

    def test_of_two_editors_the_second_looks_again(self, admin):
        old = admin.get(PAGE).get_data(as_text=True)
        assert edit(admin).status_code == 303
        assert edit(admin, page=old, title_en="Overwritten").status_code == 409
        assert "New title" in admin.get(PAGE).get_data(as_text=True)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *(
                ("price", text)
                for text in ("", "1e2", "1_000", "１００", "+5", "0.001", "-1", "9" * 20, "1000000.01")
            ),
            ("license_days", "0"),
            ("license_days", "1.5"),
            ("max_downloads", "x"),
            ("title_zh", ""),
            ("title_en", "a\nb"),
            ("title_en", "x" * 121),
            ("summary_en", "\x07"),
            ("seen", "2026-99-99T00:00:00+00:00"),
            ("seen", "yesterday"),
            ("seen", "2026-11-26"),
        ],
    )
    def test_a_wrong_field_is_named_and_nothing_changes(self, app, admin, field, value):
        response = edit(admin, **{field: value})
        assert response.status_code == 422
        assert "error-summary" in response.get_data(as_text=True)
        with app.app_context():
            assert db.session.get_one(Course, COURSE).price_fen == 9900

    def test_instructors_see_what_they_teach_and_change_nothing(self, app, shop):
        teacher = shop.buyer(role=Role.INSTRUCTOR)
        assert teacher.get(PAGE).status_code == 404
        with app.app_context(), transaction():
            db.session.add(CourseInstructor(learner_id=teacher.learner.id, course_id=COURSE))
        page = teacher.get(PAGE).get_data(as_text=True)
        assert "¥99.00" in page
        assert 'name="price"' not in page
        assert edit(teacher, page='name="seen" value="2026-11-26T00:00:00+00:00"').status_code == 403
