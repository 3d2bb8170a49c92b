"""What the tests of the admin's screens share: staff at their browsers."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.kit.db import transaction
from portal.learners.models import Role
from portal.staff.models import CourseInstructor
from tests.support.shop import Buyer, Shop


@pytest.fixture
def staff(app: Flask, shop: Shop) -> Callable[..., Buyer]:
    """Return a member of staff who has just shown their second factor; an instructor teaches `courses`."""

    def begin(role: Role = Role.ADMIN, courses: tuple[str, ...] = (), **options: Any) -> Buyer:
        person = shop.buyer(role=role, **options)
        if courses:
            rows = [{"learner_id": person.learner.id, "course_id": course} for course in courses]
            with app.app_context(), transaction() as session:
                session.execute(sa.insert(CourseInstructor), rows)
        return person

    return begin
