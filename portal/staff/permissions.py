"""The matrix of roles and permissions: what is not in it is forbidden."""

from enum import StrEnum

from portal.learners.models import Role
from portal.learners.sessions import Person


class Permission(StrEnum):
    """Something that staff may do."""

    ENTER = "enter"
    """See the first page of the admin."""
    FIND_ORDERS = "find_orders"
    SEE_PERSONS = "see_persons"
    """See e-mail addresses and other personal data in full; without it they are masked."""
    QUERY_PAYMENTS = "query_payments"
    """Have the gateway asked, or an unpaid order closed."""
    RESEND_MAIL = "resend_mail"
    COMMENT = "comment"
    SEE_CASES = "see_cases"
    CLOSE_CASES = "close_cases"
    REQUEST_REFUNDS = "request_refunds"
    SEE_LICENSES = "see_licenses"
    REQUEST_GRANTS = "request_grants"
    """Ask for a license without an ordinary payment."""
    CHANGE_LICENSES = "change_licenses"
    """Reissue, extend, revoke."""
    CONFIRM_PAYMENTS = "confirm_payments"
    """Confirm a transfer that no gateway reports."""
    APPROVE = "approve"
    """Approve what another asked for: refunds, grants, confirmations. Never one's own."""
    ANSWER_DISPUTES = "answer_disputes"
    SEE_COURSES = "see_courses"
    CHANGE_COURSES = "change_courses"
    """Set prices, publish, withdraw."""
    DRAFT_COURSES = "draft_courses"
    """Prepare a change of a course, which an admin approves."""
    SEE_SUMS = "see_sums"
    """See sums and counts without persons."""
    SEE_BOOKS = "see_books"
    """See ledger, bills and reconciliation."""
    RECONCILE = "reconcile"
    EXPORT = "export"
    MANAGE_USERS = "manage_users"
    SEE_AUDIT = "see_audit"
    SEE_JOBS = "see_jobs"
    SEE_SETTINGS = "see_settings"
    CHANGE_SETTINGS = "change_settings"
    """Pause sales, put up a banner. Keys and gateways are the host's command line's."""


class Scope(StrEnum):
    """How far a permission reaches."""

    ALL = "all"
    OWN_COURSES = "own_courses"
    """Orders, licenses and sums of the courses that one teaches."""
    OWN_ACTS = "own_acts"
    """What one has done oneself."""
    SMALL = "small"
    """Up to the amount that one person may decide."""


_INSTRUCTOR, _SUPPORT, _FINANCE, _ADMIN = Role.INSTRUCTOR, Role.SUPPORT, Role.FINANCE, Role.ADMIN
_BOOKKEEPERS = {_FINANCE: Scope.ALL, _ADMIN: Scope.ALL}
_DESK = {_SUPPORT: Scope.ALL, **_BOOKKEEPERS}
_DESK_AND_TEACHERS = {_INSTRUCTOR: Scope.OWN_COURSES, **_DESK}
_ADMINS = {_ADMIN: Scope.ALL}

MAY: dict[Permission, dict[Role, Scope]] = {
    Permission.ENTER: {_INSTRUCTOR: Scope.ALL, **_DESK},
    Permission.FIND_ORDERS: _DESK_AND_TEACHERS,
    Permission.SEE_PERSONS: _BOOKKEEPERS,
    Permission.QUERY_PAYMENTS: _DESK,
    Permission.RESEND_MAIL: _DESK,
    Permission.COMMENT: _DESK_AND_TEACHERS,
    Permission.SEE_CASES: _DESK,
    Permission.CLOSE_CASES: _DESK,
    Permission.REQUEST_REFUNDS: {_SUPPORT: Scope.SMALL, **_BOOKKEEPERS},
    Permission.SEE_LICENSES: _DESK_AND_TEACHERS,
    Permission.REQUEST_GRANTS: {_INSTRUCTOR: Scope.OWN_COURSES, _SUPPORT: Scope.SMALL, **_BOOKKEEPERS},
    Permission.CHANGE_LICENSES: _BOOKKEEPERS,
    Permission.CONFIRM_PAYMENTS: {_INSTRUCTOR: Scope.OWN_COURSES, **_BOOKKEEPERS},
    Permission.APPROVE: _BOOKKEEPERS,
    Permission.ANSWER_DISPUTES: _DESK,
    Permission.SEE_COURSES: {_INSTRUCTOR: Scope.OWN_COURSES, _ADMIN: Scope.ALL},
    Permission.CHANGE_COURSES: _ADMINS,
    Permission.DRAFT_COURSES: {_INSTRUCTOR: Scope.OWN_COURSES},
    Permission.SEE_SUMS: {_INSTRUCTOR: Scope.OWN_COURSES, **_BOOKKEEPERS},
    Permission.SEE_BOOKS: _BOOKKEEPERS,
    Permission.RECONCILE: {_FINANCE: Scope.ALL},
    Permission.EXPORT: _BOOKKEEPERS,
    Permission.MANAGE_USERS: _ADMINS,
    Permission.SEE_AUDIT: {_SUPPORT: Scope.OWN_ACTS, **_BOOKKEEPERS},
    Permission.SEE_JOBS: _BOOKKEEPERS,
    Permission.SEE_SETTINGS: _ADMINS,
    Permission.CHANGE_SETTINGS: _ADMINS,
}


def scope_of(person: Person, permission: Permission) -> Scope | None:
    """Return how far a person's permission reaches; None: they do not have it."""
    return MAY[permission].get(Role(person.role))


def may(person: Person, permission: Permission) -> bool:
    """Tell whether a person has a permission, however far it reaches."""
    return scope_of(person, permission) is not None
