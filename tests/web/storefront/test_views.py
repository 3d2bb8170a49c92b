"""The shop window: what is listed, and the one button that is right for the visitor."""

import pytest
import sqlalchemy as sa

from portal.kit.db import db
from portal.learners.models import Locale
from tests.support.shop import COURSE


def text_of(response) -> str:
    assert response.status_code == 200, response.status
    return response.get_data(as_text=True)


def change(app, statement: str) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text(statement))


class TestCourses:
    def test_the_front_door_leads_here(self, client):
        response = client.get("/")
        assert (response.status_code, response.location) == (302, "/courses")

    def test_each_course_shows_its_price(self, client):
        page = text_of(client.get("/courses", headers={"Accept-Language": "en"}))
        assert "C++ Primer" in page
        assert "¥99.00" in page
        assert "Free" in page

    @pytest.mark.parametrize("q", ["C++", "c++ PRIMER", "cpp-primer", "  primer "])
    def test_a_search_finds_by_title_and_id(self, client, q):
        page = text_of(client.get("/courses", query_string={"q": q}))
        assert f"/courses/{COURSE}" in page
        assert "/courses/java-fundamentals" not in page

    @pytest.mark.parametrize(
        "q", ["no such thing", "<script>alert(1)</script>", "%", "' OR 1=1", "x" * 5000, "\x00"]
    )
    def test_a_search_for_nothing_says_so_and_leads_on(self, client, q):
        page = text_of(client.get("/courses", query_string={"q": q}, headers={"Accept-Language": "en"}))
        assert "No course matches" in page
        assert "Show all courses" in page
        assert "<script>alert" not in page

    def test_an_empty_catalogue_is_not_an_empty_page(self, client, app):
        change(app, "UPDATE products SET is_on_sale = 0")
        assert "No courses yet" in text_of(client.get("/courses", headers={"Accept-Language": "en"}))

    def test_an_owned_course_is_marked(self, shop):
        buyer = shop.buyer(locale=Locale.EN)
        shop.notify(buyer.buy())
        assert "Owned" in text_of(buyer.get("/courses"))


class TestCourse:
    def test_a_stranger_is_led_to_sign_in_and_back(self, client):
        assert f"/login?next=/courses/{COURSE}" in text_of(client.get(f"/courses/{COURSE}"))

    def test_a_learner_can_buy_at_the_price_on_the_page(self, shop):
        page = text_of(shop.buyer(locale=Locale.EN).get(f"/courses/{COURSE}"))
        assert f'action="/courses/{COURSE}/buy"' in page
        assert 'name="price_fen" value="9900"' in page
        assert "Buy for ¥99.00" in page

    def test_an_open_order_is_continued(self, shop):
        buyer = shop.buyer(locale=Locale.EN)
        order_id = buyer.buy()
        page = text_of(buyer.get(f"/courses/{COURSE}"))
        assert f'href="/checkout/{order_id}"' in page
        assert "/buy" not in page

    def test_an_owner_sees_the_license(self, shop):
        buyer = shop.buyer(locale=Locale.EN)
        shop.notify(buyer.buy())
        page = text_of(buyer.get(f"/courses/{COURSE}"))
        assert "See my license" in page
        assert "/buy" not in page

    def test_a_free_course_needs_nothing(self, shop):
        page = text_of(shop.buyer(locale=Locale.EN).get("/courses/python-3rd"))
        assert "No license needed" in page
        assert "/buy" not in page

    def test_a_withdrawn_course_says_so(self, shop, app):
        change(app, "UPDATE products SET is_on_sale = 0")
        page = text_of(shop.buyer(locale=Locale.EN).get(f"/courses/{COURSE}"))
        assert "no longer sold" in page
        assert "/buy" not in page

    def test_chapters_say_which_need_a_license(self, client):
        page = text_of(client.get(f"/courses/{COURSE}", headers={"Accept-Language": "en"}))
        assert page.count("With a license") == 6
        assert page.count("Free to read") == 1

    @pytest.mark.parametrize("course_id", ["nowhere", "课程", "CPP-PRIMER-5TH", "a" * 300, "%00", "..%2f"])
    def test_what_does_not_exist_is_not_found(self, client, course_id):
        assert client.get(f"/courses/{course_id}").status_code == 404
