"""Buying, and the one page of an order, as a browser without script meets them."""

import re
import threading
from datetime import datetime

import pytest
import sqlalchemy as sa

from portal.kit.db import db
from portal.licenses.models import License
from portal.orders.models import Order, OrderStatus
from portal.payments.models import Payment, PaymentStatus
from tests.support.shop import COURSE
from tests.support.statements import counted_statements

pytestmark = pytest.mark.database


class TestBuy:
    def test_it_places_the_order_and_shows_its_code(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        assert re.fullmatch("[0-9a-z]{20}", order_id)
        order, payment = shop.order(order_id), shop.payment(order_id)
        assert (order.amount_fen, order.status) == (9900, OrderStatus.PENDING)
        books = shop.sandbox.control("GET", f"/control/orders/{payment.out_trade_no}")
        assert books["code_url"] == payment.code_url
        assert buyer.state(order_id) == "awaiting_payment"
        page = buyer.get(f"/checkout/{order_id}")
        assert page.status_code == 200
        assert order_id in page.get_data(as_text=True)

    def test_the_code_is_an_image_for_its_owner_only(self, shop):
        buyer, other = shop.buyer(), shop.buyer()
        order_id = buyer.buy()
        image = buyer.get(f"/checkout/{order_id}/qr.svg")
        assert image.mimetype == "image/svg+xml"
        assert image.headers["Cache-Control"] == "no-store"
        assert other.get(f"/checkout/{order_id}/qr.svg").status_code == 404

    def test_the_deadline_is_wechats_too(self, shop):
        order_id = shop.buyer().buy()
        order, payment = shop.order(order_id), shop.payment(order_id)
        assert datetime.fromisoformat(payment.request["time_expire"]) == order.expires_at

    def test_a_second_press_returns_to_the_open_order(self, shop, count):
        buyer = shop.buyer()
        assert buyer.buy() == buyer.buy()
        assert [count(Order), count(Payment)] == [1, 1]

    def test_presses_at_once_make_one_order_and_one_number_at_wechat(self, shop, count):
        buyer = shop.buyer()
        form = {"price_fen": "9900"}
        page = buyer.get(f"/courses/{COURSE}").get_data(as_text=True)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]
        cookie = buyer.client.get_cookie("sid")

        def press() -> None:
            client = shop.app.test_client()
            client.set_cookie("sid", cookie.value)
            answers.append(
                client.post(f"/courses/{COURSE}/buy", data={**form, "csrf_token": token}).status_code
            )

        answers: list[int] = []
        threads = [threading.Thread(target=press) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(answers) == {303}
        assert [count(Order), count(Payment)] == [1, 1]
        assert len(shop.sandbox.control("GET", "/control/orders")["orders"]) == 1

    def test_an_owned_course_leads_to_its_license(self, shop, app):
        buyer = shop.buyer()
        shop.notify(buyer.buy())
        with app.app_context():
            license_id = db.session.scalars(sa.select(License.id)).one()
        response = buyer.post(f"/courses/{COURSE}/buy")
        assert response.status_code == 303
        assert response.location == f"/account/licenses/{license_id}"

    @pytest.mark.parametrize("price", ["9899", "0", "99"])
    def test_a_price_that_is_not_the_price_any_more_leads_back_to_the_course(self, shop, price, count):
        buyer = shop.buyer()
        response = buyer.post(f"/courses/{COURSE}/buy", {"price_fen": price})
        assert response.status_code == 303
        assert response.location == f"/courses/{COURSE}"
        assert count(Order) == 0

    @pytest.mark.parametrize("price", ["-1", "9900.0", "1e4", "９９００", "9" * 30, "x", "9900\x00"])
    def test_a_price_that_is_no_price_is_refused(self, shop, price, count):
        assert shop.buyer().post(f"/courses/{COURSE}/buy", {"price_fen": price}).status_code == 422
        assert count(Order) == 0

    @pytest.mark.parametrize("field", ["amount", "amount_fen", "status", "learner_id", "role", "expires_at"])
    def test_other_fields_of_the_form_reach_nothing(self, shop, field):
        order_id = shop.buyer().buy(**{field: "1"})
        assert shop.order(order_id).amount_fen == 9900

    def test_a_free_course_is_not_sold(self, shop, count):
        response = shop.buyer().post("/courses/python-3rd/buy")
        assert (response.status_code, response.location) == (303, "/courses/python-3rd")
        assert count(Order) == 0

    def test_a_withdrawn_course_is_not_sold(self, shop, app, count):
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(sa.text("UPDATE products SET is_on_sale = 0"))
        assert shop.buyer().post(f"/courses/{COURSE}/buy").location == f"/courses/{COURSE}"
        assert count(Order) == 0

    @pytest.mark.parametrize(
        "course_id", ["no-such-course", "CPP-PRIMER-5TH", "cpp-primer-5th%20", "..%2f", "课程", "a" * 300]
    )
    def test_an_unknown_course_is_not_found(self, shop, course_id):
        assert shop.buyer().post(f"/courses/{course_id}/buy").status_code == 404

    def test_nobody_buys_without_signing_in_and_the_way_back_is_the_course(self, client, app):
        page = client.get("/login").get_data(as_text=True)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]
        response = client.post(f"/courses/{COURSE}/buy", data={"csrf_token": token})
        assert response.status_code == 303
        assert response.location == f"/login?next=/courses/{COURSE}"

    def test_a_form_without_token_is_refused(self, shop, count):
        assert shop.buyer().client.post(f"/courses/{COURSE}/buy").status_code == 403
        assert count(Order) == 0

    def test_buying_by_a_link_is_not_possible(self, shop, count):
        assert shop.buyer().get(f"/courses/{COURSE}/buy").status_code == 405
        assert count(Order) == 0

    def test_more_than_ten_presses_a_minute_are_too_many(self, shop):
        buyer = shop.buyer()
        answers = [buyer.post(f"/courses/{COURSE}/buy").status_code for _ in range(11)]
        assert answers == [303] * 10 + [429]

    def test_a_price_change_does_not_reach_an_order(self, shop, app):
        order_id = shop.buyer().buy()
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(sa.text("UPDATE products SET price_fen = 1"))
        shop.pay(order_id)
        shop.notify(order_id)
        assert shop.order(order_id).amount_fen == 9900
        assert shop.order(order_id).status == OrderStatus.COMPLETED


