"""Which courses a member of staff may see where the matrix says: own courses."""

import sqlalchemy as sa

from portal.kit.db import db
from portal.learners.models import Learner
from portal.staff.models import CourseInstructor
from portal.staff.permissions import Permission, Scope, scope_of


def courses_within(learner: Learner, permission: Permission) -> frozenset[str] | None:
    """Return the ids of the courses that a permission reaches; None: every course."""
    if scope_of(learner, permission) is not Scope.OWN_COURSES:
        return None
    query = sa.select(CourseInstructor.course_id).where(CourseInstructor.learner_id == learner.id)
    return frozenset(db.session.scalars(query))
