"""`license-keys list|rotate|revoke|reissue|export`: the keys that sign licenses."""

from dataclasses import asdict

import click
from flask.cli import AppGroup

from portal.audit import services as audit
from portal.commands.printing import BAD_REASON, json_option, refuse, show
from portal.kit.db import transaction
from portal.licenses.key_ring import KeyInfo, KeyNotRevocable, KeyState, NoSigningKey
from portal.licenses.queries import good_under
from portal.payments.rights import BadReason, NotActive, checked_reason, replace_license
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


@license_keys.command("revoke")
@click.argument("kid")
@click.option("--reason", required=True, help="Why; the audit keeps it.")
@click.option("--anyway", is_flag=True, help="Also while good licenses stand under it: they end with it.")
@json_option
def revoke(kid: str, reason: str, anyway: bool, as_json: bool) -> None:
    """Revoke the key KID for good: nothing it signed or will sign is believed any more.

    Refused for the active key (rotate first), and (exit 1) while good licenses stand under it.
    """
    reason, key = _checked(reason, as_json), _old_key(kid, as_json)
    licenses = len(good_under(kid))
    facts = {"kid": kid, "revoked": True, "changed": key.state is not KeyState.REVOKED, "licenses": licenses}
    reissue_them = f"`license-keys reissue {kid} --reason …` gives their owners new ones"
    if key.state is KeyState.REVOKED:
        show(facts, f"{kid} was revoked already. Good licenses under it: {licenses}.", as_json)
        return
    if licenses and not anyway:
        refuse(
            f"Good licenses under {kid}: {licenses}. Nobody would take them any more; {reissue_them}. "
            "When somebody else has the key, do not wait: give --anyway now, and reissue them after.",
            as_json,
            status=1,
        )
    try:
        with transaction():
            audit.record(
                "license_key.revoked",
                f"license_key:{kid}",
                audit.operator(),
                reason=reason,
                licenses=licenses,
            )
            tools().key_ring.revoke(kid)
    except (KeyNotRevocable, NoSigningKey, OSError) as error:
        refuse(f"No key was revoked: {error}", as_json, status=1)
    sentence = f"{kid} is revoked. Editors hear of it within the hour."
    show(
        facts,
        f"{sentence} Good licenses that ended with it: {licenses}; {reissue_them}." if licenses else sentence,
        as_json,
    )


@license_keys.command("reissue")
@click.argument("kid")
@click.option("--reason", required=True, help="Why; the audit keeps it.")
@json_option
def reissue(kid: str, reason: str, as_json: bool) -> None:
    """Give each owner of a good license under the key KID a new one, by mail, too. Again goes on where it ended."""
    reason, _key = _checked(reason, as_json), _old_key(kid, as_json)
    made = 0
    for license_id in good_under(kid):
        try:
            replace_license(license_id, reason, audit.operator(), tools())
        except NotActive:
            continue  # it ended meanwhile
        except NoSigningKey as error:
            refuse(f"No key can sign any more: {error}. Reissued before: {made}.", as_json, status=1)
        made += 1
    show({"kid": kid, "reissued": made}, f"Reissued licenses of {kid}: {made}.", as_json)


def _checked(reason: str, as_json: bool) -> str:
    try:
        return checked_reason(reason)
    except BadReason:
        refuse(BAD_REASON, as_json)


def _old_key(kid: str, as_json: bool) -> KeyInfo:
    key = next((key for key in tools().key_ring.infos() if key.kid == kid), None)
    if key is None:
        refuse("There is no such key: see `license-keys list`.", as_json)
    if key.state is KeyState.ACTIVE:
        refuse(f"{kid} signs now: `license-keys rotate` first.", as_json)
    return key


@license_keys.command("export")
@json_option
def export(as_json: bool) -> None:
    """Print the public keys, for those who verify licenses."""
    keys = [key for key in tools().key_ring.infos() if key.state is not KeyState.PREPARED]
    facts = {"keys": [{**asdict(key), "alg": "RS256", "status": key.state} for key in keys]}
    show(facts, "".join(key.pem for key in keys), as_json)