class TestPoll:
    def test_an_unchanged_order_is_answered_304_from_one_row(self, shop, app):
        buyer = shop.buyer()
        order_id = buyer.buy()
        first = buyer.get(f"/checkout/{order_id}/status")
        with counted_statements(app) as seen:
            again = buyer.get(
                f"/checkout/{order_id}/status", headers={"If-None-Match": first.headers["ETag"]}
            )
        assert again.status_code == 304
        assert again.data == b""
        # One read for who is asking, one for the order.
        assert len(seen) == 2, seen
        assert "orders" in seen[1]
        assert "JOIN" not in seen[1]

    def test_a_page_is_told_only_of_what_changed_since_it_was_drawn(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        tag = re.search(r'data-tag="([^"]+)"', buyer.get(f"/checkout/{order_id}").text)[1]
        headers = {"If-None-Match": f'W/"{tag}"'}
        assert buyer.get(f"/checkout/{order_id}/status", headers=headers).status_code == 304
        shop.notify(order_id)
        changed = buyer.get(f"/checkout/{order_id}/status", headers=headers)
        assert changed.get_json()["state"] == "delivered"

    def test_what_is_shown_is_one_statement_too(self, shop, app):
        buyer = shop.buyer()
        order_id = buyer.buy()
        with counted_statements(app) as seen:
            assert buyer.get(f"/checkout/{order_id}/status").status_code == 200
        assert len(seen) == 2, seen

    def test_it_never_asks_wechat(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        for _ in range(5):
            buyer.get(f"/checkout/{order_id}/status")
        assert shop.calls(order_id, "query") == 0

    def test_it_changes_with_the_order(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        first = buyer.get(f"/checkout/{order_id}/status")
        shop.notify(order_id)
        changed = buyer.get(f"/checkout/{order_id}/status", headers={"If-None-Match": first.headers["ETag"]})
        assert changed.status_code == 200
        assert changed.get_json()["stop"] is True
        assert changed.get_json()["state"] == "delivered"

    def test_it_slows_down(self, shop, clock):
        buyer = shop.buyer()
        order_id = buyer.buy()
        paces = []
        for seconds in (0, 70, 300):
            clock.travel(seconds=seconds)
            paces.append(buyer.get(f"/checkout/{order_id}/status").get_json()["next_ms"])
        assert paces == [2000, 5000, 15000]

    def test_one_who_is_signed_out_is_told_so_in_json(self, shop, client):
        order_id = shop.buyer().buy()
        response = client.get(f"/checkout/{order_id}/status", headers={"Accept": "application/json"})
        assert response.status_code == 401
        assert response.is_json


class TestIHavePaid:
    def test_it_really_asks_and_settles(self, shop, count):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        assert buyer.post(f"/checkout/{order_id}/check").status_code == 303
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert shop.payment(order_id).verified_by == "query"
        assert count(License) == 1

    def test_however_many_press_wechat_is_asked_once_in_five_seconds(self, shop, clock):
        buyer = shop.buyer()
        order_id = buyer.buy()
        for _ in range(4):
            buyer.post(f"/checkout/{order_id}/check")
        assert shop.calls(order_id, "query") == 1
        clock.travel(seconds=6)
        buyer.post(f"/checkout/{order_id}/check")
        assert shop.calls(order_id, "query") == 2

    def test_an_unpaid_order_goes_on_waiting(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        buyer.post(f"/checkout/{order_id}/check")
        assert buyer.state(order_id) == "awaiting_payment"


class TestCancel:
    def test_it_closes_at_wechat_and_then_here(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        assert buyer.post(f"/checkout/{order_id}/cancel").status_code == 303
        number = shop.payment(order_id).out_trade_no
        assert shop.sandbox.control("GET", f"/control/orders/{number}")["state"] == "CLOSED"
        assert shop.payment(order_id).status == PaymentStatus.CLOSED
        assert buyer.state(order_id) == "cancelled"

    def test_money_that_was_faster_wins(self, shop, count):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        buyer.post(f"/checkout/{order_id}/cancel")
        assert buyer.state(order_id) == "delivered"
        assert count(License) == 1

    def test_until_wechat_confirms_the_page_does_not_say_cancelled(self, shop, clock):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.sandbox.control("POST", "/control/faults", {"route": "*", "kind": "5xx"})
        buyer.post(f"/checkout/{order_id}/cancel")
        assert buyer.state(order_id) == "confirming"
        assert shop.order(order_id).status == OrderStatus.PENDING
        shop.sandbox.control("DELETE", "/control/faults")
        clock.travel(seconds=10)
        shop.work()
        assert buyer.state(order_id) == "cancelled"

    def test_twice_is_once(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        for _ in range(2):
            assert buyer.post(f"/checkout/{order_id}/cancel").status_code == 303
        assert shop.calls(order_id, "close") == 1

    def test_the_course_can_be_bought_again(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        buyer.post(f"/checkout/{order_id}/cancel")
        assert buyer.buy() != order_id

    def test_a_paid_order_stays_paid(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.notify(order_id)
        buyer.post(f"/checkout/{order_id}/cancel")
        assert buyer.state(order_id) == "delivered"


class TestExpiry:
    def test_it_is_closed_at_wechat_before_it_is_said(self, shop, clock):
        buyer = shop.buyer()
        order_id = buyer.buy()
        clock.travel(seconds=3601)
        assert buyer.state(order_id) == "confirming"
        shop.work()
        number = shop.payment(order_id).out_trade_no
        assert shop.sandbox.control("GET", f"/control/orders/{number}")["state"] == "CLOSED"
        assert buyer.state(order_id) == "expired"

    def test_a_payment_that_nobody_told_of_is_found(self, shop, clock, count):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        clock.travel(seconds=3601)
        shop.work()
        assert buyer.state(order_id) == "delivered"
        assert count(License) == 1

    def test_it_is_not_said_while_wechat_does_not_answer(self, shop, clock):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.sandbox.control("POST", "/control/faults", {"route": "*", "kind": "drop"})
        clock.travel(seconds=3601)
        shop.work(2)
        assert buyer.state(order_id) == "confirming"
        assert shop.order(order_id).status == OrderStatus.PENDING
        shop.sandbox.control("DELETE", "/control/faults")
        clock.travel(seconds=60)
        shop.work()
        assert buyer.state(order_id) == "expired"


class TestAnothersOrder:
    @pytest.mark.parametrize("path", ["", "/status", "/qr.svg"])
    def test_it_looks_like_one_that_does_not_exist(self, shop, path):
        order_id, other = shop.buyer().buy(), shop.buyer()
        theirs, nobodys = other.get(f"/checkout/{order_id}{path}"), other.get(f"/checkout/{'0' * 20}{path}")
        assert theirs.status_code == nobodys.status_code == 404
        scrub = re.compile(rb"[0-9a-z]{20}")
        assert scrub.sub(b"", theirs.data) == scrub.sub(b"", nobodys.data)

    @pytest.mark.parametrize("action", ["check", "cancel"])
    def test_it_cannot_be_touched(self, shop, action):
        order_id, other = shop.buyer().buy(), shop.buyer()
        assert other.post(f"/checkout/{order_id}/{action}").status_code == 404
        assert shop.order(order_id).status == OrderStatus.PENDING

    @pytest.mark.parametrize("order_id", ["0", "' OR 1=1", "%00", "A" * 20, "é" * 20, "a" * 5000, "..%2f.."])
    def test_an_id_that_is_none_is_not_found(self, shop, order_id):
        assert shop.buyer().get(f"/checkout/{order_id}").status_code == 404

    def test_the_case_of_an_id_counts(self, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        assert buyer.get(f"/checkout/{order_id.upper()}").status_code == 404
