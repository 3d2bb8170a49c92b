"""Staff find an order, read what happened to it, and act on it; each act is theirs on record."""

import html
import json
import re

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.desk import listing
from portal.desk.models import OrderComment
from portal.kit.db import db
from portal.learners.models import Learner, Locale, Role
from portal.orders.models import OrderStatus
from portal.outbox.models import Job
from tests.support.desk import Desk
from tests.support.shop import CSRF

pytestmark = pytest.mark.database
CPP, JS = "cpp-primer-5th", "javascript-complete"
FORM_TOKEN = re.compile(r'name="[a-z]+-form_token"[^>]*value="([^"]+)"')


@pytest.fixture
def bought(shop):
    """The id of an order that is paid and delivered."""
    order_id = shop.buyer(email="li.lei@example.com").buy()
    shop.pay(order_id)
    shop.notify(order_id)
    return order_id


def text_of(response, status=200):
    assert response.status_code == status, response.get_data(as_text=True)[:300]
    return html.unescape(response.get_data(as_text=True))


def act(person, order_id, name, reason="because it must be", **more):
    """Send the form of an act, as it stands on the order's page."""
    page = person.get(f"/admin/orders/{order_id}").get_data(as_text=True)
    forms = re.findall(r"<form.*?</form>", page, re.DOTALL)
    (form,) = [form for form in forms if f"/admin/orders/{order_id}/{name}" in form]
    token = FORM_TOKEN.search(form)
    fields = {"csrf_token": CSRF.search(form)[1]}
    if token:
        prefix = re.search(r'name="([a-z]+)-form_token"', form)[1]
        fields |= {f"{prefix}-form_token": token[1], f"{prefix}-reason": reason}
    return person.client.post(f"/admin/orders/{order_id}/{name}", data={**fields, **more})


@pytest.fixture
def acts(app):
    """Return the actor and the facts of each act of a kind."""

    def found(action):
        with app.app_context():
            rows = db.session.execute(
                sa.select(AuditRow.actor, AuditRow.facts).where(AuditRow.action == action)
            )
            return [(actor, json.loads(facts)) for actor, facts in rows]

    return found


def test_an_order_leads_to_its_refunds_and_says_what_is_left(staff, shop, tools):
    desk = Desk(shop, tools)
    order_id = desk.bought()
    number = desk.ask(order_id, 4000)
    finance = staff(Role.FINANCE)
    page = finance.get(f"/admin/orders/{order_id}").get_data(as_text=True)
    assert f'href="/admin/refunds/{number}"' in page
    assert f'href="/admin/refunds/new?order={order_id}"' in page
    assert "¥59.00 can still go back" in page
    assert "The refund was approved." in page
    assert f'href="/admin/orders/{order_id}"' in finance.get(f"/admin/refunds/{number}").get_data(
        as_text=True
    )


