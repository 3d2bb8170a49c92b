"""On hold nothing reaches outside, money that comes counts, and everybody is told; operators turn it, on record."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.cases.models import Case, CaseKind
from portal.doctor.examination import examine_surroundings
from portal.kit.db import db
from portal.learners.models import Locale
from portal.orders.models import Order, OrderStatus
from portal.reconciliation.relearning import ask_about_attempts
from portal.refunds.models import Refund, RefundStatus
from portal.switchboard.hold import OnHold, begin_hold, end_hold
from tests.support.desk import Desk
from tests.support.editors import editor_of
from tests.support.keys import active_key_file
from tests.support.shop import COURSE
from tests.support.transfers import TransferDesk

pytestmark = pytest.mark.database
REASON = "restored the backup of 03:00"


@pytest.fixture
def hold(app, tools):
    """Begin a hold, or release it."""

    def turn(is_on=True):
        with app.app_context():
            begin_hold(REASON, "operator:test") if is_on else end_hold("operator:test")
        tools.board.forget()

    return turn


@pytest.fixture
def flask(app):
    """Run a command of `hold`; return its exit code and what it printed."""

    def run(*words):
        result = app.test_cli_runner().invoke(args=["hold", *words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.exit_code, result.stdout

    return run


def test_nothing_is_sold_and_everybody_is_told_why(shop, hold, count):
    buyer = shop.buyer()
    hold()
    refused = buyer.post(f"/courses/{COURSE}/buy", page=f"/courses/{COURSE}")
    assert refused.location == f"/courses/{COURSE}"
    answer = editor_of(buyer).begin()
    assert (answer.status_code, answer.get_json()["code"]) == (503, "sales_paused")
    assert answer.headers["Retry-After"]
    page = buyer.get("/courses", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert "Whoever has paid gets the license" in page
    assert REASON not in page
    assert count(Order) == 0
    hold(False)
    assert buyer.buy()


def test_an_order_that_wechat_never_heard_of_is_not_opened_before_the_release(shop, sandbox, clock, hold):
    sandbox.control("POST", "/control/faults", {"route": "create", "kind": "5xx"})
    buyer = shop.buyer()
    order_id = buyer.buy()
    sandbox.control("DELETE", "/control/faults")
    hold()
    clock.travel(seconds=15)
    assert shop.books() == []
    buyer.post(f"/checkout/{order_id}/check")
    shop.work()
    assert shop.books() == []
    page = buyer.get(f"/checkout/{order_id}", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert "Your code follows when our records are restored" in page
    assert "charged" not in page
    tag = buyer.get(f"/checkout/{order_id}/status").headers["ETag"]
    hold(False)
    assert buyer.get(f"/checkout/{order_id}/status", headers={"If-None-Match": tag}).status_code == 200
    shop.work()
    assert buyer.state(order_id) == "awaiting_payment"


def test_a_license_whose_key_was_away_is_made_on_hold(shop, tools, clock, hold, mails):
    buyer = shop.buyer()
    order_id = buyer.buy()
    key = active_key_file(tools.key_ring)
    away = key.rename(key.with_suffix(".away"))
    hold()
    shop.pay(order_id)
    assert shop.notify(order_id).status_code == 200
    away.rename(key)
    clock.travel(seconds=3)
    shop.work(2)
    assert buyer.state(order_id) == "delivered"
    assert mails() == []


def test_no_refund_is_asked_for_or_approved(shop, app, tools, hold, count):
    desk = Desk(shop, tools)
    desk.limits(single_fen=0)
    buyer = shop.buyer()
    bought, asked = desk.bought(buyer), desk.bought()
    number = desk.ask(asked)
    hold()
    with pytest.raises(OnHold):
        desk.ask(bought)
    with pytest.raises(OnHold):
        desk.ask_as_learner(buyer, bought)
    with pytest.raises(OnHold):
        desk.approve(number)
    assert (count(Refund), desk.refund(number).status) == (1, RefundStatus.REQUESTED)
    assert desk.sums(bought) == (0, 0)


def test_it_is_not_released_before_wechat_has_said_what_went_back(
    shop, app, tools, sandbox, clock, hold, flask, count
):
    desk = Desk(shop, tools)
    order_id = desk.bought()
    number = desk.ask(order_id, 3000)
    desk.by_hand(order_id, 4000)
    hold()
    sandbox.control("POST", "/control/faults", {"route": "refund_query", "kind": "5xx"})
    with app.app_context():
        ask_about_attempts("wechat_pay", clock.now() - timedelta(hours=1), tools)
    assert (flask("off")[0], flask("show")[1].startswith("On hold")) == (1, True)
    assert flask("off", "--anyway") == (0, "Not on hold.\n")
    hold()

    sandbox.control("DELETE", "/control/faults")
    clock.travel(seconds=20)
    shop.work(2)
    assert count(Case, Case.kind == CaseKind.REFUND_UNKNOWN.value, Case.status == "open") == 1
    assert (desk.refund(number).status, desk.given_back(order_id)) == (RefundStatus.APPROVED, 4000)
    assert flask("off") == (0, "Not on hold.\n")


def test_a_transfer_order_is_ended_after_the_release_and_not_before(shop, tools, clock, hold):
    transfers = TransferDesk(shop, tools)
    transfers.offer()
    canceller, late = shop.buyer(), shop.buyer()
    cancelled, overdue = transfers.order(canceller), transfers.order(late)
    hold()
    canceller.post(f"/checkout/{cancelled}/cancel")
    clock.travel(seconds=(shop.order(overdue).expires_at - clock.now()).total_seconds() + 1)
    late.sign_in_again()
    late.post(f"/checkout/{overdue}/check")
    shop.work(2)
    for order_id, how in ((cancelled, OrderStatus.CANCELLED), (overdue, OrderStatus.EXPIRED)):
        order = shop.order(order_id)
        assert (order.status, order.closing) == (OrderStatus.PENDING, how)
    hold(False)
    shop.work()
    assert [shop.order(order_id).status for order_id in (cancelled, overdue)] == ["cancelled", "expired"]


def test_staff_read_it_above_every_page_and_cannot_turn_it(shop, hold, app, tools):
    hold()
    for locale, words in ((Locale.EN, "On hold since"), (Locale.ZH, "恢复保护中")):
        admin = shop.staff(locale=locale)
        page = admin.get("/admin").get_data(as_text=True)
        assert words in page
        assert REASON in page
    turned = admin.post("/admin/settings/hold", {"hold-version": "1"}, page="/admin/settings")
    assert turned.status_code == 404
    with app.app_context():
        (finding,) = [one for one in examine_surroundings(tools) if one.check == "hold"]
    assert REASON in finding.problem


def test_operators_turn_it_on_record_and_a_second_time_changes_nothing(flask, app):
    assert json.loads(flask("show", "--json")[1]) == {"on_hold": False, "since": None, "reason": None}
    status, text = flask("on", "--reason", f" {REASON}\n", "--json")
    facts = json.loads(text)
    assert (status, facts["on_hold"], facts["reason"]) == (0, True, REASON)
    assert json.loads(flask("on", "--reason", "another", "--json")[1]) == facts
    assert facts["since"] in flask("show")[1]
    assert flask("off")[1] == flask("off")[1] == "Not on hold.\n"
    with app.app_context():
        rows = db.session.execute(sa.select(AuditRow.action, AuditRow.subject).order_by(AuditRow.id)).all()
    assert [tuple(row) for row in rows] == [("switch.turned", "switch:hold")] * 2


@pytest.mark.parametrize("reason", ["", " ", "x" * 301, "a\x00b"])
def test_a_hold_needs_a_reason_that_can_be_shown(flask, reason):
    assert flask("on", "--reason", reason)[0] == 2
    assert flask("show")[1] == "Not on hold.\n"
