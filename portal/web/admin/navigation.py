"""The screens of the admin, in the order of its navigation: one line each."""

from dataclasses import dataclass
from typing import Any

from flask import request, url_for
from flask_babel import lazy_gettext as _l

from portal.learners.sessions import Reader
from portal.staff.permissions import Permission, may


@dataclass(frozen=True)
class Screen:
    """A screen: the endpoint of its first page, its name, what it is for, and who sees it."""

    endpoint: str
    name: Any
    purpose: Any
    permission: Permission


SCREENS = (
    Screen("admin.home", _l("Overview"), _l("What there is to do."), Permission.ENTER),
    Screen(
        "admin.orders",
        _l("Orders"),
        _l("Find an order, and see all that happened to it."),
        Permission.FIND_ORDERS,
    ),
    Screen(
        "admin.refunds",
        _l("Refunds"),
        _l("Money that goes back: ask, approve, and mend what did not arrive."),
        Permission.REQUEST_REFUNDS,
    ),
    Screen(
        "admin.confirmations",
        _l("Confirmations"),
        _l("Transfers that learners say they made: look, and confirm."),
        Permission.CONFIRM_PAYMENTS,
    ),
    Screen("admin.licenses", _l("Licenses"), _l("Find, reissue, extend, revoke."), Permission.SEE_LICENSES),
    Screen(
        "admin.grants",
        _l("Grants"),
        _l("Licenses given by hand, and what waits for a second person."),
        Permission.REQUEST_GRANTS,
    ),
    Screen(
        "admin.disputes",
        _l("Disputes"),
        _l("Complaints of payers at WeChat Pay, and by when they are to be answered."),
        Permission.ANSWER_DISPUTES,
    ),
    Screen(
        "admin.cases",
        _l("Cases"),
        _l("What cannot be applied by itself and needs a person."),
        Permission.SEE_CASES,
    ),
    Screen(
        "admin.reconciliation",
        _l("Reconciliation"),
        _l("The gateway's bills against our books, day by day."),
        Permission.SEE_BOOKS,
    ),
    Screen("admin.reports", _l("Reports"), _l("Sales, and how long licenses take."), Permission.SEE_SUMS),
    Screen("admin.courses", _l("Courses"), _l("Titles, prices, what is on sale."), Permission.SEE_COURSES),
    Screen(
        "admin.users", _l("Users"), _l("People, their roles, sessions and phones."), Permission.MANAGE_USERS
    ),
    Screen("admin.audit_rows", _l("Audit"), _l("Who did what, when, and why."), Permission.SEE_AUDIT),
    Screen("admin.jobs", _l("Jobs"), _l("Long work and how far it is."), Permission.SEE_JOBS),
    Screen(
        "admin.worker",
        _l("Worker"),
        _l("Whether the portal is well, and what waits to be done."),
        Permission.SEE_JOBS,
    ),
    Screen(
        "admin.settings",
        _l("Settings"),
        _l("Pause the sale, put up a banner, look at the keys."),
        Permission.SEE_SETTINGS,
    ),
    Screen(
        "admin.second_factor",
        _l("Second factor"),
        _l("Your phone and your recovery codes."),
        Permission.ENTER,
    ),
)


@dataclass(frozen=True)
class Entry:
    """A line of the navigation as one reader sees it."""

    url: str
    name: Any
    purpose: Any
    is_here: bool


def entries_for(person: Reader | None) -> list[Entry]:
    """Return the screens that a person may open, none before the second factor was shown."""
    if person is None or person.second_factor_at is None:
        return []
    return [
        Entry(url_for(screen.endpoint), screen.name, screen.purpose, _is_here(screen.endpoint))
        for screen in SCREENS
        if may(person, screen.permission)
    ]


def _is_here(endpoint: str) -> bool:
    """Tell whether the page being read is a screen's, or one below it."""
    url = url_for(endpoint)
    return request.path == url or (endpoint != "admin.home" and request.path.startswith(f"{url}/"))