class TestList:
    def test_it_shows_orders_with_their_buyers_and_states(self, staff, shop, bought):
        waiting = shop.buyer().buy(JS)
        text = text_of(staff(Role.FINANCE).get("/admin/orders"))
        assert text.index(waiting) < text.index(bought)
        assert "li.lei@example.com" in text
        assert "Completed" in text
        assert "Waiting for payment" in text

    @pytest.mark.parametrize(
        ("query", "shown"),
        [
            ("status=completed", True), ("status=pending", False), (f"course={CPP}", True), (f"course={JS}", False),
            (f"status=completed&course={CPP}&from=2020-01-01&to=2099-12-31", True), ("to=2020-01-01", False),
            ("status=&course=&from=&to=", True),
        ],
    )  # fmt: skip
    def test_it_is_narrowed_by_filters(self, staff, bought, query, shown):
        assert (bought in text_of(staff().get(f"/admin/orders?{query}"))) is shown

    @pytest.mark.parametrize(
        "query",
        [
            "size=-1", "size=1000000000", "page=2", "sort=amount_fen", "order=id", "status=nonsense", "status=PAID",
            "status=paid&status=pending", "course=../x", "course=é", "from=2026-02-30", "from=20261120", "from=yesterday",
            "to=1999-12-31", "to=9999-12-31", "to=２０２６-01-01", "from=0", "cursor=x", "cursor=AAAA", "cursor=%00",
            "learner=1", "learner=' OR 1=1", "learner=zzzzzzzzzzzzzzzzzzzz",
        ],
    )  # fmt: skip
    def test_what_it_does_not_offer_is_refused(self, staff, bought, query):
        response = staff().get(f"/admin/orders?{query}", headers={"Accept": "application/json"})
        assert response.status_code == 422, query
        assert response.get_json()["code"] in {"bad_filter", "bad_cursor"}

    def test_pages_follow_one_another_and_a_place_in_one_list_is_none_in_another(
        self, staff, shop, bought, monkeypatch
    ):
        monkeypatch.setattr(listing.orders_page, "__defaults__", (None, 1))
        newer = shop.buyer().buy()
        person = staff()
        first = text_of(person.get("/admin/orders"))
        cursor = re.search(r"cursor=([\w-]+)", first)[1]
        assert newer in first
        assert bought not in first
        second = text_of(person.get(f"/admin/orders?cursor={cursor}"))
        assert bought in second
        assert newer not in second
        assert person.get(f"/admin/orders?cursor={cursor}&course={CPP}").status_code == 422

    def test_support_sees_addresses_masked(self, staff, bought):
        for path in ("/admin/orders", f"/admin/orders/{bought}"):
            text = text_of(staff(Role.SUPPORT).get(path))
            assert "l***@example.com" in text
            assert "li.lei" not in text

    def test_an_instructor_sees_orders_of_their_own_courses_masked(self, staff, shop, bought):
        other = shop.buyer().buy(JS)
        text = text_of(staff(Role.INSTRUCTOR, (CPP,)).get("/admin/orders"))
        assert bought in text
        assert other not in text
        assert "li.lei" not in text
        assert bought not in text_of(staff(Role.INSTRUCTOR).get("/admin/orders"))

    def test_another_course_is_none_of_an_instructors_filters(self, staff):
        assert staff(Role.INSTRUCTOR, (CPP,)).get(f"/admin/orders?course={JS}").status_code == 422


class TestSearch:
    def test_a_number_leads_to_its_order_and_an_address_to_its_owners(self, staff, shop, bought):
        person = staff()
        for q in (bought, shop.payment(bought).transaction_id, shop.payment(bought).out_trade_no):
            response = person.post("/admin/orders/search", {"q": q}, page="/admin/orders")
            assert response.location == f"/admin/orders/{bought}"
        response = person.post("/admin/orders/search", {"q": " LI.lei@example.com"}, page="/admin/orders")
        assert response.location == f"/admin/orders?learner={shop_learner(shop, bought)}"
        assert bought in text_of(person.get(response.location))

    @pytest.mark.parametrize("q", ["", "0" * 28, "nobody@example.com", "x" * 5000, "\x00", "' OR '1'='1"])
    def test_nothing_is_found_and_said_so(self, staff, bought, q):
        response = staff().post("/admin/orders/search", {"q": q}, page="/admin/orders")
        assert "No order has this number" in text_of(response, 404)

    def test_an_instructor_finds_nothing_of_another_course(self, staff, bought):
        person = staff(Role.INSTRUCTOR, (JS,))
        for q in (bought, "li.lei@example.com"):
            text_of(person.post("/admin/orders/search", {"q": q}, page="/admin/orders"), 404)


def shop_learner(shop, order_id):
    with shop.app.app_context():
        return db.session.get(Learner, shop.order(order_id).learner_id).public_id


