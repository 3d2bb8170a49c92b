"""`audit verify`: prove that no audit row was changed behind the portal's back."""

from dataclasses import asdict

from flask.cli import AppGroup

from portal.commands.printing import json_option, refuse, show
from portal.licenses.audit_heads import chain_state
from portal.web.tools import tools

audit = AppGroup("audit", help="The audit chain.")


@audit.command("verify")
@json_option
def verify(as_json: bool) -> None:
    """Walk the chain; exit 1 and name the first broken link if there is one."""
    state = chain_state(tools().key_ring)
    if state.row_id is not None:
        refuse(f"The chain is broken at row {state.broken_at} (id {state.row_id}).", as_json, status=1)
    if state.broken_at is not None:
        refuse(f"The chain is broken at row {state.broken_at}: it is missing.", as_json, status=1)
    if state.bad_head is not None:
        sentence = (
            f"The signed end of the chain of {state.bad_head} does not fit: rows were cut off after it was"
        )
        refuse(f"{sentence} signed, or it was not signed by us.", as_json, status=1)
    show(asdict(state), f"{state.sealed} rows sealed and unbroken, {state.unsealed} not sealed yet.", as_json)
