"""Staff give money back: checked first, approved by another where it is much, mended where it did not arrive."""

import dataclasses
import html
import re

import pytest

from portal.learners.models import Role
from portal.refunds.models import Refund, RefundStatus
from portal.switchboard.hold import begin_hold
from tests.support.desk import PAID, Desk
from tests.support.shop import Buyer

pytestmark = pytest.mark.database
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@pytest.fixture
def desk(shop, tools):
    found = Desk(shop, tools)
    found.switch(refund_mode="manual")
    return found


@pytest.fixture
def order_id(desk):
    return desk.bought()


@pytest.fixture
def finance(shop) -> Buyer:
    """Finance at a browser, a code just entered."""
    return shop.buyer(role=Role.FINANCE)


@pytest.fixture
def strict(app, monkeypatch):
    """A shop where whatever is given back needs a second person."""
    tools = app.extensions["portal_tools"]
    settings = tools.settings.model_copy(update={"APPROVAL_SINGLE_FEN": 0})
    monkeypatch.setitem(app.extensions, "portal_tools", type(tools)(**{**vars(tools), "settings": settings}))


def hidden_of(page: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in HIDDEN.findall(page)}


def check(desk, person, order_id, **fields):
    out_trade_no = desk.shop.payment(order_id).out_trade_no
    form = {"out_trade_no": out_trade_no, "amount": "99.00", "effect": "keep", "reason": "Bought twice"}
    page = f"/admin/refunds/new?order={order_id}"
    return person.post(
        f"/admin/refunds/check?order={order_id}", {"form_token": "0" * 20, **form, **fields}, page
    )


def give(desk, person, order_id, **fields):
    page = check(desk, person, order_id, **fields)
    assert page.status_code == 200, page.get_data(as_text=True)[-3000:]
    kept = hidden_of(page.get_data(as_text=True))
    return person.client.post(f"/admin/refunds?order={order_id}", data=kept)


def page_of(person, number):
    return person.get(f"/admin/refunds/{number}").get_data(as_text=True)


def send(person, number, act, **form):
    """Send a form of a refund's page, with the token and the digest that the page shows."""
    shown = hidden_of(page_of(person, number))
    return person.client.post(f"/admin/refunds/{number}/{act}", data={**shown, **form})