class TestStory:
    @pytest.mark.parametrize("locale", list(Locale), ids=str)
    def test_it_tells_everything_from_the_order_to_the_mail(self, staff, shop, bought, locale):
        shop.work()
        text = text_of(staff(Role.SUPPORT, locale=locale).get(f"/admin/orders/{bought}"))
        for number in (
            shop.payment(bought).out_trade_no,
            shop.payment(bought).transaction_id,
            "gateway:wechat_pay → sales",
        ):
            assert number in text
        if locale is Locale.EN:
            for sentence in ("The order was placed.", "A notification came: applied.", "The license was made.",
                             "The license was sent by e-mail."):  # fmt: skip
                assert sentence in text

    def test_it_lists_the_calls_to_the_gateway_and_tells_of_those_that_failed(self, staff, shop, sandbox):
        order_id = shop.buyer().buy()
        sandbox.control("POST", "/control/faults", {"route": "query", "kind": "5xx", "times": 1})
        act(staff(), order_id, "query")
        text = text_of(staff(Role.SUPPORT).get(f"/admin/orders/{order_id}"))
        calls = text.split("Calls to WeChat Pay (2)")[1]
        assert "POST /v3/pay/transactions/native" in calls
        assert "GET /v3/pay/transactions/out-trade-no/{number}" in calls
        assert "A call to WeChat Pay did not go well." in text.split("Calls to WeChat Pay (2)")[0]

    @pytest.mark.parametrize("order_id", ["zzzzzzzzzzzzzzzzzzzz", "x", "A" * 20, "%00", "é" * 20])
    def test_there_is_none_of_what_is_not_there(self, staff, order_id):
        text_of(staff().get(f"/admin/orders/{order_id}"), 404)

    def test_another_course_is_as_absent(self, staff, bought):
        person = staff(Role.INSTRUCTOR, (JS,))
        text_of(person.get(f"/admin/orders/{bought}"), 404)
        token = CSRF.search(person.get("/courses").get_data(as_text=True))[1]
        response = person.client.post(f"/admin/orders/{bought}/comment", data={"csrf_token": token})
        assert response.status_code == 404

    def test_support_reads_its_own_acts_and_finance_those_of_all(self, staff, bought):
        first, second = staff(Role.SUPPORT), staff(Role.SUPPORT)
        act(first, bought, "mail", "the buyer lost it")
        said = "reason: the buyer lost it"
        assert said in text_of(first.get(f"/admin/orders/{bought}"))
        assert said not in text_of(second.get(f"/admin/orders/{bought}"))
        assert said in text_of(staff(Role.FINANCE).get(f"/admin/orders/{bought}"))


