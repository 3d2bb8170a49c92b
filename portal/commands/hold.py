"""`hold on|off|show`: what an operator does around a restored backup."""

import click
from flask.cli import AppGroup

from portal.audit import services as audit
from portal.commands.printing import json_option, refuse, show
from portal.kit import clock
from portal.outbox import services as outbox
from portal.switchboard.hold import LONGEST_REASON, Hold, begin_hold, end_hold, standing_hold

hold = AppGroup("hold", help="After a restored backup: learn what became of the money, and do nothing else.")


@hold.command("on")
@click.option("--reason", required=True, help="Why; the staff read it, and the audit keeps it.")
@json_option
def on(reason: str, as_json: bool) -> None:
    """Begin a hold: no sale, no mail, no close and no refund until it is released. One that stands stays as it is."""
    text = " ".join(reason.split())
    if not (1 <= len(text) <= LONGEST_REASON and text.isprintable()):
        refuse(f"A reason has 1 to {LONGEST_REASON} characters that can be shown.", as_json)
    begin_hold(text, audit.operator())
    _show(standing_hold(), as_json)


@hold.command("off")
@click.option("--anyway", is_flag=True, help="Also while it is not known by which refunds money went back.")
@json_option
def off(anyway: bool, as_json: bool) -> None:
    """Release the hold: what is due is done now. Without one, nothing changes.

    Refused (exit 1) while WeChat Pay has not answered which refunds a payment had: they would be given twice.
    """
    unanswered = outbox.count_waiting("learn_refunds")
    if unanswered and standing_hold() is not None and not anyway:
        refuse(
            f"Money went back for {unanswered} payments, and it is not known yet by which refund. The worker asks on; "
            "try again in a minute, or give --anyway.",
            as_json,
            1,
        )
    end_hold(audit.operator())
    _show(standing_hold(), as_json)


@hold.command("show")
@json_option
def show_hold(as_json: bool) -> None:
    """Tell whether the portal is on hold, since when and why."""
    _show(standing_hold(), as_json)


def _show(standing: Hold | None, as_json: bool) -> None:
    facts = {
        "on_hold": standing is not None,
        "since": clock.iso(standing.since) if standing else None,
        "reason": standing.reason if standing else None,
    }
    sentence = f"On hold since {facts['since']}: {standing.reason}" if standing else "Not on hold."
    show(facts, sentence, as_json)
