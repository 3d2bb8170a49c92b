"""Courses, ways to pay, and the account."""

import pytest

from tests.support.editors import editor_of
from tests.support.shop import COURSE

pytestmark = pytest.mark.database


class TestCourses:
    def test_they_are_public(self, client):
        course = client.get(f"/api/v1/courses/{COURSE}", headers={"Accept-Language": "en"}).get_json()
        assert (course["title"], course["amount"], course["currency"]) == (
            "C++ Primer 5th Edition",
            9900,
            "CNY",
        )
        assert course["buy_url"].endswith(f"/courses/{COURSE}")
        assert "owned" not in course
        assert course in client.get("/api/v1/courses", headers={"Accept-Language": "en"}).get_json()["items"]

    def test_without_a_wish_they_are_in_chinese(self, client):
        assert "第五版" in client.get(f"/api/v1/courses/{COURSE}").get_json()["title"]

    def test_a_learner_sees_what_is_owned(self, editor, shop):
        assert editor.get(f"/courses/{COURSE}").get_json()["owned"] is False
        shop.notify(editor.begin().get_json()["id"])
        owned = {course["id"] for course in editor.get("/courses").get_json()["items"] if course["owned"]}
        assert owned == {COURSE}

    def test_an_editor_that_may_not_know_does_not(self, buyer):
        assert "owned" not in editor_of(buyer, scope="purchase").get(f"/courses/{COURSE}").get_json()

    @pytest.mark.parametrize(("search", "found"), [("PRIMER", 1), ("", 6), ("nothing like it", 0)])
    def test_they_can_be_searched(self, client, search, found):
        courses = client.get("/api/v1/courses", query_string={"q": search}).get_json()["items"]
        assert len(courses) == found

    def test_unchanged_they_are_not_sent_again(self, client, editor):
        first = client.get("/api/v1/courses")
        again = client.get("/api/v1/courses", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert first.headers["Cache-Control"] == "public, no-cache"
        assert "Authorization" in first.headers["Vary"]
        assert editor.get("/courses").headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("course_id", ["no-such-course", "CPP-PRIMER-5TH", "a", "%00", "课程"])
    def test_an_unknown_one_is_not_found(self, client, course_id):
        assert client.get(f"/api/v1/courses/{course_id}").get_json()["code"] == "not_found"


def test_the_ways_to_pay_are_public(client):
    methods = client.get("/api/v1/payments/methods", headers={"Accept-Language": "en"}).get_json()
    assert methods == {
        "items": [
            {
                "id": "wechat_pay",
                "name": "WeChat Pay",
                "available": True,
                "currencies": ["CNY"],
                "kinds": ["course"],
            },
            {
                "id": "transfer",
                "name": "Transfer to the instructor",
                "available": True,
                "currencies": ["CNY"],
                "kinds": ["course"],
            },
        ]
    }


@pytest.mark.parametrize("scope", ["catalog", "purchase", "licenses"])
def test_me_is_for_any_token(buyer, scope):
    me = editor_of(buyer, scope=scope).get("/me").get_json()
    learner = buyer.learner
    assert me == {"id": learner.public_id, "email": learner.email, "locale": "en", "role": "learner"}


class TestTransactions:
    def test_they_tell_what_was_bought_newest_first(self, editor, shop, clock):
        cancelled = editor.begin("javascript-complete").get_json()["id"]
        editor.cancel(cancelled)
        clock.travel(seconds=5)
        bought = editor.begin().get_json()["id"]
        shop.notify(bought)
        page = editor.get("/payments/transactions").get_json()
        assert (page["page"], page["limit"], page["total"]) == (1, 20, 2)
        assert [(item["id"], item["status"]) for item in page["items"]] == [
            (bought, "completed"),
            (cancelled, "cancelled"),
        ]
        first = page["items"][0]
        assert (first["type"], first["amount"], first["payment_method"]) == ("payment", 9900, "wechat_pay")
        assert first["transaction_id"] == shop.payment(bought).transaction_id
        assert first["paid_at"].endswith("Z")
        assert first["license_id"] == editor.get("/licenses").get_json()["items"][0]["id"]
        assert page["items"][1]["transaction_id"] is None

    def test_pages_count_what_matches(self, editor):
        for _ in range(3):
            editor.cancel(editor.begin().get_json()["id"])
        pages = [editor.get(f"/payments/transactions?limit=2&page={page}").get_json() for page in (1, 2, 3)]
        assert [len(page["items"]) for page in pages] == [2, 1, 0]
        assert {page["total"] for page in pages} == {3}

    @pytest.mark.parametrize(
        ("query", "total"),
        [
            ("status=cancelled", 1),
            ("status=completed", 0),
            ("type=payment", 1),
            ("type=refund", 0),
            ("date_from=2026-01-01", 1),
            ("date_from=9999-12-31", 0),
            ("date_to=9999-12-31", 1),
            ("date_to=0001-01-01", 0),
            ("date_from=2027-01-01&date_to=2026-01-01", 0),
        ],
    )
    def test_they_can_be_chosen(self, editor, query, total):
        editor.cancel(editor.begin().get_json()["id"])
        page = editor.get(f"/payments/transactions?{query}").get_json()
        assert (page["total"], len(page["items"])) == (total, total)

    def test_a_day_counts_itself(self, editor, shop):
        session_id = editor.begin().get_json()["id"]
        day = f"{shop.order(session_id).created_at:%Y-%m-%d}"
        assert editor.get(f"/payments/transactions?date_from={day}&date_to={day}").get_json()["total"] == 1
