"""`tokens create EMAIL`: a bearer token for the API, without an editor."""

from datetime import timedelta

import click
from flask.cli import AppGroup

from portal.audit import services as audit
from portal.commands.printing import json_option, refuse, show
from portal.devices import tokens as service
from portal.devices.models import Scope
from portal.kit import clock
from portal.learners.queries import learner_with

tokens = AppGroup("tokens", help="Bearer tokens for the API.")


@tokens.command("create")
@click.argument("email")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    help="What the token may do; may be given again. All, when left out.",
)
@click.option("--days", type=click.IntRange(1, 90), default=1, show_default=True, help="How long it lives.")
@json_option
def create(email: str, scopes: tuple[str, ...], days: int, as_json: bool) -> None:
    """Print a token of EMAIL, once: it is stored as a hash. The account lists it, and its owner is told."""
    learner = learner_with(email)
    if learner is None or learner.disabled_at is not None:
        refuse("No account in use has this e-mail address.", as_json)
    issued = service.create_token(
        learner, " ".join(scopes), timedelta(days=days), audit.operator(), "Command line"
    )
    facts = {
        "token": issued.access_token,
        "token_type": "Bearer",
        "scope": issued.scope,
        "expires_at": clock.iso(issued.expires_at),
    }
    show(facts, issued.access_token, as_json)
