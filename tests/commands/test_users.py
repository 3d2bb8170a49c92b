"""Accounts from the command line."""

import json

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.catalogue.offers import offer_of
from portal.config import Mode
from portal.kit.db import db
from portal.learners import services
from portal.learners.models import Learner
from portal.learners.queries import learner_with
from portal.pictures.services import picture_of
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission
from portal.staff.second_factor import is_set_up
from tests.factories.learners import PASSWORD, make_learner
from tests.factories.staff import set_up_phone

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


class TestDemoOffer:
    def test_a_demo_course_can_be_paid_by_transfer_and_its_instructor_confirms_it(self, app, run):
        run("demo-accounts")
        for _ in range(2):
            assert run("demo-offer").exit_code == 0
        with app.app_context():
            offer = offer_of("javascript-complete")
            assert (offer.mode, offer.version) == ("beside", 1)
            code = picture_of(offer.picture_id)
            assert (code.media_type, code.width) == ("image/png", code.height)
            teacher = learner_with("instructor@example.com")
            assert teacher is not None
            assert courses_within(teacher, Permission.CONFIRM_PAYMENTS) == frozenset({"javascript-complete"})

    def test_there_is_none_in_live_mode(self, app, run, tools, monkeypatch):
        monkeypatch.setitem(tools.settings.__dict__, "PORTAL_MODE", Mode.LIVE)
        assert run("demo-offer").exit_code == 2
        with app.app_context():
            assert offer_of("javascript-complete") is None


class TestStaff:
    @pytest.fixture
    def person(self, app):
        with app.app_context():
            return make_learner(email="wang@example.com")

    def test_the_first_admin_and_their_role(self, app, run, person):
        result = run(
            "users", "role", "Wang@Example.com", "--role", "admin", "--reason", "the first", "--json"
        )
        assert (result.exit_code, json.loads(result.stdout)["role"]) == (0, "admin")
        with app.app_context():
            row = db.session.scalars(
                sa.select(AuditRow).where(AuditRow.action == "learner.role_changed")
            ).one()
        assert row.actor.startswith("operator:")
        assert json.loads(row.facts) == {"before": "learner", "after": "admin", "reason": "the first"}
        listed = json.loads(run("users", "list", "--json").stdout)
        assert [(each["email"], each["role"]) for each in listed] == [("wang@example.com", "admin")]
        assert "wang@example.com" in run("users", "list", "--role", "admin").stdout
        assert run("users", "list", "--role", "finance").stdout == "There is no such account.\n"

    def test_the_last_admin_stays(self, run, person):
        run("users", "role", person.email, "--role", "admin", "--reason", "the first")
        for words in (("role", person.email, "--role", "learner"), ("disable", person.email)):
            result = run("users", *words, "--reason", "gone")
            assert (result.exit_code, "only administrator" in result.stderr) == (2, True)

    def test_a_lost_phone(self, app, run, person):
        set_up_phone(app, person)
        result = run("users", "reset-second-factor", person.email, "--reason", "lost", "--json")
        assert json.loads(result.stdout)["was_set_up"] is True
        with app.app_context():
            assert not is_set_up(person)

    def test_an_account_is_closed_once_and_opened_once(self, run, person):
        assert run("users", "disable", person.email, "--reason", "left").exit_code == 0
        again = run("users", "disable", person.email, "--reason", "left")
        assert (again.exit_code, "closed already" in again.stderr) == (2, True)
        opened = run("users", "enable", person.email, "--reason", "came back", "--json")
        assert json.loads(opened.stdout)["email"] == person.email
        again = run("users", "enable", person.email, "--reason", "came back")
        assert (again.exit_code, "is not closed" in again.stderr) == (2, True)

    @pytest.mark.parametrize(
        "words",
        [
            ("role", "nobody@example.com", "--role", "admin", "--reason", "why"),
            ("role", "wang@example.com", "--role", "learner", "--reason", "why"),
            ("role", "wang@example.com", "--role", "owner", "--reason", "why"),
            ("role", "wang@example.com", "--role", "admin"),
            ("role", "wang@example.com", "--role", "admin", "--reason", " "),
            ("disable", "nobody@example.com", "--reason", "why"),
            ("reset-second-factor", "nobody@example.com", "--reason", "why"),
        ],
        ids=" ".join,
    )
    def test_bad_input_is_exit_code_2(self, run, person, words):
        assert run("users", *words).exit_code == 2
