"""`license-keys list|rotate|export`: the keys that sign licenses."""

from dataclasses import asdict

import click
from flask.cli import AppGroup

from portal.audit import services as audit
from portal.commands.printing import json_option, refuse, show
from portal.kit.db import transaction
from portal.licenses.key_ring import KeyState, NoSigningKey
from portal.web.tools import tools

license_keys = AppGroup("license-keys", help="The keys that sign licenses.")


@license_keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys, oldest first."""
    keys = tools().key_ring.infos()
    lines = [f"{key.kid}  {key.state:<11}  since {key.not_before}" for key in keys]
    facts = [{name: value for name, value in asdict(key).items() if name != "pem"} for key in keys]
    show(facts, "\n".join(lines) or "There is no key yet. Make one: license-keys rotate", as_json)


@license_keys.command("rotate")
@click.option("--first", is_flag=True, help="Only when no key is active.")
@json_option
def rotate(first: bool, as_json: bool) -> None:
    """Make a new active key; the one before goes on verifying."""
    ring = tools().key_ring
    active = next((key for key in ring.infos() if key.state is KeyState.ACTIVE), None)
    if first and active is not None:
        show({"kid": active.kid, "made": False}, f"{active.kid} is active already.", as_json)
        return
    try:
        made = ring.rotate()
    except (NoSigningKey, OSError) as error:
        refuse(f"No key was made: {error}", as_json, status=1)
    with transaction():
        audit.record("license_key.rotated", f"license_key:{made.kid}", audit.operator())
    show(
        {"kid": made.kid, "made": True},
        f"{made.kid} is active now. Keep an offline copy of its file.",
        as_json,
    )


@license_keys.command("export")
@json_option
def export(as_json: bool) -> None:
    """Print the public keys, for those who verify licenses."""
    keys = [key for key in tools().key_ring.infos() if key.state is not KeyState.PREPARED]
    facts = {"keys": [{**asdict(key), "alg": "RS256", "status": key.state} for key in keys]}
    show(facts, "".join(key.pem for key in keys), as_json)
