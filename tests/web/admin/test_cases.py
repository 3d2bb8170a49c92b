"""The work list of cases: what staff see, take, say and decide."""

import re
from dataclasses import fields

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.cases.models import Case, CaseEvent, CaseKind, CaseStatus
from portal.cases.services import case_of, open_case
from portal.gateways.base import PaymentNotice, RefundNotice
from portal.kit.db import db, transaction
from portal.learners.addresses import masked
from portal.learners.models import Locale, Role
from portal.web.admin.case_words import EVIDENCE, KINDS
from tests.support.desk import Desk
from tests.support.transfers import TransferDesk

pytestmark = pytest.mark.database


@pytest.fixture
def opened(app):
    """Open a case."""

    def make(key="1", kind=CaseKind.UNKNOWN_ORDER):
        with app.app_context(), transaction():
            evidence = {"transaction_id": f"42000{key}", "amount_fen": 9900, "why": "<b>no such number</b>"}
            return open_case(kind, key, evidence, amount_fen=9900, currency="CNY")

    return make


@pytest.fixture
def case_id(opened):
    """A case that is open."""
    return opened()


@pytest.fixture
def staff(shop):
    """Somebody of the support."""
    return shop.staff(Role.SUPPORT)


def text_of(response, status=200):
    assert response.status_code == status, response.get_data(as_text=True)[:500]
    return response.get_data(as_text=True)


def test_without_any_the_page_says_so(staff):
    assert "Nothing to look at ✓" in text_of(staff.get("/admin/cases"))


def test_every_kind_has_its_words_and_so_has_what_a_gateway_tells():
    assert set(KINDS) == set(CaseKind)
    told = {field.name for notice in (PaymentNotice, RefundNotice) for field in fields(notice)}
    assert told - {"payer_hash"} <= set(EVIDENCE)


@pytest.mark.parametrize("kind", CaseKind)
def test_each_kind_is_listed_and_shown_in_words(staff, opened, kind):
    number = opened(kind=kind)
    name = str(KINDS[kind].name)
    for path in ("/admin/cases", f"/admin/cases/{number}"):
        page = text_of(staff.get(path, headers={"Accept-Language": "en"})).replace("&#39;", "'")
        assert name in page


def test_a_case_shows_its_evidence_escaped_and_its_money(staff, case_id):
    page = text_of(staff.get(f"/admin/cases/{case_id}"))
    assert "420001" in page
    assert "¥99.00" in page
    assert "&lt;b&gt;no such number" in page


@pytest.mark.parametrize(("locale", "why"), [(Locale.EN, "more than was paid"), (Locale.ZH, "超过支付金额")])
def test_the_reason_is_shown_in_the_readers_language(app, shop, locale, why):
    with app.app_context(), transaction():
        number = open_case(CaseKind.REFUND_UNKNOWN, "1", {"why": "more than was paid"})
    assert why in text_of(shop.staff(Role.SUPPORT, locale=locale).get(f"/admin/cases/{number}"))


class TestByHand:
    """Cases about transfers, as they come about, in Chinese."""

    @pytest.fixture
    def desk(self, shop, tools):
        made = TransferDesk(shop, tools)
        made.offer()
        return made

    @pytest.fixture
    def shown(self, shop, app):
        """Return the page of the one case of a kind."""
        reader = shop.staff(Role.SUPPORT, locale=Locale.ZH)

        def look(kind):
            with app.app_context():
                number = db.session.scalars(sa.select(Case.id).where(Case.kind == kind.value)).one()
            reader.sign_in_again()
            return text_of(reader.get(f"/admin/cases/{number}"))

        return look

    def test_one_that_nobody_decided_about_and_its_end_are_told_in_words(self, desk, shop, clock, shown):
        order_id = desk.told()
        clock.travel(days=3, minutes=1)
        shop.work()
        page = shown(CaseKind.TRANSFER_WAITING)
        assert "told for three days" not in page
        assert "reference" not in re.sub(r"<[^>]*>", "", page)
        desk.check(order_id)
        page = shown(CaseKind.TRANSFER_WAITING)
        assert "decided" not in page
        assert "已有人对这笔转账作出处理" in page

    def test_another_amount_is_not_to_be_refunded_since_nothing_is_booked(self, desk, shown):
        order_id = desk.told()
        desk.check(order_id, amount_fen=9800)
        page = shown(CaseKind.MISMATCH)
        assert "没有入账" in page
        evidence = re.search(r"evidence-title.*?</dl>", page, re.DOTALL)[0]
        assert re.findall(r"[a-z]+_[a-z]+|TRANSFER|False", re.sub(r"<[^>]*>", "", evidence)) == []
        desk.check(order_id, number="1000050002")
        page = shown(CaseKind.MISMATCH)
        assert "entered anew" not in page
        assert "已重新录入到账内容" in page

    def test_a_refund_by_hand_is_noted_and_not_asked_about(self, desk, shop, clock, shown):
        order_id, money = desk.told(), Desk(shop, desk.tools)
        desk.check(order_id)
        money.ask(order_id)
        clock.travel(days=3, minutes=1)
        shop.work()
        page = shown(CaseKind.REFUND_PENDING)
        assert "approved for too long" not in page
        assert "手工退" in page


