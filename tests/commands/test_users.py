"""Accounts from the command line."""

import json

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.config import Mode
from portal.kit.db import db
from portal.learners import services
from portal.learners.models import Learner
from tests.factories.learners import PASSWORD

pytestmark = pytest.mark.database


@pytest.fixture
def run(app):
    """Run a command and return its result."""
    runner = app.test_cli_runner()
    return lambda *words, **options: runner.invoke(args=[*words], **options)


def test_a_user_is_made_with_a_password_from_standard_input(app, run):
    result = run(
        "users",
        "create",
        "Boss@Example.com",
        "--role",
        "admin",
        "--password-stdin",
        "--json",
        input=f"{PASSWORD}\n",
    )
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert (made["email"], made["role"]) == ("boss@example.com", "admin")
    with app.app_context():
        assert services.authenticate("boss@example.com", PASSWORD, "").role == "admin"
        actor = sa.select(AuditRow.actor).where(AuditRow.action == "learner.created")
        assert db.session.scalars(actor).one().startswith("operator:")


def test_or_with_one_that_is_asked_for(app, run):
    result = run("users", "create", "a@example.com", "--role", "learner", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("nobody", PASSWORD),
        ("王@example.com", PASSWORD),
        ("a@example.com", ""),
        ("a@example.com", "short"),
        ("a@example.com", "x" * 5000),
        ("a@example.com", "password123"),
        ("taken@example.com", PASSWORD),
    ],
)
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_bad_input_is_a_sentence_and_exit_code_2(app, run, count, email, password, more):
    run("users", "create", "taken@example.com", "--role", "learner", "--password-stdin", input=PASSWORD)
    result = run("users", "create", email, "--role", "learner", "--password-stdin", *more, input=password)
    assert result.exit_code == 2
    assert result.stderr.strip().endswith(".")
    assert "Traceback" not in result.output
    assert not password or password not in result.output
    assert count(Learner) == 1


def test_an_unknown_role_and_a_password_as_a_word_are_refused(run):
    assert run("users", "create", "a@example.com", "--role", "king", "--password-stdin").exit_code == 2
    assert run("users", "create", "a@example.com", "--role", "admin", "--password", PASSWORD).exit_code == 2


def test_no_password_at_all_is_a_sentence(run):
    result = run("users", "create", "a@example.com", "--role", "learner", input="")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


class TestDemoAccounts:
    def test_there_is_one_of_each_role_and_its_password_works(self, app, run):
        accounts = json.loads(run("demo-accounts", "--json").stdout)
        assert [account["role"] for account in accounts] == [
            "learner",
            "instructor",
            "support",
            "finance",
            "admin",
        ]
        with app.app_context():
            for account in accounts:
                assert set(account) == {"email", "password", "role"}
                found = services.authenticate(account["email"], account["password"], "")
                assert found.role == account["role"]

    def test_running_it_again_changes_nothing(self, run, count):
        first = run("demo-accounts", "--json").stdout
        rows = count(AuditRow)
        assert run("demo-accounts", "--json").stdout == first
        assert count(AuditRow) == rows

    def test_a_password_changed_by_a_visitor_is_set_back(self, app, run):
        account = json.loads(run("demo-accounts", "--json").stdout)[0]
        with app.app_context():
            learner = services.authenticate(account["email"], account["password"], "")
            services.change_password(learner, account["password"], "another quiet password", None)
        run("demo-accounts")
        with app.app_context():
            assert services.authenticate(account["email"], account["password"], "")

    def test_there_are_none_in_live_mode(self, run, tools, count, monkeypatch):
        monkeypatch.setitem(tools.settings.__dict__, "PORTAL_MODE", Mode.LIVE)
        result = run("demo-accounts", "--json")
        assert result.exit_code == 2
        assert count(Learner) == 0