class TestActs:
    def test_asking_finds_a_payment_that_nobody_told_of(self, staff, shop, acts):
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        person = staff(Role.SUPPORT)
        assert act(person, order_id, "query").status_code == 303
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        assert acts("order.query_asked") == [(f"staff:{person.learner.public_id}", {})]
        assert "WeChat Pay says: paid" in text_of(person.get(f"/admin/orders/{order_id}"))

    def test_no_answer_changes_nothing_and_is_said(self, staff, shop, sandbox):
        order_id = shop.buyer().buy()
        sandbox.control("POST", "/control/faults", {"route": "query", "kind": "5xx"})
        person = staff()
        act(person, order_id, "query")
        assert "Nothing changed." in text_of(person.get(f"/admin/orders/{order_id}"))
        assert shop.order(order_id).status == OrderStatus.PENDING

    def test_closing_ends_an_unpaid_order_and_keeps_why(self, staff, shop, acts):
        order_id = shop.buyer().buy()
        person = staff(Role.SUPPORT)
        assert act(person, order_id, "close", "the buyer asked by phone").status_code == 303
        assert shop.order(order_id).status == OrderStatus.CANCELLED
        assert acts("order.cancelled_asked") == [
            (f"staff:{person.learner.public_id}", {"reason": "the buyer asked by phone"})
        ]

    def test_closing_an_order_that_was_paid_meanwhile_delivers_it(self, staff, shop):
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        act(staff(), order_id, "close")
        assert shop.order(order_id).status == OrderStatus.COMPLETED

    def test_an_order_that_is_over_cannot_be_closed(self, staff, shop):
        order_id = shop.buyer().buy()
        person = staff()
        page = person.get(f"/admin/orders/{order_id}").get_data(as_text=True)
        shop.pay(order_id)
        shop.notify(order_id)
        fields = {"csrf_token": CSRF.search(page)[1], "close-form_token": "a" * 20, "close-reason": "no more"}
        assert person.client.post(f"/admin/orders/{order_id}/close", data=fields).status_code == 409
        assert shop.order(order_id).status == OrderStatus.COMPLETED

    def test_sending_again_mails_the_license_and_keeps_who_and_why(self, staff, shop, bought, acts, count):
        shop.work()
        person = staff(Role.SUPPORT)
        assert act(person, bought, "mail", "it went to spam").status_code == 303
        assert count(Job, Job.kind == "mail_license") == 2
        assert acts("license.mail_requested") == [
            (f"staff:{person.learner.public_id}", {"reason": "it went to spam"})
        ]

    def test_a_comment_is_kept_once_and_shown(self, staff, bought, count, acts):
        person = staff(Role.INSTRUCTOR, (CPP,))
        more = {"comment-form_token": "0123456789abcdefghij"}
        for _ in range(2):
            act(person, bought, "comment", "<b>Called</b> back & agreed", **more)
        assert count(OrderComment) == 1
        page = person.get(f"/admin/orders/{bought}").get_data(as_text=True)
        assert "&lt;b&gt;Called&lt;/b&gt; back &amp; agreed" in page
        assert len(acts("order.commented")) == 1

    @pytest.mark.parametrize("reason", ["", "  ", "x", "y" * 501, "bell\x07bell", "evil\u202etxt"])
    @pytest.mark.parametrize("name", ["comment", "mail"])
    def test_a_reason_that_cannot_be_kept_changes_nothing(self, staff, bought, count, name, reason):
        person = staff()
        before = count(AuditRow), count(Job)
        response = act(person, bought, name, reason)
        assert "There is a problem" in text_of(response, 422)
        assert (count(AuditRow), count(Job), count(OrderComment)) == (*before, 0)


class TestExport:
    def test_it_sends_the_list_as_a_spreadsheet_reads_it_and_says_who_did(self, staff, shop, bought, acts):
        shop.buyer().buy(JS)
        person = staff(Role.FINANCE)
        response = person.get(f"/admin/orders.csv?course={CPP}")
        body = response.get_data()
        assert body.startswith(b"\xef\xbb\xbf")
        header, line = body.decode("utf-8-sig").splitlines()
        assert header.startswith("Order number,Placed (Beijing time)")
        cells = line.split(",")
        assert cells[0] == bought
        assert "9900" in cells
        assert "99.00" in cells
        assert cells[-1] == f"'{shop.payment(bought).transaction_id}"
        assert acts("orders.exported") == [
            (f"staff:{person.learner.public_id}", {"filters": {"course": CPP}})
        ]

    def test_a_list_that_is_cut_says_so(self, staff, shop, bought, monkeypatch):
        shop.buyer().buy()
        monkeypatch.setattr("portal.desk.listing.EXPORT_ROWS", 1)
        lines = staff().get("/admin/orders.csv").get_data().decode("utf-8-sig").splitlines()
        assert len(lines) == 3
        assert "Cut off here" in lines[-1]

    @pytest.mark.parametrize("role", [Role.SUPPORT, Role.INSTRUCTOR, Role.LEARNER])
    def test_not_everybody_may(self, staff, role):
        assert staff(role).get("/admin/orders.csv").status_code == 403

    def test_it_asks_for_a_fresh_code(self, staff, clock, bought):
        person = staff()
        clock.travel(minutes=6)
        response = person.get("/admin/orders.csv")
        assert (response.status_code, response.location.split("?")[0]) == (303, "/admin/confirm")
