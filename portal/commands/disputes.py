"""`disputes sync` and `disputes notify-url`: payers' complaints at WeChat Pay."""

from flask.cli import AppGroup

from portal.audit import services as audit
from portal.commands.printing import json_option, refuse, show
from portal.disputes.syncing import notify_url, plan_sync
from portal.gateways.base import GatewayError
from portal.kit.db import transaction
from portal.web.tools import tools

disputes = AppGroup("disputes", help="Complaints of payers.")


@disputes.command("sync")
@json_option
def sync(as_json: bool) -> None:
    """Have the worker read all complaints of the last 30 days, unless it did so in this hour."""
    planned = plan_sync(tools())
    sentence = (
        "The worker reads them now." if planned else "They are read once an hour, and were in this one."
    )
    show({"planned": planned > 0}, sentence, as_json)


@disputes.command("notify-url")
@json_option
def set_url(as_json: bool) -> None:
    """Have complaints told to this portal, in the place of whoever is told now; exit 1 without an answer."""
    url = notify_url(tools())
    for gateway in tools().gateways.values():
        try:
            before = gateway.complaints.notify_url()
            if before != url:
                with transaction():
                    subject = f"gateway:{gateway.name}"
                    audit.record(
                        "dispute.notify_url_set", subject, audit.operator(), before=before, after=url
                    )
                gateway.complaints.set_notify_url(url, is_first=before is None)
        except GatewayError as error:
            refuse(f"No answer that can be believed ({error.reason}).", as_json, status=1)
        facts = {"gateway": gateway.name, "url": url, "before": before}
        show(facts, f"{gateway.name} tells of complaints at {url} (before: {before or 'nowhere'}).", as_json)
