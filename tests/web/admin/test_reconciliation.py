"""Days of bills: what finance sees, and what is done about each difference."""

import html
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import jobs
from portal.audit.models import AuditRow
from portal.kit import beijing
from portal.kit.db import db
from portal.learners.models import Locale, Role
from portal.licenses.models import License
from portal.orders.services import public_id_of
from portal.outbox.models import Job
from portal.payments.models import Payment
from portal.reconciliation.importing import run_of
from portal.reconciliation.models import BillDifference
from portal.reconciliation.services import reconcile_day
from tests.factories.staff import code_of, set_up_phone
from tests.support.bills import Bill
from tests.support.desk import PAID, Desk

pytestmark = pytest.mark.database
HOME = "/admin/reconciliation"


@pytest.fixture
def finance(shop):
    """Somebody of the finance."""
    return shop.staff(Role.FINANCE)


@pytest.fixture
def bill(shop, clock, tools, finance):
    """Take the bill of a day in: one payment of ours, and one that WeChat told nobody of and does not tell now."""
    paid, lost = shop.buyer().buy(), shop.buyer().buy()
    shop.pay(paid)
    shop.notify(paid)
    transaction_id = shop.pay(lost)["transaction_id"]
    payment, other = shop.payment(paid), shop.payment(lost)
    clock.travel(days=1)
    finance.sign_in_again()
    made = Bill(beijing.day_of(payment.paid_at), payment.mchid, payment.appid)
    made.paid(payment.transaction_id, payment.out_trade_no, payment.amount_fen)
    made.paid(transaction_id, other.out_trade_no, other.amount_fen)
    return made


@pytest.fixture
def imported(app, tools, sandbox, bill):
    """The day, with the difference that WeChat gave no answer about."""
    sandbox.control("POST", "/control/faults", {"route": "query", "kind": "5xx"})
    with app.app_context():
        reconcile_day("wechat_pay", bill.day, tools, "operator:test", io.BytesIO(bill.packed()))
    sandbox.control("DELETE", "/control/faults")
    return f"{HOME}/{bill.day}"


def text_of(response, status=200):
    assert response.status_code == status, response.get_data(as_text=True)[:500]
    return response.get_data(as_text=True)


@pytest.fixture
def difference(app, imported):
    """The difference's number."""
    with app.app_context():
        return db.session.scalars(sa.select(BillDifference.id)).one()


def test_without_a_day_the_page_says_so(finance):
    assert "No day was reconciled yet" in text_of(finance.get(HOME))


def test_days_are_listed_with_their_sums(finance, imported, bill):
    page = text_of(finance.get(HOME))
    assert f'href="{imported}"' in page
    assert "¥198.00" in page
    assert "¥99.00" in page
    assert "With differences" in page


def test_a_day_shows_each_difference_with_its_case(finance, imported, bill):
    page = text_of(finance.get(imported))
    assert "Missing here" in page
    case_page = re.search(r'href="(/admin/cases/\d+)"', page)[1]
    assert imported in text_of(finance.get(case_page))


def test_adopting_asks_wechat_and_gives_the_license(shop, finance, imported, bill, difference, count):
    assert count(License) == 1
    path = f"{imported}/differences/{difference}/adopt"
    assert finance.post(path, page=imported).status_code == 303
    page = text_of(finance.get(imported))
    assert "Adopted" in page
    assert "Balanced" in page
    assert count(License) == 2
    assert count(AuditRow, AuditRow.action == "bill.adopted") == 1
    case_page = re.search(r'href="(/admin/cases/\d+)"', page)[1]
    reader = shop.staff(Role.FINANCE, locale=Locale.ZH)
    assert f"{bill.day} 的账单与账目现已一致" in text_of(reader.get(case_page))


def test_without_an_answer_nothing_is_adopted(finance, imported, difference, count, sandbox):
    sandbox.control("POST", "/control/faults", {"route": "query", "kind": "unsigned"})
    finance.post(f"{imported}/differences/{difference}/adopt", page=imported)
    assert "Nothing changed" in text_of(finance.get(imported))
    assert count(License) == 1


