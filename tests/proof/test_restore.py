"""F44: a backup an hour old is restored; on hold the portal learns what became of the money, then goes on, once."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.cases.models import Case, CaseKind, CaseStatus
from portal.delivery.transport import FolderMailer
from portal.kit import beijing
from portal.kit.db import Base, db
from portal.licenses.models import License
from portal.orders.models import OrderStatus
from portal.payments.models import VerifiedBy
from portal.refunds.models import RefundStatus
from tests.support import databases
from tests.support.desk import PAID, Desk
from tests.support.rest import come_to_rest

pytestmark = pytest.mark.database


class Backup:
    """Every row of a database, as a dump would hold it."""

    def __init__(self, app):
        self._app = app
        with app.app_context(), db.engine.connect() as connection:
            self._rows = {
                table: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                for table in Base.metadata.sorted_tables
            }

    def restore(self):
        """Make the database what it was."""
        with self._app.app_context(), db.engine.begin() as connection:
            db.session.remove()
            databases.empty_tables(connection)
            for table, rows in self._rows.items():
                if rows:
                    connection.execute(sa.insert(table), rows)


@dataclass
class Past:
    """What was sold before and after the backup. Each value is an order's id, or what is named."""

    delivered: str
    mailed_since: str
    refund_sent_since: str
    refunded_since: str
    told_again: str
    asked_by_the_learner: str
    asked_by_the_operator: str
    cancelled_since: str
    cancelled_on_hold: str
    never_paid: str
    lost_number: str
    lost_news: dict
    forgotten: set


@pytest.fixture
def flask(app):
    """Run a command; return its exit code and what it printed for scripts."""

    def run(*words):
        result = app.test_cli_runner().invoke(args=[*words, "--json"])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.exit_code, json.loads(result.stdout)

    return run


@pytest.fixture
def desk(shop, tools):
    """Staff who give money back, each alone."""
    return Desk(shop, tools)


@pytest.fixture
def noon(clock):
    """It is noon in Beijing, tomorrow."""
    tomorrow = beijing.begin_of(beijing.day_of(clock.now()) + timedelta(days=1))
    clock.travel(seconds=(tomorrow + timedelta(hours=12) - clock.now()).total_seconds())


@pytest.fixture
def buyer(shop, noon):
    """Who asks about a license that the restored database does not know."""
    return shop.buyer()


@pytest.fixture
def sent(monkeypatch):
    """The Message-IDs of all mails that were sent, in order."""
    ids = []
    send = FolderMailer.send

    def count_and_send(mailer, message):
        send(mailer, message)
        ids.append(str(message["Message-ID"]))

    monkeypatch.setattr(FolderMailer, "send", count_and_send)
    return ids


@pytest.fixture
def past(app, shop, desk, clock, buyer, sent):
    """An hour that the database has forgotten."""
    delivered, refund_sent_since, refunded_since = desk.bought(), desk.bought(), desk.bought()
    shop.work(2)
    told_again, asked_by_the_learner = shop.buyer().buy(), buyer.buy()
    asked_by_the_operator, never_paid, canceller = shop.buyer().buy(), shop.buyer().buy(), shop.buyer()
    cancelled_since, cancelled_on_hold = canceller.buy(), buyer.buy("react-complete")
    mailed_since = desk.bought()
    desk.ask(refund_sent_since)
    backup, remembered = Backup(app), len(sent)
    shop.work(2)
    for order_id in (told_again, asked_by_the_learner, asked_by_the_operator):
        shop.pay(order_id)
        shop.notify(order_id)
    desk.ask(refunded_since)
    canceller.post(f"/checkout/{cancelled_since}/cancel")
    lost = desk.bought()
    shop.work(2)
    clock.travel(minutes=2)
    shop.work(2)
    assert [one.status for one in desk.refunds(refunded_since)] == [RefundStatus.SUCCEEDED]
    lost_number, lost_news = shop.payment(lost).out_trade_no, shop.notification(lost)
    backup.restore()
    return Past(
        delivered,
        mailed_since,
        refund_sent_since,
        refunded_since,
        told_again,
        asked_by_the_learner,
        asked_by_the_operator,
        cancelled_since,
        cancelled_on_hold,
        never_paid,
        lost_number,
        lost_news,
        set(sent[remembered:]),
    )


