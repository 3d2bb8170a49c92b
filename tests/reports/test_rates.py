"""A month's refunds and complaints stand beside its sales."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.disputes.models import Dispute
from portal.kit import beijing
from portal.kit import clock as portal_clock
from portal.kit.db import transaction
from portal.reports.queries import Wanted
from portal.reports.rates import Rates, rates_by_month
from portal.reports.recount import bring_up_to_date
from tests.support.complaints import Complaints
from tests.support.shop import COURSE

pytestmark = pytest.mark.database


def test_complaints_count_in_the_month_they_were_made(app, shop, sandbox):
    complaints = Complaints(app, shop, sandbox)
    first, second = complaints.paid(), complaints.paid()
    bought = beijing.day_of(portal_clock.now())
    complaints.complain(out_trade_no=first)
    later = complaints.complain(out_trade_no=second)
    complaints.look()
    with app.app_context():
        bring_up_to_date()
        today = bought + timedelta(days=31)
        with transaction() as session:
            moved = sa.update(Dispute).where(Dispute.complaint_id == later)
            session.execute(moved.values(complained_at=beijing.begin_of(today)))
        found = rates_by_month(Wanted(bought, today))
        assert found[bought.replace(day=1)] == Rates(sold_count=2, dispute_count=1)
        assert found[today.replace(day=1)] == Rates(dispute_count=1)
        assert rates_by_month(Wanted(bought, bought, ["another"])) == {bought.replace(day=1): Rates()}
        assert rates_by_month(Wanted(bought, bought, [COURSE])) == rates_by_month(Wanted(bought, bought))
    total = sum(found.values(), Rates())
    assert (total.dispute_share, total.refund_share) == (1.0, 0.0)
    assert Rates().dispute_share is None
