"""`sweep`: one round of everything the worker does, for hosts without a worker."""

from dataclasses import asdict

import click
from flask.cli import with_appcontext

from portal.commands.printing import json_option, show
from portal.jobs import sweep as run_sweep
from portal.web.tools import tools


@click.command("sweep")
@json_option
@with_appcontext
def sweep(as_json: bool) -> None:
    """Run due work, end overdue orders, seal the audit."""
    swept = run_sweep(tools())
    sentence = (
        f"{swept.orders_ending} orders ending, {swept.jobs_done} jobs done, {swept.jobs_waiting} waiting, "
        f"{swept.audit_sealed} audit rows sealed, {swept.mended} things mended."
    )
    show(asdict(swept), sentence, as_json)