def test_money_of_another_shop_is_not_adopted(app, tools, shop, clock, finance, bill, count):
    bill.paid("4200000009", "SHOP00001", 700)
    with app.app_context():
        reconcile_day("wechat_pay", bill.day, tools, "operator:test", io.BytesIO(bill.packed()))
        number = db.session.scalars(sa.select(BillDifference.id)).one()
    path = f"{HOME}/{bill.day}"
    finance.post(f"{path}/differences/{number}/adopt", page=path)
    assert "nothing to adopt" in text_of(finance.get(path))


def test_a_refund_that_we_lack_is_adopted(app, tools, shop, sandbox, finance, bill):
    desk = Desk(shop, tools)
    order_id = desk.bought()
    number = desk.by_hand(order_id)
    desk.settle(number)
    payment, (there,) = shop.payment(order_id), desk.at_gateway(order_id)
    bill.refunded(payment.transaction_id, payment.out_trade_no, PAID, there["refund_id"], number)
    sandbox.control("POST", "/control/faults", {"route": "refund_query", "kind": "5xx"})
    with app.app_context():
        reconcile_day("wechat_pay", bill.day, tools, "operator:test", io.BytesIO(bill.packed()))
        difference = db.session.scalars(sa.select(BillDifference.id)).one()
    sandbox.control("DELETE", "/control/faults")
    path = f"{HOME}/{bill.day}"
    finance.post(f"{path}/differences/{difference}/adopt", page=path)
    assert "Adopted" in text_of(finance.get(path))
    assert desk.booked(order_id) == PAID


class TestMoneyToGoBack:
    @pytest.fixture
    def another_amount(self, app, tools, shop, bill):
        """A day on which WeChat got more for a payment than we know of."""
        bill.rows = bill.rows[:1]
        bill.rows[0] |= {"订单金额": "100.00", "应结订单金额": "100.00"}
        with app.app_context():
            reconcile_day("wechat_pay", bill.day, tools, "operator:test", io.BytesIO(bill.packed()))
        return f"{HOME}/{bill.day}"

    def test_day_and_case_lead_to_the_refund_of_the_payment(self, finance, another_amount, bill):
        page = text_of(finance.get(another_amount))
        case_page = text_of(finance.get(re.search(r'href="(/admin/cases/\d+)"', page)[1]))
        for shown in (page, case_page):
            path = html.unescape(re.search(r'href="(/admin/refunds/new[^"]+)"', shown)[1])
            assert bill.rows[0]["商户订单号"] in path
            assert "Look at what would happen" in text_of(finance.get(path))

    def test_not_when_all_of_it_went_back(self, app, tools, shop, finance, another_amount, bill):
        desk = Desk(shop, tools)
        with app.app_context():
            order_id = public_id_of(
                db.session.scalars(
                    sa.select(Payment.order_id).where(Payment.out_trade_no == bill.rows[0]["商户订单号"])
                ).one()
            )
        desk.ask(str(order_id))
        assert "/admin/refunds/new" not in text_of(finance.get(another_amount))

    def test_not_for_money_that_is_not_in_the_books(self, finance, imported):
        assert "/admin/refunds/new" not in text_of(finance.get(imported))


@pytest.mark.parametrize("number", ["0", "999999", "x", str(2**63)])
def test_a_difference_that_is_none_is_not_found(finance, imported, number):
    path = f"{imported}/differences/{number}/adopt"
    assert finance.post(path, page=imported).status_code == 404


def test_support_sees_no_books_and_an_admin_only_reads_them(shop, imported, difference):
    assert shop.staff(Role.SUPPORT).get(imported).status_code == 403
    admin = shop.staff(Role.ADMIN)
    assert "Adopt" not in text_of(admin.get(imported))
    for path in (HOME, f"{imported}/differences/{difference}/adopt"):
        assert admin.post(path, {"day": imported[-10:]}, page="/account").status_code == 403