class TestAsking:
    def test_what_would_happen_is_shown_before_it_does(self, desk, finance, order_id, count):
        page = check(desk, finance, order_id).get_data(as_text=True)
        assert "¥99.00" in page
        assert "The license ends in the moment the money is back." in page
        part = check(desk, finance, order_id, amount="40").get_data(as_text=True)
        assert "The license stays valid." in part
        assert count(Refund) == 0

    def test_a_small_one_is_approved_by_asking(self, desk, finance, order_id):
        response = give(desk, finance, order_id, amount="40.5")
        [refund] = desk.refunds(order_id)
        assert response.location == f"/admin/refunds/{refund.out_refund_no}"
        assert (refund.status, refund.amount_fen) == (RefundStatus.APPROVED, 4050)

    def test_on_hold_both_asking_and_approving_say_so_and_what_was_typed_stays(
        self, app, desk, shop, finance, order_id, count
    ):
        number = desk.ask_as_learner(buyer := shop.buyer(), desk.bought(buyer))
        with app.app_context():
            begin_hold("restored", "operator:test")
        for response, typed in (
            (give(desk, finance, order_id, amount="40.5", reason="Wrong edition"), 'value="40.5"'),
            (send(finance, number, "approve"), number),
        ):
            page = response.get_data(as_text=True)
            assert response.status_code == 503
            assert "no refund is asked for or approved until it is released" in page
            assert typed in page
        assert (count(Refund), desk.refund(number).status) == (1, RefundStatus.REQUESTED)

    def test_the_same_form_twice_is_one_refund(self, desk, finance, order_id, count):
        kept = hidden_of(check(desk, finance, order_id, amount="10").get_data(as_text=True))
        answers = [finance.client.post(f"/admin/refunds?order={order_id}", data=kept) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {303}
        assert len({answer.location for answer in answers}) == 1
        assert count(Refund) == 1

    @pytest.mark.parametrize(
        "amount",
        [
            "1e2",
            "1_000",
            "１００",
            "+5",
            "0.001",
            "-1",
            "0",
            "0.00",
            "99.01",
            str(2**63),
            "",
            " 5",
            "5\n",
            "5.",
            ".5",
            "NaN",
        ],
    )
    def test_what_is_no_amount_is_refused_and_changes_nothing(self, desk, finance, order_id, amount, count):
        assert check(desk, finance, order_id, amount=amount).status_code == 422
        kept = {
            **hidden_of(check(desk, finance, order_id).get_data(as_text=True)),
            "amount": amount,
        }
        assert finance.client.post(f"/admin/refunds?order={order_id}", data=kept).status_code == 422
        assert count(Refund) == 0

    @pytest.mark.parametrize(
        "fields",
        [
            {"reason": ""},
            {"reason": "x" * 81},
            {"reason": "a\x00b"},
            {"effect": "both"},
            {"out_trade_no": "LBT0"},
            {"form_token": "1"},
        ],
        ids=repr,
    )
    def test_so_is_everything_else_that_is_wrong(self, desk, finance, order_id, fields, count):
        assert check(desk, finance, order_id, **fields).status_code == 422
        assert count(Refund) == 0

    def test_support_gives_back_small_amounts_only(self, desk, shop, order_id, strict):
        support = shop.buyer(role=Role.SUPPORT)
        assert check(desk, support, order_id, amount="1").status_code == 422

    def test_more_than_ten_a_minute_are_too_many(self, desk, finance, order_id):
        kept = hidden_of(check(desk, finance, order_id, amount="10").get_data(as_text=True))
        answers = [
            finance.client.post(f"/admin/refunds?order={order_id}", data=kept).status_code for _ in range(11)
        ]
        assert answers[-1] == 429

    def test_an_order_nobody_has_is_not_found(self, finance):
        for number in ("0" * 20, "", "../x", "%00"):
            assert finance.get(f"/admin/refunds/new?order={number}").status_code == 404

    def test_without_an_order_one_is_asked_for(self, finance):
        assert finance.get("/admin/refunds/new").location == "/admin/refunds"

    def test_a_code_older_than_five_minutes_moves_no_money(self, desk, finance, order_id, clock, count):
        kept = hidden_of(check(desk, finance, order_id).get_data(as_text=True))
        clock.travel(minutes=6)
        assert finance.client.post(f"/admin/refunds?order={order_id}", data=kept).status_code == 403
        assert count(Refund) == 0


class TestDeciding:
    def test_the_one_who_asked_is_refused_and_another_approves(self, desk, shop, finance, order_id, strict):
        give(desk, finance, order_id)
        [refund] = desk.refunds(order_id)
        number = refund.out_refund_no
        assert "Another person has to approve this." in page_of(finance, number)
        other = shop.buyer(role=Role.FINANCE)
        shown = hidden_of(page_of(other, number))
        token = hidden_of(page_of(finance, number))["csrf_token"]
        own = finance.client.post(f"/admin/refunds/{number}/approve", data={**shown, "csrf_token": token})
        assert own.status_code == 403
        assert send(other, number, "approve").status_code == 303
        assert desk.refund(number).status == RefundStatus.APPROVED
        assert send(other, number, "approve", digest=shown["digest"]).status_code == 409

    def test_approval_of_what_has_changed_is_refused(self, desk, shop, finance, order_id, strict):
        give(desk, finance, order_id, amount="40")
        number = desk.refunds(order_id)[0].out_refund_no
        other = shop.buyer(role=Role.FINANCE)
        shown = hidden_of(page_of(other, number))
        assert send(other, number, "license", effect="revoke").status_code == 303
        stale = other.client.post(f"/admin/refunds/{number}/approve", data=shown)
        assert stale.status_code == 409
        assert desk.refund(number).status == RefundStatus.REQUESTED

    def test_only_who_may_refuse_it_sees_how(self, desk, shop, finance, order_id):
        desk.limits(0)
        buyer, support = shop.buyer(), shop.buyer(role=Role.SUPPORT)
        others, own = (
            desk.ask_as_learner(buyer, desk.bought(buyer)),
            desk.ask(order_id, person=support.learner),
        )
        seen = [(support, others, False), (support, own, True), (finance, others, True)]
        assert [(who, what, "/refuse" in page_of(who, what)) for who, what, _ in seen] == seen
        assert send(support, others, "refuse", note="No").status_code == 403

    def test_ones_own_purchase_is_for_another_to_ask_and_to_approve_unless_there_is_none(
        self, app, desk, finance, monkeypatch
    ):
        desk.limits(0)
        order_id = desk.bought(finance)
        response = give(desk, finance, order_id)
        page = response.get_data(as_text=True)
        assert response.status_code == 403
        assert 'href="#out_trade_no">Another person has to do this' in page
        assert '<fieldset class="field is-wrong" id="out_trade_no"' in page
        number = desk.ask(order_id)
        asked = page_of(finance, number)
        assert "Another person has to approve this." in asked
        assert "/approve" not in asked
        settings = desk.tools.settings.model_copy(update={"APPROVAL_ONE_PERSON_SHOP": True})
        alone = dataclasses.replace(desk.tools, settings=settings)
        monkeypatch.setitem(app.extensions, "portal_tools", alone)
        assert send(finance, number, "approve").status_code == 303

    def test_a_learners_request_is_refused_with_a_reason(self, desk, shop, finance):
        buyer = shop.buyer()
        number = desk.ask_as_learner(buyer, desk.bought(buyer))
        assert send(finance, number, "refuse", note="").status_code == 422
        assert send(finance, number, "refuse", note="Used for months").status_code == 303
        assert desk.refund(number).decision_note == "Used for months"

    @pytest.mark.parametrize("act", ["approve", "send-again", "give-up", "license"])
    def test_support_decides_nothing(self, desk, shop, act):
        buyer, support = shop.buyer(), shop.buyer(role=Role.SUPPORT)
        number = desk.ask_as_learner(buyer, desk.bought(buyer))
        assert (
            support.post(f"/admin/refunds/{number}/{act}", {"effect": "keep", "note": "no"}).status_code
            == 403
        )
        assert desk.refund(number).status == RefundStatus.REQUESTED

    @pytest.mark.parametrize("number", ["LRT26112600NOSUCHREFUND", "a", "退款退款退款", "x" * 65])
    def test_a_refund_nobody_has_is_not_found(self, finance, number):
        assert finance.get(f"/admin/refunds/{number}").status_code == 404
        assert finance.post(f"/admin/refunds/{number}/approve").status_code == 404


class TestMending:
    def test_an_abnormal_one_is_explained_with_the_next_step_and_settles_under_its_number(
        self, desk, shop, finance, order_id
    ):
        give(desk, finance, order_id)
        number = desk.refunds(order_id)[0].out_refund_no
        shop.work()
        desk.settle(number, "ABNORMAL")
        assert send(finance, number, "ask").status_code == 303
        assert "Next step" in page_of(finance, number)
        desk.settle(number)
        send(finance, number, "ask")
        assert desk.refund(number).status == RefundStatus.SUCCEEDED
        assert desk.sums(order_id) == (PAID, PAID)

    def test_one_without_money_for_it_is_sent_again_or_given_up(self, desk, shop, finance, order_id):
        desk.switch(refund_mode="not_enough")
        give(desk, finance, order_id)
        number = desk.refunds(order_id)[0].out_refund_no
        shop.work()
        assert "not enough money" in page_of(finance, number)
        assert send(finance, number, "send-again").status_code == 303
        shop.work()
        assert send(finance, number, "give-up", note="Paid back by transfer").status_code == 303
        assert desk.refund(number).status == RefundStatus.CLOSED
        assert desk.sums(order_id) == (0, 0)

    def test_what_is_on_its_way_is_not_given_up(self, desk, shop, finance, order_id):
        give(desk, finance, order_id)
        number = desk.refunds(order_id)[0].out_refund_no
        shop.work()
        assert send(finance, number, "give-up", note="No").status_code == 409
        assert desk.refund(number).status == RefundStatus.PROCESSING


class TestList:
    def test_shows_those_that_wait(self, desk, shop, finance, order_id, strict):
        give(desk, finance, order_id)
        number = desk.refunds(order_id)[0].out_refund_no
        assert number in finance.get("/admin/refunds?status=requested").get_data(as_text=True)
        assert number not in finance.get("/admin/refunds?status=succeeded").get_data(as_text=True)

    @pytest.mark.parametrize(
        "query", ["status=x", "before=-1", "before=x", f"before={10**20}", "status=REQUESTED"]
    )
    def test_a_question_that_makes_no_sense_is_refused(self, finance, query):
        assert finance.get(f"/admin/refunds?{query}").status_code == 422

    def test_goes_on_page_by_page(self, desk, finance, order_id, clock, monkeypatch):
        monkeypatch.setattr("portal.web.admin.refunds._PAGE", 1)
        for amount in ("1", "2"):
            give(desk, finance, order_id, amount=amount, form_token=amount * 20)
            clock.travel(seconds=61)
        first, second = (refund.out_refund_no for refund in desk.refunds(order_id))
        page = finance.get("/admin/refunds").get_data(as_text=True)
        assert second in page
        assert first not in page
        older = html.unescape(re.search(r'rel="next" href="([^"]+)"', page)[1])
        assert first in finance.get(older).get_data(as_text=True)
