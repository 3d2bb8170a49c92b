"""`licenses issue|revoke|verify`: licenses from the command line."""

import sys
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from portal.audit import services as audit
from portal.catalogue.queries import course_of
from portal.commands.printing import BAD_REASON, json_option, refuse, show
from portal.kit import clock
from portal.kit.errors import NotFound
from portal.learners.queries import learner_with
from portal.licenses.key_ring import NoSigningKey
from portal.licenses.models import License
from portal.licenses.services import AlreadyOwned, LicenseCode, judge
from portal.payments.rights import BadReason, NotRevocable, grant_course, revoke_license
from portal.web.tools import tools

licenses = AppGroup("licenses", help="Licenses of learners.")

_LONGEST_FILE = 64 * 1024


@licenses.command("issue")
@click.argument("email")
@click.argument("course_id")
@click.option("--reason", required=True, help="Why without a payment; it is kept.")
@click.option(
    "--days", type=click.IntRange(1, 3660), help="How long it lasts; the course says, when left out."
)
@json_option
def issue(email: str, course_id: str, reason: str, days: int | None, as_json: bool) -> None:
    """Grant the course COURSE_ID to the account of EMAIL, which finds the license among its own."""
    learner = learner_with(email)
    if learner is None or learner.disabled_at is not None:
        refuse("No account in use has this e-mail address.", as_json)
    try:
        made = grant_course(learner, course_of(course_id), reason, audit.operator(), tools(), days)
    except NotFound:
        refuse("There is no such course.", as_json)
    except BadReason:
        refuse(BAD_REASON, as_json)
    except AlreadyOwned as error:
        refuse(f"The account has this course already (license {error.facts['license_id']}).", as_json)
    except NoSigningKey as error:
        refuse(f"No license was made: {error}", as_json, status=1)
    sentence = f"{made.id} is the license of {learner.email} for {made.course_id} until {clock.iso(made.expires_at)}."
    show({**_facts(made), "key": made.text}, sentence, as_json)


@licenses.command("revoke")
@click.argument("license_id")
@click.option("--reason", required=True, help="Why. It is published in the revocation list: no names.")
@json_option
def revoke(license_id: str, reason: str, as_json: bool) -> None:
    """Revoke the license LICENSE_ID and the right behind it, for good."""
    try:
        was_good = revoke_license(license_id.strip().lower(), reason, audit.operator())
    except NotFound:
        refuse("There is no such license.", as_json)
    except NotRevocable:
        refuse("This license was replaced by another; revoke that one.", as_json)
    except BadReason:
        refuse(BAD_REASON, as_json)
    sentence = f"{license_id} is revoked." if was_good else f"{license_id} was revoked already."
    show({"id": license_id, "revoked": True, "changed": was_good}, sentence, as_json)


@licenses.command("verify")
@click.argument("license_text", metavar="[FILE|TEXT]", default="-")
@click.option("--course", "course_id", help="The course it must be for.")
@json_option
def verify(license_text: str, course_id: str | None, as_json: bool) -> None:
    """Judge a license text: of a file, of standard input (`-`, or nothing), or as given. Exit 1 when not valid."""
    code, found = judge(_text(license_text, as_json), course_id, tools().key_ring)
    facts = {
        "valid": code is LicenseCode.VALID,
        "code": code.value,
        "license": _facts(found) if found is not None else None,
    }
    show(facts, f"{code.value}{f' ({found.id}, {found.course_id})' if found else ''}", as_json)
    if code is not LicenseCode.VALID:
        raise SystemExit(1)


def _text(given: str, as_json: bool) -> str:
    if "|" in given:
        return given.strip()
    try:
        if given == "-":
            return sys.stdin.read(_LONGEST_FILE).strip()
        with Path(given).open(encoding="utf-8") as file:
            return file.read(_LONGEST_FILE).strip()
    except (OSError, UnicodeDecodeError):
        refuse("There is no license text: name a file, or give it on standard input.", as_json)


def _facts(found: License) -> dict[str, Any]:
    return {
        "id": found.id,
        "course_id": found.course_id,
        "status": found.status,
        "issued_at": clock.iso(found.issued_at),
        "expires_at": clock.iso(found.expires_at),
    }
