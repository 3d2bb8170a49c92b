"""The staff's desk: a file for each screen, all on one blueprint.

`door.py` holds the blueprint, which opens no view that does not say who may use it; `navigation.py` the one
table of screens; `asked.py` reads what an address asks for, and `decisions.py` says why nothing was decided. What
screens share of templates is described at the head of `templates/components/admin.html`.
"""

from portal.web.admin import (
    audit,
    cases,
    confirmations,
    course_drafts,
    course_offers,
    courses,
    disputes,
    grant_lists,
    grants,
    home,
    jobs,
    licenses,
    new_refunds,
    orders,
    reconciliation,
    refunds,
    reports,
    second_factor,
    settings,
    users,
    worker,
)
from portal.web.admin.door import bp

__all__ = [
    "audit",
    "bp",
    "cases",
    "confirmations",
    "course_drafts",
    "course_offers",
    "courses",
    "disputes",
    "grant_lists",
    "grants",
    "home",
    "jobs",
    "licenses",
    "new_refunds",
    "orders",
    "reconciliation",
    "refunds",
    "reports",
    "second_factor",
    "settings",
    "users",
    "worker",
]
