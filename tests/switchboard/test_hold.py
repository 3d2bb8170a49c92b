"""On hold nothing reaches outside, money that comes counts, and everybody is told; operators turn it, on record."""

import json

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.doctor.examination import examine_surroundings
from portal.kit.db import db
from portal.learners.models import Locale
from portal.orders.models import Order
from portal.refunds.models import Refund, RefundStatus
from portal.switchboard.hold import OnHold, begin_hold, end_hold
from tests.support.desk import Desk
from tests.support.editors import editor_of
from tests.support.keys import active_key_file
from tests.support.shop import COURSE

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
    hold(False)
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
