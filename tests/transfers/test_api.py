"""An editor buys by transfer as by any other way: the same session, the same words, the same license."""

import pytest

from portal.catalogue.models import OfferMode
from tests.support.editors import editor_of

pytestmark = pytest.mark.database


def test_the_session_waits_for_people_and_ends_with_the_license(desk, shop):
    buyer = shop.buyer()
    editor = editor_of(buyer)
    course = editor.get("/courses/cpp-primer-5th").get_json()
    assert course["payment_methods"] == ["wechat_pay", "transfer"]
    begun = editor.post(
        "/payments/sessions",
        {"product_id": "cpp-primer-5th", "payment_method": "transfer"},
        **{"Idempotency-Key": "k1"},
    )
    session = begun.get_json()
    assert (begun.status_code, session["status"], session["payment_method"]) == (201, "pending", "transfer")
    assert session["payment_url"].endswith(f"/checkout/{session['id']}")
    assert session["code_url"] is None
    desk.tell(buyer, session["id"])
    desk.check(session["id"])
    done = editor.get(f"/payments/sessions/{session['id']}").get_json()
    assert (done["status"], done["license"]["course_id"]) == ("completed", "cpp-primer-5th")
    (paid,) = editor.get("/payments/transactions").get_json()["items"]
    assert (paid["payment_method"], paid["transaction_id"]) == ("transfer", "1000050001")


def test_a_course_is_sold_only_in_the_ways_it_names(desk, shop):
    desk.offer(OfferMode.ONLY, "javascript-complete")
    editor = editor_of(shop.buyer())
    for product, method in (("javascript-complete", "wechat_pay"), ("react-complete", "transfer")):
        answer = editor.post(
            "/payments/sessions",
            {"product_id": product, "payment_method": method},
            **{"Idempotency-Key": f"{product}-{method}"},
        )
        assert (answer.status_code, answer.get_json()["code"]) == (422, "way_not_offered")
