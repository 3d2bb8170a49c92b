"""Payment sessions, as an editor meets them."""

import threading

import pytest
import sqlalchemy as sa

from portal.idempotency.models import IdempotencyKey
from portal.kit.db import db
from portal.orders.models import Order
from portal.payments.models import Payment
from tests.support.shop import COURSE
from tests.support.statements import counted_statements

pytestmark = pytest.mark.database

OTHER = "javascript-complete"
FIELDS = {
    "id", "status", "product", "amount", "currency", "payment_method", "payment_url", "code_url", "qr_svg",
    "expires_at", "poll_after", "license", "message",
}  # fmt: skip


def at_once(number, do):
    """Run `do(0)` … `do(number - 1)` at the same time and return what they returned."""
    results = [None] * number
    ready = threading.Barrier(number)

    def run(position):
        ready.wait()
        results[position] = do(position)

    threads = [threading.Thread(target=run, args=(position,)) for position in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class TestBegin:
    def test_it_opens_a_session_with_a_code_to_scan(self, editor, shop):
        response = editor.begin()
        session = response.get_json()
        assert response.status_code == 201
        assert set(session) == FIELDS
        assert (session["status"], session["amount"], session["currency"]) == ("pending", 9900, "CNY")
        assert session["product"] == {"id": COURSE, "kind": "course", "title": "C++ Primer 5th Edition"}
        assert session["code_url"] == shop.payment(session["id"]).code_url
        assert session["payment_url"].endswith(f"/checkout/{session['id']}")
        assert session["poll_after"] == 2
        assert session["license"] is None
        assert response.headers["Cache-Control"] == "no-store"

    def test_its_code_is_the_one_on_the_page(self, editor, buyer):
        session = editor.begin().get_json()
        assert buyer.get(f"/checkout/{session['id']}/qr.svg").get_data(as_text=True) == session["qr_svg"]

    def test_an_order_of_the_page_is_a_session_too(self, editor, buyer):
        order_id = buyer.buy()
        response = editor.begin()
        assert (response.status_code, response.get_json()["id"]) == (200, order_id)

    def test_the_open_session_is_returned_and_not_doubled(self, editor, count):
        first, second = editor.begin(), editor.begin()
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.get_json()["id"] == second.get_json()["id"]
        assert (count(Order), count(Payment)) == (1, 1)

    def test_an_owned_course_is_a_conflict_that_names_the_license(self, editor, buyer, shop):
        shop.notify(buyer.buy())
        response = editor.begin()
        assert response.status_code == 409
        assert response.get_json()["code"] == "already_owned"
        assert response.get_json()["license_id"] == editor.get("/licenses").get_json()["items"][0]["id"]

    def test_a_sixth_open_order_is_too_many(self, editor, app, monkeypatch):
        monkeypatch.setattr("portal.orders.services.OPEN_ORDERS_ALLOWED", 1)
        assert editor.begin().status_code == 201
        response = editor.begin(OTHER)
        assert (response.status_code, response.get_json()["code"]) == (429, "too_many_open_orders")
        assert int(response.headers["Retry-After"]) > 0

    @pytest.mark.parametrize(
        ("product", "status", "code"),
        [
            ("no-such-course", 404, "not_found"),
            ("CPP-PRIMER-5TH", 404, "not_found"),
            ("cpp-primer-5th ", 404, "not_found"),
            ("python-3rd", 422, "not_for_sale"),
        ],
    )
    def test_what_cannot_be_bought_is_refused(self, editor, product, status, code, count):
        response = editor.begin(product)
        assert (response.status_code, response.get_json()["code"]) == (status, code)
        assert (count(Order), count(IdempotencyKey)) == (0, 0)

    def test_when_wechat_does_not_answer_the_session_stands_and_the_code_follows(self, editor, shop, clock):
        shop.sandbox.control("POST", "/control/faults", {"route": "create", "kind": "5xx"})
        session = editor.begin().get_json()
        assert (session["status"], session["code_url"], session["poll_after"]) == ("pending", None, 15)
        assert session["message"].startswith("WeChat Pay does not answer")
        shop.sandbox.control("DELETE", "/control/faults")
        clock.travel(seconds=20)
        shop.work()
        assert editor.session(session["id"]).get_json()["code_url"].startswith("weixin://")


class TestIdempotencyKey:
    def test_the_same_key_and_body_get_the_same_answer(self, editor, count):
        first, second = editor.begin(key="k1"), editor.begin(key="k1")
        assert (second.status_code, second.data) == (first.status_code, first.data)
        assert second.headers["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first.headers
        assert count(Order) == 1

    def test_the_same_answer_even_when_the_session_has_ended(self, editor):
        first = editor.begin(key="k1")
        editor.cancel(first.get_json()["id"])
        assert editor.begin(key="k1").data == first.data

    def test_another_body_under_the_same_key_is_refused(self, editor, count):
        editor.begin(key="k1")
        response = editor.begin(OTHER, key="k1")
        assert (response.status_code, response.get_json()["code"]) == (422, "idempotency_mismatch")
        assert count(Order) == 1

    def test_the_key_of_another_learner_is_another_key(self, editor, stranger, count):
        mine, theirs = editor.begin(key="k1"), stranger.begin(key="k1")
        assert (mine.status_code, theirs.status_code) == (201, 201)
        assert mine.get_json()["id"] != theirs.get_json()["id"]
        assert count(Order) == 2

    @pytest.mark.parametrize("key", ["", "x" * 256, "with blank", "schl\u00fcssel"])
    def test_a_key_that_is_none_is_a_bad_request(self, editor, key, count):
        response = editor.post(
            "/payments/sessions",
            {"product_id": COURSE, "payment_method": "wechat_pay"},
            **{"Idempotency-Key": key},
        )
        assert (response.status_code, response.get_json()["code"]) == (400, "idempotency_key_missing")
        assert count(Order) == 0

    def test_no_key_is_a_bad_request(self, editor, count):
        response = editor.post("/payments/sessions", {"product_id": COURSE, "payment_method": "wechat_pay"})
        assert (response.status_code, response.get_json()["code"]) == (400, "idempotency_key_missing")
        assert count(Order) == 0

    def test_255_characters_are_a_key(self, editor):
        assert editor.begin(key="~" * 255).status_code == 201

    def test_while_the_first_runs_a_repeat_waits_and_later_goes_on(self, editor, app, clock, count):
        first = editor.begin(key="k1")
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(sa.update(IdempotencyKey).values(answer=None))
        waiting = editor.begin(key="k1")
        assert (waiting.status_code, waiting.get_json()["code"]) == (409, "in_progress")
        assert int(waiting.headers["Retry-After"]) >= 1
        clock.travel(seconds=31)
        went_on = editor.begin(key="k1")
        assert went_on.status_code == 201
        assert went_on.get_json()["id"] == first.get_json()["id"]
        assert count(Order) == 1

    def test_a_call_that_died_before_wechat_was_asked_gets_its_code_on_repeat(
        self, editor, app, clock, shop, monkeypatch
    ):
        def dies(*_arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr("portal.payments.once.open_payment", dies)
        # A process that is killed releases nothing.
        monkeypatch.setattr("portal.idempotency.services.release", lambda _claim: None)
        with pytest.raises(KeyboardInterrupt):
            editor.begin(key="k1")
        monkeypatch.undo()
        clock.travel(seconds=31)
        response = editor.begin(key="k1")
        assert response.status_code == 201
        assert response.get_json()["code_url"].startswith("weixin://")
        assert shop.calls(response.get_json()["id"], "create") == 1

    def test_keys_are_kept_for_two_days_and_not_for_ever(self, editor, shop, clock, count):
        editor.begin(key="k1")
        clock.travel(hours=48)
        shop.work()
        assert count(IdempotencyKey) == 1
        clock.travel(hours=25)
        shop.work()
        assert count(IdempotencyKey) == 0


class TestAtOnce:
    def test_32_keys_for_one_course_make_one_session_and_one_number_at_wechat(self, editor, shop, count):
        answers = at_once(32, lambda number: editor.begin(key=f"k{number}"))
        assert sorted({answer.status_code for answer in answers}) == [200, 201]
        assert [answer.status_code for answer in answers].count(201) == 1
        assert len({answer.get_json()["id"] for answer in answers}) == 1
        assert (count(Order), count(Payment)) == (1, 1)
        assert len(shop.sandbox.control("GET", "/control/orders")["orders"]) == 1

    def test_16_calls_with_one_key_make_one_session(self, editor, shop, count):
        answers = at_once(16, lambda _number: editor.begin(key="k"))
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert {answer.get_json()["code"] for answer in answers if answer.status_code == 409} <= {
            "in_progress"
        }
        assert len({answer.data for answer in answers if answer.status_code == 201}) == 1
        assert (count(Order), count(IdempotencyKey)) == (1, 1)


class TestPolling:
    def test_it_costs_two_statements_and_an_unchanged_session_is_not_drawn(self, editor, app, monkeypatch):
        session_id = editor.begin().get_json()["id"]
        with counted_statements(app) as statements:
            first = editor.session(session_id)
        assert (first.status_code, len(statements)) == (200, 2)

        def draws(*_arguments):
            raise AssertionError("drawn")

        monkeypatch.setattr("portal.web.api.v1.payments.session_facts", draws)
        with counted_statements(app) as statements:
            again = editor.session(session_id, **{"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data, len(statements)) == (304, b"", 2)

    def test_head_is_the_same_without_a_body(self, editor, app):
        session_id = editor.begin().get_json()["id"]
        path = f"/api/v1/payments/sessions/{session_id}"
        response = app.test_client().head(path, headers=editor.headers)
        assert (response.status_code, response.data) == (200, b"")
        assert response.headers["ETag"] == editor.session(session_id).headers["ETag"]

    def test_every_change_changes_the_etag(self, editor, shop, clock):
        session_id = editor.begin().get_json()["id"]
        seen = [editor.session(session_id).headers["ETag"]]
        clock.travel(seconds=70)
        seen.append(editor.session(session_id).headers["ETag"])
        shop.notify(session_id)
        seen.append(editor.session(session_id).headers["ETag"])
        editor.language = "zh-CN"
        seen.append(editor.session(session_id).headers["ETag"])
        assert len(set(seen)) == 4

    def test_it_slows_down_with_time(self, editor, clock):
        session_id = editor.begin().get_json()["id"]
        paces = []
        for seconds in (0, 61, 300):
            clock.travel(seconds=seconds)
            paces.append(editor.session(session_id).get_json()["poll_after"])
        assert paces == [2, 5, 15]

    def test_paid_it_is_completed_with_its_license_inside(self, editor, shop):
        session_id = editor.begin().get_json()["id"]
        shop.notify(session_id)
        session = editor.session(session_id).get_json()
        assert session["status"] == "completed"
        assert session["license"]["course_id"] == COURSE
        assert session["license"]["key"].count("|") == 1
        assert session["code_url"] is None

    def test_paid_without_a_signing_key_it_is_paid_and_says_so(
        self, editor, shop, tools, tmp_path, monkeypatch
    ):
        session_id = editor.begin().get_json()["id"]
        monkeypatch.setattr(tools.key_ring, "_directory", tmp_path)
        shop.notify(session_id)
        session = editor.session(session_id).get_json()
        assert (session["status"], session["license"], session["poll_after"]) == ("paid", None, 2)
        assert session["message"] == "Your payment has arrived. The license is being made."

    def test_the_message_is_in_the_callers_language(self, editor):
        session_id = editor.begin().get_json()["id"]
        editor.language = "zh-CN,zh;q=0.9,en;q=0.8"
        assert any(
            "\u4e00" <= letter <= "\u9fff" for letter in editor.session(session_id).get_json()["message"]
        )
        editor.language = ""
        assert editor.session(session_id).get_json()["message"].startswith("Scan")

    def test_money_that_buys_nothing_is_told_as_going_back(self, editor, buyer, shop):
        session_id = editor.begin().get_json()["id"]
        late = shop.notification(session_id)
        editor.cancel(session_id)
        shop.notify(editor.begin().get_json()["id"])
        shop.deliver(late)
        session = editor.session(session_id).get_json()
        assert session["status"] == "refunded"
        listed = editor.get("/payments/transactions?status=refunded").get_json()
        assert [item["id"] for item in listed["items"]] == [session_id]
