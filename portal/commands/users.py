"""`users create|list|role|disable|enable|reset-second-factor`: accounts, for the first administrator and a lost phone."""

import sys

import click
from flask.cli import AppGroup

from portal.audit import services as audit
from portal.commands.printing import json_option, refuse, show
from portal.learners.addresses import BadAddress
from portal.learners.models import STAFF, Learner, Role
from portal.learners.passwords import LONGEST, SHORTEST, Weakness, WeakPassword
from portal.learners.queries import learner_with
from portal.learners.services import AddressTaken, create_user
from portal.staff import roles, second_factor
from portal.staff.queries import accounts_of

users = AppGroup("users", help="People with an account.")

_WEAKNESSES = {
    Weakness.TOO_SHORT: f"The password needs at least {SHORTEST} characters.",
    Weakness.TOO_LONG: f"The password may have at most {LONGEST} characters.",
    Weakness.CONTROL: "The password contains characters that cannot be typed.",
    Weakness.COMMON: "The password is one that many people use.",
    Weakness.PERSONAL: "The password is the address, or our own name.",
}


def _given(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not text.strip():
        raise click.BadParameter("give a reason")
    return text.strip()[:500]


_reason_option = click.option("--reason", required=True, callback=_given, help="Why; it goes into the audit.")


@users.command("create")
@click.argument("email")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")
@json_option
def create(email: str, role: str, password_stdin: bool, as_json: bool) -> None:
    """Make an account for EMAIL; the password is asked for, and never taken from the command line."""
    try:
        learner = create_user(email, Role(role), _password(password_stdin, as_json), audit.operator())
    except BadAddress:
        refuse("This is not an e-mail address that we can write to.", as_json)
    except WeakPassword as error:
        refuse(_WEAKNESSES[error.weakness], as_json)
    except AddressTaken:
        refuse(f"{email} has an account already.", as_json)
    facts = {"id": learner.public_id, "email": learner.email, "role": learner.role}
    show(facts, f"{learner.email} is an account now, as {learner.role}.", as_json)


def _password(from_stdin: bool, as_json: bool) -> str:
    try:
        if from_stdin:
            return sys.stdin.readline().rstrip("\r\n")
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    except (UnicodeDecodeError, click.Abort):
        refuse("No password was given.", as_json)


@users.command("list")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Only those of this role.")
@json_option
def list_users(role: str | None, as_json: bool) -> None:
    """List the accounts of staff, or those of one role."""
    found = accounts_of([Role(role)] if role else sorted(STAFF))
    facts = [
        {
            "id": each.public_id,
            "email": each.email,
            "role": each.role,
            "disabled": each.disabled_at is not None,
        }
        for each in found
    ]
    lines = [f"{each.role:<10}  {each.email}{'  (closed)' if each.disabled_at else ''}" for each in found]
    show(facts, "\n".join(lines) or "There is no such account.", as_json)


def _account(email: str, as_json: bool) -> Learner:
    learner = learner_with(email)
    if learner is None:
        refuse(f"{email} has no account.", as_json)
    return learner


@users.command("role")
@click.argument("email")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@_reason_option
@json_option
def role(email: str, role: str, reason: str, as_json: bool) -> None:
    """Give the account of EMAIL a role, at once: on the host no second person is asked."""
    learner = _account(email, as_json)
    try:
        roles.set_role(learner, Role(role), audit.operator(), reason)
    except roles.ChangedMeanwhile:
        refuse(f"{learner.email} has this role already.", as_json)
    except roles.LastAdmin:
        refuse("This is the only administrator. Make another one first.", as_json)
    facts = {"id": learner.public_id, "email": learner.email, "role": role}
    show(facts, f"{learner.email} is {role} now, and its browsers are signed out.", as_json)


@users.command("reset-second-factor")
@click.argument("email")
@_reason_option
@json_option
def reset_second_factor(email: str, reason: str, as_json: bool) -> None:
    """Take the second factor of EMAIL away, when the phone and the recovery codes are lost."""
    learner = _account(email, as_json)
    was_set_up = second_factor.reset(learner, audit.operator(), reason)
    facts = {"id": learner.public_id, "email": learner.email, "was_set_up": was_set_up}
    show(facts, f"The next sign-in of {learner.email} sets up a new second factor.", as_json)


@users.command("disable")
@click.argument("email")
@_reason_option
@json_option
def disable(email: str, reason: str, as_json: bool) -> None:
    """Close the account of EMAIL; its sessions and editors end."""
    learner = _account(email, as_json)
    try:
        roles.disable(learner, audit.operator(), reason)
    except roles.ChangedMeanwhile:
        refuse(f"{learner.email} is closed already.", as_json)
    except roles.LastAdmin:
        refuse("This is the only administrator. Make another one first.", as_json)
    show({"id": learner.public_id, "email": learner.email}, f"{learner.email} is closed.", as_json)


@users.command("enable")
@click.argument("email")
@_reason_option
@json_option
def enable(email: str, reason: str, as_json: bool) -> None:
    """Open the closed account of EMAIL again; its owner signs in anew."""
    learner = _account(email, as_json)
    try:
        roles.enable(learner, audit.operator(), reason)
    except roles.ChangedMeanwhile:
        refuse(f"{learner.email} is not closed.", as_json)
    show({"id": learner.public_id, "email": learner.email}, f"{learner.email} is open again.", as_json)