class TestMoneyToGoBack:
    @pytest.fixture
    def leads_to_a_refund(self, app, shop, staff):
        """Open a case about a paid order; tell whether its page leads to the refund of the payment."""
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        shop.notify(order_id)
        payment = shop.payment(order_id)

        def look(kind, transaction_id=payment.transaction_id):
            evidence = {"transaction_id": transaction_id}
            with app.app_context(), transaction():
                number = open_case(kind, "1", evidence, order_id=payment.order_id, payment_id=payment.id)
            page = text_of(staff.get(f"/admin/cases/{number}"))
            return f"/admin/refunds/new?order={order_id}&amp;payment={payment.out_trade_no}" in page

        return look

    def test_what_was_paid_twice_leads_to_its_refund(self, leads_to_a_refund):
        assert leads_to_a_refund(CaseKind.DUPLICATE)

    def test_another_transaction_under_the_number_is_not_given_back_in_its_place(self, leads_to_a_refund):
        assert not leads_to_a_refund(CaseKind.DUPLICATE, "4200000009")

    def test_money_that_is_in_order_is_not_given_back(self, leads_to_a_refund):
        assert not leads_to_a_refund(CaseKind.DEAD_LETTER)


def test_it_is_taken_commented_on_and_closed_and_all_of_it_is_on_record(app, staff, case_id, count):
    page = f"/admin/cases/{case_id}"
    assert staff.post(f"{page}/take", page=page).status_code == 303
    assert staff.post(f"{page}/comment", {"comment-text": "问过微信了"}, page=page).status_code == 303
    assert staff.post(f"{page}/close", {"close-text": "It is another shop's"}, page=page).status_code == 303
    shown = text_of(staff.get(page))
    for told in ("问过微信了", "It is another shop", masked(staff.learner.email)):
        assert told in shown
    with app.app_context():
        assert case_of(case_id).status == CaseStatus.CLOSED
    assert count(AuditRow, AuditRow.actor == f"staff:{staff.learner.public_id}") == 3


def test_closing_twice_changes_nothing(staff, case_id, count):
    page = f"/admin/cases/{case_id}"
    for _ in range(2):
        staff.post(f"{page}/close", {"close-text": "decided"}, page="/account")
    assert count(CaseEvent) == 1


@pytest.mark.parametrize("field", ["comment", "close"])
@pytest.mark.parametrize("text", ["", "  ", "x" * 2001, "nul\0", "\u202ereversed", "a\u0007b"])
def test_a_text_that_cannot_be_kept_is_named_and_changes_nothing(staff, case_id, count, field, text):
    page = f"/admin/cases/{case_id}"
    shown = text_of(staff.post(f"{page}/{field}", {f"{field}-text": text}, page=page), 422)
    assert 'class="error-summary"' in shown
    assert (count(CaseEvent), count(Case, Case.status == "open")) == (0, 1)


def test_a_closed_case_is_not_taken(staff, case_id, count):
    page = f"/admin/cases/{case_id}"
    staff.post(f"{page}/close", {"close-text": "decided"}, page=page)
    assert staff.post(f"{page}/take", page="/account").status_code == 409
    assert count(CaseEvent) == 1


@pytest.mark.parametrize("number", ["999999", "0", "x", str(2**63), "-1"])
def test_a_case_that_is_none_is_not_found(staff, number):
    assert staff.get(f"/admin/cases/{number}").status_code == 404


class TestList:
    def test_it_is_narrowed(self, staff, opened):
        mine, other = opened("1"), opened("2", CaseKind.DEAD_LETTER)
        staff.post(f"/admin/cases/{mine}/take", page=f"/admin/cases/{mine}")

        def listed(query):
            page = text_of(staff.get(f"/admin/cases?{query}"))
            return {int(number) for number in re.findall(r'href="/admin/cases/(\d+)"', page)}

        assert listed("") == {mine, other}
        assert listed("owner=mine") == {mine}
        assert listed("kind=dead_letter") == {other}
        assert listed("state=closed") == set()
        assert listed("state=all&kind=unknown_order") == {mine}

    def test_older_ones_are_on_the_next_page(self, staff, opened):
        made = [opened(str(number)) for number in range(55)]
        seen = []
        path: str | None = "/admin/cases"
        while path:
            page = text_of(staff.get(path))
            seen += [int(number) for number in re.findall(r'href="/admin/cases/(\d+)"', page)]
            following = re.search(r'rel="next" href="([^"]+)"', page)
            path = following[1].replace("&amp;", "&") if following else None
        assert seen == made[::-1]

    @pytest.mark.parametrize(
        "query", ["state=x", "kind=x", "owner=x", "owner=other", "cursor=x", "cursor=" + "A" * 300]
    )
    def test_a_filter_that_there_is_not_is_refused(self, staff, opened, query):
        assert staff.get(f"/admin/cases?{query}").status_code == 422

    def test_a_place_in_another_list_is_refused(self, staff, opened):
        for number in range(55):
            opened(str(number))
        cursor = re.search(r"cursor=([\w-]+)", text_of(staff.get("/admin/cases")))[1]
        assert staff.get(f"/admin/cases?state=all&cursor={cursor}").status_code == 422
