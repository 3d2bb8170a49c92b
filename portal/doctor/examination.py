"""The whole examination: what the portal stands on, then every promise."""

from dataclasses import dataclass
from datetime import timedelta

from portal.doctor.checks import CHECKS
from portal.doctor.invariants import INVARIANTS, MOST_NAMED, REST, offenders
from portal.tools import Tools


@dataclass(frozen=True)
class Finding:
    """Something that is wrong. `ids` name the offending rows, `more` tells that there are others."""

    check: str
    problem: str
    ids: tuple[str, ...] = ()
    more: bool = False


def examine_surroundings(tools: Tools) -> list[Finding]:
    """Look at everything that is no row of ours; one harmless call goes to each gateway.

    Raises:
        SQLAlchemyError: the database does not answer.
    """
    return [Finding(name, problem) for name, check in CHECKS.items() for problem in check(tools)]


def examine_promises(tools: Tools, rest: timedelta = REST) -> list[Finding]:
    """Look for rows that break a promise.

    Args:
        rest: how long a thing may be under way before it counts; zero when everything should be at rest.

    Raises:
        SQLAlchemyError: the database does not answer.
    """
    mode = tools.settings.PORTAL_MODE.value
    findings = []
    for promise in INVARIANTS:
        ids = offenders(promise, mode, rest)
        if ids:
            name = f"{promise.number} {promise.name}"
            findings.append(Finding(name, promise.promise, tuple(ids[:MOST_NAMED]), len(ids) > MOST_NAMED))
    return findings


def examine(tools: Tools) -> list[Finding]:
    """Return all that is wrong; nothing when the portal is well."""
    return examine_surroundings(tools) + examine_promises(tools)
