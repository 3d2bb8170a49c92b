"""Count the times that courses' pages were shown."""

from collections.abc import Mapping
from datetime import date

import sqlalchemy as sa

from portal.kit.db import changed_one, db, transactional
from portal.reports.models import DailyViews


@transactional
def add_views(views: Mapping[tuple[date, str], int]) -> None:
    """Add to the counts of days and courses, as a process collected them.

    In one order everywhere, so that two processes that add at once wait for each other at most once.
    """
    for (day, course_id), count in sorted(views.items()):
        row = (DailyViews.day == day, DailyViews.product_id == course_id)
        added = sa.update(DailyViews).where(*row).values(count=DailyViews.count + count)
        if not changed_one(db.session.execute(added)):
            db.session.execute(sa.insert(DailyViews).values(day=day, product_id=course_id, count=count))
