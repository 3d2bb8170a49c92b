"""A case has one cause, keeps what is said about it, and is closed by a decision or by its cause going away."""

import pytest

from portal.audit.models import AuditRow
from portal.cases import queries, services
from portal.cases.models import Case, CaseEvent, CaseKind, CaseStatus
from portal.kit.db import transaction
from portal.kit.errors import NotFound

pytestmark = pytest.mark.database

STAFF = "staff:finance"


@pytest.fixture(autouse=True)
def context(app):
    """Be inside an application context."""
    with app.app_context():
        yield


def opened(key="4200001", kind=CaseKind.UNKNOWN_ORDER) -> int:
    with transaction():
        return services.open_case(kind, key, {"transaction_id": key}, amount_fen=9900, currency="CNY")


def resolve(case_id: int) -> bool:
    with transaction():
        return services.resolve_case(case_id, "the bill has it now")


def acts(case_id: int) -> list[tuple[str, str]]:
    return [(event.act, event.actor) for event in queries.events_of(case_id)]


def test_one_cause_has_one_case():
    assert opened() == opened()
    assert opened("4200002") != opened()


def test_closing_keeps_the_reason_and_who_gave_it(count):
    case_id = opened()
    assert services.close_case(case_id, "  the other shop's\r\norder ", STAFF)
    (event,) = queries.events_of(case_id)
    assert (event.act, event.actor, event.text) == ("closed", STAFF, "the other shop's\norder")
    assert count(AuditRow, AuditRow.action == "case.closed", AuditRow.actor == STAFF) == 1


def test_closing_again_changes_nothing(count):
    case_id = opened()
    services.close_case(case_id, "decided", STAFF)
    assert not services.close_case(case_id, "decided otherwise", "staff:other")
    assert len(acts(case_id)) == 1
    assert count(AuditRow, AuditRow.action == "case.closed") == 1


def test_what_a_person_closed_stays_closed_when_its_cause_is_told_of_again():
    case_id = opened()
    services.close_case(case_id, "decided", STAFF)
    opened()
    assert services.case_of(case_id).status == CaseStatus.CLOSED


def test_what_closed_by_itself_is_opened_again_with_its_cause():
    case_id = opened()
    assert resolve(case_id)
    assert services.case_of(case_id).status == CaseStatus.CLOSED
    opened()
    assert services.case_of(case_id).status == CaseStatus.OPEN
    assert acts(case_id) == [("closed", "system"), ("reopened", "system")]


def test_what_a_person_closed_is_not_resolved_as_well():
    case_id = opened()
    services.close_case(case_id, "decided", STAFF)
    assert not resolve(case_id)
    assert len(acts(case_id)) == 1


def test_it_has_the_owner_who_took_it_last():
    case_id = opened()
    services.take_case(case_id, STAFF)
    services.take_case(case_id, STAFF)
    services.take_case(case_id, "staff:other")
    assert services.case_of(case_id).owner == "staff:other"
    assert acts(case_id) == [("taken", STAFF), ("taken", "staff:other")]


def test_nobody_takes_a_closed_case():
    case_id = opened()
    services.close_case(case_id, "decided", STAFF)
    with pytest.raises(services.CaseClosed):
        services.take_case(case_id, STAFF)


def test_a_closed_case_can_still_be_commented_on():
    case_id = opened()
    services.close_case(case_id, "decided", STAFF)
    services.comment_case(case_id, "补充：退款已到账 🙂", STAFF)
    assert queries.events_of(case_id)[-1].text == "补充：退款已到账 🙂"


@pytest.mark.parametrize(
    "text",
    ["", " \n ", "x" * 2001, "nul\0", "bell\a", "lone \ud800", "\u202egnp.exe", "tab\there"],
    ids=["empty", "blank", "long", "nul", "control", "surrogate", "reversed", "tab"],
)
def test_a_text_that_cannot_be_kept_changes_nothing(text, count):
    case_id = opened()
    for act in (services.close_case, services.comment_case):
        with pytest.raises(services.BadCaseText):
            act(case_id, text, STAFF)
    assert count(CaseEvent) == 0
    assert services.case_of(case_id).is_open


def test_a_case_that_does_not_exist_is_not_found():
    for act in (services.close_case, services.comment_case):
        with pytest.raises(NotFound):
            act(10**9, "a text", STAFF)
    with pytest.raises(NotFound):
        services.take_case(10**9, STAFF)


class TestWorkList:
    def test_it_is_narrowed_and_paged_newest_first(self, count):
        made = [opened(str(number)) for number in range(5)]
        other = opened("9", CaseKind.DEAD_LETTER)
        services.close_case(made[0], "decided", STAFF)
        services.take_case(made[1], STAFF)

        def listed(limit=10, **wanted):
            return [case.id for case in queries.cases_page(queries.CaseFilter(**wanted), limit)]

        assert listed() == [other, *reversed(made[1:])]
        assert listed(status=CaseStatus.CLOSED) == [made[0]]
        assert listed(kind=CaseKind.DEAD_LETTER) == [other]
        assert listed(owner=STAFF) == [made[1]]
        assert listed(limit=2, before=other) == [made[4], made[3]]
        assert len(listed(status=None)) == count(Case) == 6