def test_a_restored_portal_learns_on_hold_and_then_goes_on_once(
    app, shop, desk, clock, buyer, past, flask, sent, count
):
    before = _outside(shop, sent)
    assert flask("hold", "on", "--reason", "restored from 12:00")[1]["on_hold"]

    # Whoever paid gets what was paid for.
    assert shop.notify(past.told_again).status_code == 200
    buyer.post(f"/checkout/{past.asked_by_the_learner}/check")
    assert buyer.state(past.asked_by_the_learner) == "delivered"
    assert shop.deliver(past.lost_news).status_code == 200
    # What went back is known, or a case, before anybody can give it back once more.
    day_of_backup = beijing.day_of(clock.now())
    flask("reconcile", "--since", str(day_of_backup - timedelta(days=1)))
    assert shop.payment(past.asked_by_the_operator).verified_by == VerifiedBy.QUERY
    assert desk.booked(past.refund_sent_since) == PAID
    assert _open_cases(app) == [
        (CaseKind.REFUND_UNKNOWN, shop.payment(past.refunded_since).id),
        (CaseKind.UNKNOWN_ORDER, None),
    ]
    # Nothing else moves, whoever asks for it and however long it lasts; the worker takes in the bill.
    buyer.post(f"/checkout/{past.cancelled_on_hold}/cancel")
    clock.travel(hours=2)
    shop.work(3)
    clock.travel(days=1)
    shop.work(3)
    assert _outside(shop, sent) == before
    overdue = shop.order(past.never_paid)
    assert (overdue.status, overdue.closing) == (OrderStatus.PENDING, None)
    (found,) = desk.refunds(past.refunded_since)
    assert (found.status, desk.booked(past.refunded_since)) == (RefundStatus.SUCCEEDED, PAID)
    status, days = flask("reconcile", "--since", str(day_of_backup))
    assert (status, [day["differences"] for day in days]) == (1, [1])  # the order that nobody remembers
    assert _outside(shop, sent) == before
    status, facts = flask("doctor")
    assert "hold" in {finding["check"] for finding in facts["findings"]}

    assert flask("hold", "off")[1] == {"on_hold": False, "since": None, "reason": None}
    come_to_rest(shop, clock)
    (lost,) = shop.differences()
    assert lost.startswith(past.lost_number)
    # At least once is what is promised of mail: what was sent in the forgotten hour comes again, under its Message-ID.
    twice = {mail for mail, times in Counter(sent).items() if times > 1}
    assert twice
    assert twice <= past.forgotten
    assert len(sent) - len(set(sent)) == len(twice)
    assert _open_cases(app) == [(CaseKind.UNKNOWN_ORDER, None)]
    assert sum(one["amount"] for one in shop.refunds()) == 2 * PAID
    assert shop.order(past.never_paid).status == OrderStatus.EXPIRED
    assert shop.order(past.cancelled_since).status == OrderStatus.EXPIRED
    assert shop.order(past.cancelled_on_hold).status == OrderStatus.CANCELLED
    assert count(License) == 7


def _open_cases(app):
    """The kinds of the cases that wait for a person, with the payments they are about."""
    with app.app_context():
        found = db.session.execute(
            sa.select(Case.kind, Case.payment_id).where(Case.status == CaseStatus.OPEN).order_by(Case.kind)
        )
        return [tuple(case) for case in found]


def _outside(shop, sent):
    """What the world has seen of the portal: orders and refunds at WeChat, and mails."""
    return (
        sorted((book["out_trade_no"], book["state"]) for book in shop.books()),
        sorted(refund["out_refund_no"] for refund in shop.refunds()),
        len(sent),
    )
