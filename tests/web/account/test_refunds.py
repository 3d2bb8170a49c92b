"""A learner asks for the money back on the order's page, and sees what became of it everywhere."""

import re

import pytest

from portal.refunds import decide
from portal.refunds.models import Refund, RefundStatus
from portal.switchboard.hold import begin_hold
from tests.support.desk import Desk
from tests.support.editors import editor_of

pytestmark = pytest.mark.database
KEY = "8d0e6f8a-2f5c-4c0e-9a55-0e7f0f1c2b3a"


@pytest.fixture
def desk(shop, tools):
    found = Desk(shop, tools)
    found.switch(refund_mode="manual")
    return found


@pytest.fixture
def buyer(shop):
    return shop.buyer()


@pytest.fixture
def order_id(desk, buyer):
    return desk.bought(buyer)


def ask(buyer, order_id, **form):
    page = f"/account/orders/{order_id}/refund"
    return buyer.post(page, {"key": KEY, "kind": "mistake", "text": "", **form})


def page_of(buyer, path):
    return buyer.get(path).get_data(as_text=True)


class TestAsking:
    def test_the_page_says_how_much_goes_back_and_what_becomes_of_the_license(self, buyer, order_id):
        assert f"/account/orders/{order_id}/refund" in page_of(buyer, f"/account/orders/{order_id}")
        page = page_of(buyer, f"/account/orders/{order_id}/refund")
        assert "¥99.00" in page
        assert "the license of this order ends" in page

    def test_it_puts_a_request_on_record_and_says_so(self, buyer, order_id, desk):
        response = ask(buyer, order_id, text="I took the wrong edition")
        assert (response.status_code, response.location) == (303, f"/account/orders/{order_id}#refunds")
        [refund] = desk.refunds(order_id)
        assert refund.reason == "Bought by mistake: I took the wrong edition"
        page = page_of(buyer, f"/account/orders/{order_id}")
        assert "Waiting for a decision" in page
        assert "Ask for your money back" not in page

    def test_sent_twice_it_is_one_request(self, buyer, order_id, count):
        assert [ask(buyer, order_id).status_code for _ in range(2)] == [303, 303]
        assert count(Refund) == 1

    def test_on_hold_it_is_told_so_and_what_was_typed_stays(self, app, buyer, order_id, count):
        with app.app_context():
            begin_hold("restored", "operator:test")
        response = ask(buyer, order_id, text="I took the wrong edition")
        page = response.get_data(as_text=True)
        assert (response.status_code, count(Refund)) == (503, 0)
        assert "cannot take your request now" in page
        assert 'value="I took the wrong edition"' in page

    @pytest.mark.parametrize(
        "form",
        [
            {"kind": ""},
            {"kind": "because"},
            {"text": "x" * 151},
            {"text": "a\x00b"},
            {"text": "‮abc"},
            {"text": "line\nline"},
            {"key": "1"},
            {"key": ""},
        ],
        ids=repr,
    )
    def test_what_is_no_reason_is_said_and_changes_nothing(self, buyer, order_id, form, count):
        response = ask(buyer, order_id, **form)
        assert response.status_code == 422
        assert count(Refund) == 0

    def test_an_amount_in_the_form_counts_for_nothing(self, buyer, order_id, desk):
        ask(buyer, order_id, amount_fen="1", status="approved", license_effect="keep")
        [refund] = desk.refunds(order_id)
        assert (refund.amount_fen, refund.status, refund.license_effect) == (9900, "requested", "revoke")

    @pytest.mark.parametrize("what", ["refund", "refunds/LRT000000/withdraw"])
    def test_anothers_order_is_as_absent_as_none(self, shop, order_id, what, count):
        stranger = shop.buyer()
        for number in (order_id, "0" * 20, "../x", "A" * 20):
            assert stranger.post(f"/account/orders/{number}/{what}").status_code == 404
        assert count(Refund) == 0

    def test_a_form_without_token_is_refused(self, buyer, order_id, count):
        response = buyer.client.post(
            f"/account/orders/{order_id}/refund", data={"key": KEY, "kind": "mistake"}
        )
        assert response.status_code == 403
        assert count(Refund) == 0

    def test_what_was_not_paid_has_nothing_to_give_back(self, buyer, shop):
        order_id = buyer.buy()
        response = buyer.get(f"/account/orders/{order_id}/refund")
        assert (response.status_code, response.location) == (303, f"/account/orders/{order_id}#refunds")


