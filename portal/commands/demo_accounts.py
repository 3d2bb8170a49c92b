"""`demo-accounts`: one account of each role, to look around with; never in live mode."""

import click
from flask.cli import with_appcontext

from portal.audit import services as audit
from portal.commands.printing import json_option, refuse, show
from portal.learners import passwords
from portal.learners.models import Role
from portal.learners.queries import learner_with
from portal.learners.services import create_user, set_password
from portal.web.tools import tools

# Printed to everybody who runs `make run`; it opens nothing but a portal of play money.
_PASSWORD = "try-it-out-2026"  # noqa: S105


@click.command("demo-accounts")
@json_option
@with_appcontext
def demo_accounts(as_json: bool) -> None:
    """Make the demo accounts that are missing, give all of them their password, and print them."""
    if tools().settings.is_live:
        refuse("Demo accounts exist in test mode only; PORTAL_MODE is live.", as_json)
    accounts = [_account(role) for role in Role]
    lines = [f"{account['role']:<10}  {account['email']}  {account['password']}" for account in accounts]
    show(accounts, "\n".join(lines), as_json)


def _account(role: Role) -> dict[str, str]:
    email = f"{role.value}@example.com"
    learner = learner_with(email)
    if learner is None:
        create_user(email, role, _PASSWORD, audit.operator())
    elif not passwords.matches(learner.password_hash, _PASSWORD):
        set_password(learner, passwords.hashed(_PASSWORD), audit.operator())
    return {"email": email, "password": _PASSWORD, "role": role.value}
