"""`reconcile DATE`: the gateway's bill of a day against our books."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from portal.audit import services as audit
from portal.commands.printing import json_option, refuse, show
from portal.gateways.base import BadBill
from portal.kit import beijing, clock
from portal.kit.money import yuan
from portal.reconciliation.importing import AnotherBill
from portal.reconciliation.queries import DayFacts, day_facts
from portal.reconciliation.relearning import ask_about_attempts
from portal.reconciliation.services import DAYS_KEPT, NoBillYet, reconcile_day
from portal.web.tools import tools

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_GATEWAY = "wechat_pay"


class _Day(click.ParamType[date]):
    """A day in Beijing that is over."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            day = date.fromisoformat(value) if _DATE.fullmatch(value) else None
        except ValueError:
            day = None
        if day is None:
            self.fail("a day is written like 2026-11-19", param, ctx)
        if day >= beijing.day_of(clock.now()):
            self.fail("the day is not over in Beijing", param, ctx)
        return day


@click.command("reconcile")
@click.argument("day", metavar="[DATE]", type=_Day(), required=False)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The day's bill, instead of fetching it. It proves no payment: WeChat is asked about each it names.",
)
@click.option("--since", type=_Day(), help="After a restored backup: every day from this one on.")
@json_option
@with_appcontext
def reconcile(day: date | None, file: Path | None, since: date | None, as_json: bool) -> None:
    """Compare WeChat's bill of DATE (YYYY-MM-DD, Beijing) with our books.

    Exit 0 when they balance or a person has decided about every difference, 1 when not, or there is no bill yet.
    """
    if (day is None) == (since is None) or (file is not None and since is not None):
        refuse("Name one day, with its file or without, or --since a day.", as_json)
    first = day or since
    assert first is not None
    if file is None and (beijing.day_of(clock.now()) - first).days > DAYS_KEPT:
        refuse(f"WeChat keeps its bills for {DAYS_KEPT} days; give an older one with --file.", as_json)
    if since is not None:
        ask_about_attempts(_GATEWAY, beijing.begin_of(since), tools())
        days = list(beijing.days_between(since, beijing.day_of(clock.now())))[:-1]
    else:
        days = [first]
    results = [_result(each, file, as_json) for each in days]
    facts: Any = [result[1] for result in results] if since is not None else results[0][1]
    show(facts, "\n".join(result[2] for result in results), as_json)
    if not all(result[0] for result in results):
        raise SystemExit(1)


def _result(day: date, file: Path | None, as_json: bool) -> tuple[bool, dict[str, Any], str]:
    """Reconcile a day; return whether all is well, what there is to tell scripts, and people."""
    try:
        if file is None:
            run_id = reconcile_day(_GATEWAY, day, tools(), audit.operator())
        else:
            with file.open("rb") as opened:
                run_id = reconcile_day(_GATEWAY, day, tools(), audit.operator(), opened)
    except NoBillYet as error:
        return False, {"date": str(day), "state": "waiting", "why": str(error)}, f"{day}: no bill ({error})."
    except AnotherBill:
        refuse(f"{day} was imported from another bill. Nothing was changed.", as_json)
    except (BadBill, OSError) as error:
        refuse(f"{file}: nothing was imported. {error}", as_json)
    except sa.exc.OperationalError:
        refuse(f"{day} is being reconciled by somebody else, or the database is away. Try again.", as_json, 1)
    found = day_facts(run_id)
    return found.open_differences == 0, _facts(found), _sentence(found)


def _facts(found: DayFacts) -> dict[str, Any]:
    return {
        "date": str(found.day),
        "state": found.state,
        "source": found.source,
        "sha1": found.sha1,
        "lines": found.lines,
        "theirs": {"paid_fen": found.their_paid_fen, "refunded_fen": found.their_refunded_fen},
        "ours": {"paid_fen": found.our_paid_fen, "refunded_fen": found.our_refunded_fen},
        "differences": found.differences,
        "open_differences": found.open_differences,
        "cases": found.open_cases,
    }


def _sentence(found: DayFacts) -> str:
    money = (
        f"theirs {yuan(found.their_paid_fen)} paid, {yuan(found.their_refunded_fen)} refunded; "
        f"ours {yuan(found.our_paid_fen)} paid, {yuan(found.our_refunded_fen)} refunded"
    )
    if not found.differences:
        return f"{found.day}: {found.lines} lines, balanced: {money}."
    cases = ", ".join(str(case_id) for case_id in found.open_cases) or "none"
    return f"{found.day}: {found.lines} lines, {found.differences} differences: {money}. Open cases: {cases}."