class TestLines:
    def test_they_are_listed_in_the_order_of_the_file(self, finance, imported, bill):
        page = text_of(finance.get(f"{imported}/lines"))
        assert page.index(bill.rows[0]["微信订单号"]) < page.index(bill.rows[1]["微信订单号"])

    def test_the_page_after_the_last_is_empty(self, finance, imported):
        assert "no line here" in text_of(finance.get(f"{imported}/lines?after=99"))

    @pytest.mark.parametrize("after", ["-1", "x", "1e3", "１", "9" * 20, ""])
    def test_a_place_that_is_none_is_refused(self, finance, imported, after):
        assert finance.get(f"{imported}/lines?after={after}").status_code == 422


class TestOriginal:
    def test_it_is_sent_as_it_came_and_who_took_it_is_on_record(self, finance, imported, bill, count):
        response = finance.get(f"{imported}/file")
        assert (response.status_code, response.data) == (200, bill.packed())
        assert response.headers["Content-Disposition"] == (
            f'attachment; filename="bill-wechat_pay-{bill.day}.csv.gz"'
        )
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert count(AuditRow, AuditRow.action == "bill.downloaded") == 1

    def test_it_wants_a_code_not_older_than_five_minutes(self, app, finance, imported, clock, count):
        seed, _codes = set_up_phone(app, finance.learner)
        finance.sign_in_again()
        clock.travel(minutes=6)
        asked = finance.get(f"{imported}/file")
        assert asked.status_code == 303
        assert asked.location.startswith("/admin/confirm?next=")
        code = {"second_factor_code": code_of(seed)}
        assert finance.post(asked.location, code, page=asked.location).status_code == 303
        assert finance.get(f"{imported}/file").status_code == 200
        assert count(AuditRow, AuditRow.action == "bill.downloaded") == 1

    def test_a_day_without_a_bill_has_none(self, finance, bill, clock):
        finance.post(HOME, {"day": str(bill.day)}, page=HOME)
        assert finance.get(f"{HOME}/{bill.day}/file").status_code == 404


class TestReconcilingAgain:
    def test_the_worker_does_it_and_the_page_says_so_meanwhile(
        self, app, tools, finance, imported, bill, count
    ):
        assert finance.post(HOME, {"day": str(bill.day)}, page=imported).location == imported
        assert "<progress" in text_of(finance.get(imported))
        with app.app_context():
            jobs.run_due(tools)
        assert "<progress" not in text_of(finance.get(imported))

    def test_asking_twice_is_asking_once(self, finance, imported, bill, count):
        for _ in range(2):
            finance.post(HOME, {"day": str(bill.day)}, page=imported)
        assert count(Job, Job.kind == "reconcile_day") == 1

    @pytest.mark.parametrize(
        "day", ["", "x", "2026-13-01", "20261119", "2026-1-1", "1999-01-01", "9999-01-01", "２０２６-11-19"]
    )
    def test_a_day_that_cannot_be_is_refused(self, finance, day, count):
        finance.post(HOME, {"day": day}, page=HOME)
        assert count(Job, Job.kind == "reconcile_day") == 0

    def test_today_is_not_over(self, finance, count, clock):
        finance.post(HOME, {"day": str(beijing.day_of(clock.now()))}, page=HOME)
        assert count(Job, Job.kind == "reconcile_day") == 0


@pytest.mark.parametrize("day", ["2026-11-19", "x", "2026-13-01", "2026-11-19x"])
def test_a_day_that_was_never_begun_is_not_found(finance, day):
    for path in ("", "/lines", "/file"):
        assert finance.get(f"{HOME}/{day}{path}").status_code == 404


@pytest.mark.parametrize("before", ["x", "2026-13-01", "1"])
def test_a_page_that_is_none_is_refused(finance, before):
    assert finance.get(f"{HOME}?before={before}").status_code == 422


def test_older_days_are_on_the_next_page(app, tools, finance, bill):
    with app.app_context():
        for number in range(40):
            run_of("wechat_pay", bill.mchid, bill.day - timedelta(days=number))
    page = text_of(finance.get(HOME))
    following = re.search(r'rel="next" href="([^"]+)"', page)[1]
    older = text_of(finance.get(following))
    shown = re.findall(r'href="/admin/reconciliation/(\d{4}-\d\d-\d\d)"', page + older)
    assert len(shown) == len(set(shown)) == 40
