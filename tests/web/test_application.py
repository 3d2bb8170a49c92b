"""Addresses that are remembered are the ones Flask builds; texts in templates are those of the request's language."""

import pytest
from flask import Flask, url_for

ORDER = "8k3hq2v9x0m4t7w1c5zr"


@pytest.mark.parametrize(
    ("endpoint", "values"),
    [
        ("storefront.courses", {}),
        ("storefront.course", {"course_id": "cpp-primer-5th"}),
        ("account.order", {"order_id": ORDER}),
        ("account.orders", {"page": "2"}),
        ("account.orders", {"page": 2}),
        ("sign_in.login", {"next": "/courses/cpp?a=b&c"}),
        ("storefront.course", {"course_id": "a/b c"}),
        ("checkout.qr", {"order_id": ORDER, "v": 3}),
        ("static", {"filename": "favicon.svg"}),
        ("checkout.show", {"order_id": ORDER, "_external": True}),
    ],
)
def test_an_address_is_the_one_flask_builds_the_first_time_and_the_second(app, endpoint, values):
    with app.test_request_context("/"):
        built = Flask.url_for(app, endpoint, **values)
        assert [url_for(endpoint, **values) for _ in range(2)] == [built, built]


def test_an_address_holds_the_value_of_this_time(app):
    with app.test_request_context("/"):
        assert [url_for("account.order", order_id=order) for order in ("first", "second")] == [
            "/account/orders/first",
            "/account/orders/second",
        ]


def test_behind_a_prefix_it_has_that_prefix(app):
    with app.test_request_context("/"):
        assert url_for("storefront.courses") == "/courses"
    with app.test_request_context("/", base_url="http://localhost/learn"):
        assert url_for("storefront.courses") == "/learn/courses"


class TestTemplates:
    def test_a_page_is_in_the_language_of_its_request_whichever_was_drawn_before(self, client):
        def title(wish: str) -> str:
            return client.get("/courses", headers={"Accept-Language": wish}).text.partition("<h1>")[2][:7]

        assert [title(wish) for wish in ("zh", "en", "zh", "en")] == ["课程</h1>"[:7], "Courses"] * 2
