"""`doctor`: is the portal well? Names what is not, with the offending rows."""

from dataclasses import asdict

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from portal.commands.printing import json_option, refuse, show
from portal.doctor.checks import CHECKS
from portal.doctor.examination import Finding, examine
from portal.doctor.invariants import INVARIANTS
from portal.web.tools import tools


@click.command("doctor")
@json_option
@with_appcontext
def doctor(as_json: bool) -> None:
    """Check settings, database, keys, clock, gateway and worker, and every promise; exit 1 when anything is wrong."""
    try:
        findings = examine(tools())
    except sa.exc.SQLAlchemyError as error:
        refuse(f"The database does not answer ({type(error).__name__}).", as_json)
    well = f"All is well: {len(CHECKS)} checks and {len(INVARIANTS)} promises."
    facts = {"well": not findings, "findings": [asdict(finding) for finding in findings]}
    show(facts, "\n".join(_line(finding) for finding in findings) or well, as_json)
    if findings:
        raise SystemExit(1)


def _line(finding: Finding) -> str:
    if not finding.ids:
        return f"{finding.check}: {finding.problem}"
    more = " and more" if finding.more else ""
    return f"{finding.check}: not so: {finding.problem} {', '.join(finding.ids)}{more}"
