"""`cases list|show|close|comment`: what a person has to look at."""

from typing import Any

import click
from flask.cli import AppGroup

from portal.audit import services as audit
from portal.cases import queries, services
from portal.cases.models import Case, CaseEvent, CaseKind, CaseStatus
from portal.commands.printing import json_option, refuse, show
from portal.kit import clock
from portal.kit.errors import NotFound
from portal.kit.money import yuan

cases = AppGroup("cases", help="What a person has to look at.")

_ALL = "all"
_UNKNOWN = "There is no case with this number."
_BAD_TEXT = f"It takes 1 to {services.LONGEST_TEXT} characters that can be shown."
_number = click.argument("number", type=click.IntRange(1, 2**63 - 1))


@cases.command("list")
@click.option(
    "--state",
    type=click.Choice([*(status.value for status in CaseStatus), _ALL]),
    default=CaseStatus.OPEN.value,
    show_default=True,
)
@click.option("--kind", type=click.Choice([kind.value for kind in CaseKind]), help="Only of this kind.")
@click.option(
    "--before", type=click.IntRange(1, 2**63 - 1), help="Only older than this number: the next page."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_cases(state: str, kind: str | None, before: int | None, limit: int, as_json: bool) -> None:
    """List cases, newest first."""
    wanted = queries.CaseFilter(
        status=None if state == _ALL else CaseStatus(state),
        kind=CaseKind(kind) if kind else None,
        before=before,
    )
    found = queries.cases_page(wanted, limit)
    show([_facts(case) for case in found], "\n".join(map(_line, found)) or "There is none.", as_json)


@cases.command("show")
@_number
@json_option
def show_case(number: int, as_json: bool) -> None:
    """Show the case NUMBER: its evidence, and what was done and said about it."""
    try:
        case = services.case_of(number)
    except NotFound:
        refuse(_UNKNOWN, as_json)
    events = queries.events_of(number)
    lines = [_line(case), *(f"  {name}: {value}" for name, value in case.evidence.items())]
    lines += [f"  {clock.iso(event.at)}  {event.actor}  {event.act}  {event.text}" for event in events]
    facts = {**_facts(case), "evidence": case.evidence, "events": [_event_facts(event) for event in events]}
    show(facts, "\n".join(lines), as_json)


@cases.command("close")
@_number
@click.option("--reason", required=True, help="What was decided; it is kept.")
@json_option
def close(number: int, reason: str, as_json: bool) -> None:
    """Close the case NUMBER for good."""
    try:
        was_open = services.close_case(number, reason, audit.operator())
    except NotFound:
        refuse(_UNKNOWN, as_json)
    except services.BadCaseText:
        refuse(_BAD_TEXT, as_json)
    sentence = f"Case {number} is closed." if was_open else f"Case {number} was closed already."
    show({"id": number, "status": CaseStatus.CLOSED.value, "changed": was_open}, sentence, as_json)


@cases.command("comment")
@_number
@click.argument("text")
@json_option
def comment(number: int, text: str, as_json: bool) -> None:
    """Add TEXT to the case NUMBER."""
    try:
        services.comment_case(number, text, audit.operator())
    except NotFound:
        refuse(_UNKNOWN, as_json)
    except services.BadCaseText:
        refuse(_BAD_TEXT, as_json)
    show({"id": number, "commented": True}, f"Case {number} has the comment.", as_json)


def _line(case: Case) -> str:
    money = f"{yuan(case.amount_fen)} {case.currency}" if case.amount_fen is not None else "-"
    return f"{case.id:>6}  {case.status:<6}  {case.kind:<20}  {money:>14}  {clock.iso(case.created_at)}"


def _facts(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "kind": case.kind,
        "status": case.status,
        "amount_fen": case.amount_fen,
        "currency": case.currency,
        "order_id": case.order_id,
        "payment_id": case.payment_id,
        "owner": case.owner,
        "created_at": clock.iso(case.created_at),
    }


def _event_facts(event: CaseEvent) -> dict[str, Any]:
    return {"at": clock.iso(event.at), "actor": event.actor, "act": event.act, "text": event.text}
