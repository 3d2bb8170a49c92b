"""Bearer tokens from the command line."""

import json

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.devices.models import Token
from portal.devices.queries import holder_of
from portal.kit.db import db
from portal.learners.models import Learner
from tests.factories.learners import make_learner

pytestmark = pytest.mark.database


@pytest.fixture
def run(app):
    """Run a command and return its result."""
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=["tokens", "create", *words])


@pytest.fixture
def learner(app):
    with app.app_context():
        return make_learner(email="a@example.com")


def holder(app, token):
    with app.app_context():
        return holder_of(token)


def test_the_token_alone_is_printed_and_works_for_a_day(app, run, learner, clock):
    result = run("A@Example.com")
    assert result.exit_code == 0, result.output
    token = result.stdout.strip()
    assert holder(app, token).learner.id == learner.id
    assert holder(app, token).scopes == {"catalog", "purchase", "licenses"}
    clock.travel(days=1, seconds=1)
    assert holder(app, token) is None


def test_as_json_with_its_scopes_and_its_end(app, run, learner, mails, shop):
    result = run("a@example.com", "--scope", "licenses", "--scope", "catalog", "--days", "30", "--json")
    made = json.loads(result.stdout)
    assert set(made) == {"token", "token_type", "scope", "expires_at"}
    assert (made["token_type"], made["scope"]) == ("Bearer", "catalog licenses")
    assert holder(app, made["token"]).scopes == {"catalog", "licenses"}
    shop.work()
    assert len(mails()) == 1


def test_who_made_it_is_in_the_audit_and_the_token_is_not(app, run, learner):
    token = run("a@example.com").stdout.strip()
    with app.app_context():
        row = db.session.scalars(sa.select(AuditRow).where(AuditRow.action == "editor.connected")).one()
        assert row.actor.startswith("operator:")
        assert token not in f"{row.subject} {row.facts}"
        assert token not in {found.token_hash for found in db.session.scalars(sa.select(Token))}


@pytest.mark.parametrize(
    "words",
    [
        ("nobody@example.com",),
        ("王@example.com",),
        ("",),
        ("a@example.com", "--scope", "admin"),
        ("a@example.com", "--days", "0"),
        ("a@example.com", "--days", "91"),
        (),
    ],
)
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_bad_input_is_a_sentence_and_exit_code_2(run, count, learner, words, more):
    result = run(*words, *more)
    assert result.exit_code == 2
    assert result.stderr.strip().endswith(".")
    assert "Traceback" not in result.output
    assert count(Token) == 0


def test_a_disabled_account_gets_none(app, run, learner):
    with app.app_context():
        db.session.execute(sa.update(Learner).values(disabled_at=learner.created_at))
        db.session.commit()
    assert run("a@example.com").exit_code == 2