class TestWithdrawing:
    def test_it_is_taken_back(self, buyer, order_id, desk):
        ask(buyer, order_id)
        [refund] = desk.refunds(order_id)
        path = f"/account/orders/{order_id}/refunds/{refund.out_refund_no}/withdraw"
        assert buyer.post(path).status_code == 303
        assert desk.refund(refund.out_refund_no).status == RefundStatus.WITHDRAWN

    def test_what_was_decided_stays(self, buyer, order_id, desk):
        ask(buyer, order_id)
        [refund] = desk.refunds(order_id)
        desk.approve(refund.out_refund_no)
        path = f"/account/orders/{order_id}/refunds/{refund.out_refund_no}/withdraw"
        assert buyer.post(path).status_code == 303
        assert desk.refund(refund.out_refund_no).status == RefundStatus.APPROVED


class TestWhatIsSeen:
    """One state, told alike by the page of the payment, the order, the list, the receipt and the API."""

    def seen(self, buyer, order_id):
        order = page_of(buyer, f"/account/orders/{order_id}")
        badge = re.search(r'class="badge[^"]*"><span aria-hidden="true">.</span>([^<]+)', order)[1]
        assert badge in page_of(buyer, "/account/orders")
        return buyer.state(order_id), badge

    def test_from_request_to_refunded(self, buyer, order_id, desk, shop):
        editor = editor_of(buyer)
        ask(buyer, order_id)
        assert self.seen(buyer, order_id) == ("delivered", "Completed")
        [refund] = desk.refunds(order_id)
        number = refund.out_refund_no
        desk.approve(number)
        assert self.seen(buyer, order_id) == ("refunding", "Refund on its way")
        assert editor.get(f"/payments/sessions/{order_id}").get_json()["status"] == "completed"
        shop.work()
        desk.settle(number, "ABNORMAL")
        desk.tell(number)
        assert self.seen(buyer, order_id) == ("refund_abnormal", "Refund delayed")
        desk.settle(number)
        desk.tell(number)
        assert self.seen(buyer, order_id) == ("refunded", "Refunded")
        session = editor.get(f"/payments/sessions/{order_id}").get_json()
        assert (session["status"], session["license"]) == ("refunded", None)
        receipt = page_of(buyer, f"/account/orders/{order_id}/receipt")
        assert "−¥99.00" in receipt
        assert desk.refund(number).refund_id in receipt
        assert "You asked for ¥99.00 back." in page_of(buyer, f"/account/orders/{order_id}")

    def test_a_part(self, buyer, order_id, desk, shop):
        number = desk.ask(order_id, 4000)
        shop.work()
        desk.settle(number)
        desk.tell(number)
        assert self.seen(buyer, order_id) == ("partially_refunded", "Partly refunded")
        page = page_of(buyer, f"/checkout/{order_id}")
        assert "¥40.00 went back" in page
        assert "license-text" in page or "textarea" in page

    def test_a_refusal_with_its_reason(self, buyer, order_id, desk):
        ask(buyer, order_id)
        [refund] = desk.refunds(order_id)
        person = desk.person()
        desk.within(lambda: decide.refuse(person, refund.out_refund_no, "All chapters were downloaded"))
        page = page_of(buyer, f"/account/orders/{order_id}")
        assert "Not accepted" in page
        assert "All chapters were downloaded" in page

    def test_transactions_tell_of_purchase_and_refund(self, buyer, order_id, desk, shop):
        editor = editor_of(buyer)
        number = desk.ask(order_id, 4000)
        shop.work()
        desk.settle(number)
        desk.tell(number)
        page = editor.get("/payments/transactions").get_json()
        assert page["total"] == 2
        back, bought = page["items"]
        assert (back["type"], back["id"], back["status"], back["amount"]) == (
            "refund",
            number,
            "refunded",
            4000,
        )
        assert back["session_id"] == bought["session_id"] == order_id
        assert back["transaction_id"] == desk.refund(number).refund_id
        assert (bought["type"], bought["status"]) == ("payment", "completed")
        for kind, total in (("refund", 1), ("payment", 1)):
            assert editor.get(f"/payments/transactions?type={kind}").get_json()["total"] == total
        assert editor.get("/payments/transactions?status=refunded").get_json()["total"] == 1

    def test_a_request_that_waits_is_no_transaction(self, buyer, order_id, shop):
        ask(buyer, order_id)
        assert editor_of(buyer).get("/payments/transactions?type=refund").get_json()["total"] == 0
