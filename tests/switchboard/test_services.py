"""Switches are turned on record, by one at a time, and seen within five seconds."""

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.kit.db import db
from portal.switchboard.models import SwitchName
from portal.switchboard.services import (
    Board,
    ChangedByAnother,
    SalesPaused,
    check_sales_open,
    switches,
    turn,
)

pytestmark = pytest.mark.database
BANNER, PAUSE = SwitchName.BANNER, SwitchName.SALES_PAUSE


@pytest.fixture(autouse=True)
def inside(app, clock):
    """Be inside an application context, by a clock that can be moved."""
    with app.app_context():
        yield


def test_it_is_turned_on_record_with_what_was_before():
    turn(BANNER, True, "国庆快乐", "Happy holidays", 0, "staff:x")
    turn(BANNER, False, "", "", 1, "staff:x")
    standing = switches()[BANNER]
    assert (standing.is_on, standing.version) == (False, 2)
    facts = db.session.scalars(sa.select(AuditRow.facts).order_by(AuditRow.id)).all()
    assert '"before":{"en":"Happy holidays"' in facts[1]


@pytest.mark.parametrize("seen", [1, 7])
def test_whoever_saw_another_state_turns_nothing(seen):
    with pytest.raises(ChangedByAnother):
        turn(BANNER, True, "一", "one", seen, "staff:x")
    turn(BANNER, True, "一", "one", 0, "staff:x")
    with pytest.raises(ChangedByAnother):
        turn(BANNER, True, "二", "two", 0, "staff:x")
    assert switches()[BANNER].text_en == "one"


def test_a_pause_stops_new_orders_from_its_commit_on():
    check_sales_open()
    turn(PAUSE, True, "盘点中", "Stocktaking", 0, "staff:x")
    with pytest.raises(SalesPaused) as paused:
        check_sales_open()
    assert paused.value.facts == {"zh": "盘点中", "en": "Stocktaking"}
    turn(PAUSE, False, "盘点中", "Stocktaking", 1, "staff:x")
    check_sales_open()


def test_pages_see_it_within_five_seconds(clock):
    board = Board()
    assert board.text(BANNER, "en") is None
    turn(BANNER, True, "你好", "Hello", 0, "staff:x")
    assert board.text(BANNER, "en") is None
    clock.travel(seconds=5)
    assert (board.text(BANNER, "en"), board.text(BANNER, "zh_Hans_CN")) == ("Hello", "你好")
    assert board.text(PAUSE, "en") is None
