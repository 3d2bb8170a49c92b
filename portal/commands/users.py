"""`users create EMAIL`: make an account of any role."""

import sys

import click
from flask.cli import AppGroup

from portal.audit import services as audit
from portal.commands.printing import json_option, refuse, show
from portal.learners.addresses import BadAddress
from portal.learners.models import Role
from portal.learners.passwords import LONGEST, SHORTEST, Weakness, WeakPassword
from portal.learners.services import AddressTaken, create_user

users = AppGroup("users", help="People with an account.")

_WEAKNESSES = {
    Weakness.TOO_SHORT: f"The password needs at least {SHORTEST} characters.",
    Weakness.TOO_LONG: f"The password may have at most {LONGEST} characters.",
    Weakness.CONTROL: "The password contains characters that cannot be typed.",
    Weakness.COMMON: "The password is one that many people use.",
    Weakness.PERSONAL: "The password is the address, or our own name.",
}


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
