"""`audit verify`: prove that no audit row was changed behind the portal's back."""

from dataclasses import asdict

from flask.cli import AppGroup

from portal.audit import services
from portal.commands.printing import json_option, refuse, show

audit = AppGroup("audit", help="The audit chain.")


@audit.command("verify")
@json_option
def verify(as_json: bool) -> None:
    """Walk the chain; exit 1 and name the first broken link if there is one."""
    state = services.verify()
    if state.broken_at is not None:
        refuse(f"The chain is broken at row {state.broken_at}.", as_json, status=1)
    show(asdict(state), f"{state.sealed} rows sealed and unbroken, {state.unsealed} not sealed yet.", as_json)
