"""People and their roles, as an administrator changes them."""

import html
import json

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.devices import grants
from portal.devices.errors import AccessDenied
from portal.devices.queries import holder_of
from portal.kit.db import db
from portal.learners.models import Learner, LoginSession, Role
from portal.staff.models import CourseInstructor, RoleRequest
from portal.staff.second_factor import is_set_up
from tests.factories.devices import make_token
from tests.factories.learners import make_learner, sign_in
from tests.factories.staff import set_up_phone

pytestmark = pytest.mark.database

WHY = "a good reason"
TOKEN = "a" * 20


@pytest.fixture
def boss(shop):
    return shop.staff(email="boss@example.com")


@pytest.fixture
def other_boss(shop):
    return shop.staff(email="other@example.com")


@pytest.fixture
def person(app):
    with app.app_context():
        return make_learner(email="somebody@example.com")


@pytest.fixture
def role_of(app):
    def found(learner):
        with app.app_context():
            return db.session.scalars(sa.select(Learner.role).where(Learner.id == learner.id)).one()

    return found


@pytest.fixture
def told(app):
    """Return the facts of the audit rows of an action."""

    def found(action):
        with app.app_context():
            rows = db.session.execute(sa.select(AuditRow).where(AuditRow.action == action)).scalars()
            return [(row.actor, json.loads(row.facts)) for row in rows]

    return found


def act(by, learner, what, prefix=None, **fields):
    prefix = prefix or what
    page = f"/admin/users/{learner.public_id}"
    fields = {"reason": WHY, "form_token": TOKEN, **fields}
    form = {f"{prefix}-{name}": value for name, value in fields.items()}
    return by.post(f"{page}/{what}", form, page=page)


def decide(app, by, learner, decision):
    with app.app_context():
        asked = db.session.scalars(sa.select(RoleRequest.public_id).order_by(RoleRequest.id.desc())).first()
    return act(by, learner, f"role-requests/{asked}/{decision}", prefix="decide")


class TestSearch:
    def test_people_are_found_by_address_and_by_role(self, boss, person):
        text = boss.get("/admin/users?q=Someb").get_data(as_text=True)
        assert person.email in text
        assert "boss@example.com" not in text
        assert "boss@example.com" in boss.get("/admin/users?role=admin").get_data(as_text=True)
        assert person.public_id in boss.get(f"/admin/users?q={person.public_id}").get_data(as_text=True)

    @pytest.mark.parametrize("search", ["%", "_", "王", "' OR 1=1 --", "x" * 5000])
    def test_what_is_typed_is_no_pattern(self, boss, person, search):
        response = boss.get("/admin/users", query_string={"q": search})
        assert response.status_code == 200
        assert person.email not in response.get_data(as_text=True)

    def test_long_lists_have_pages(self, app, boss):
        with app.app_context():
            for number in range(60):
                make_learner(email=f"many{number:02d}@example.com")
        first = boss.get("/admin/users?q=many").get_data(as_text=True)
        cursor = html.unescape(first.split("cursor=")[1].split('"')[0].split("&")[0])
        second = boss.get(f"/admin/users?q=many&cursor={cursor}").get_data(as_text=True)
        assert (first.count("many00@"), second.count("many00@"), second.count("many59@")) == (1, 0, 1)
        assert boss.get(f"/admin/users?cursor={cursor}").status_code == 422

    @pytest.mark.parametrize("public_id", ["nobody", "A" * 20, "8k3hq2v9x0m4t7w1c5zr"])
    def test_nobody_is_404(self, boss, public_id):
        assert boss.get(f"/admin/users/{public_id}").status_code == 404


class TestRoles:
    def test_a_small_one_is_given_at_once_and_ends_the_sessions(
        self, app, boss, person, role_of, told, count
    ):
        sign_in(app.test_client(), person)
        assert act(boss, person, "role", role="support").status_code == 303
        assert role_of(person) == "support"
        assert count(LoginSession, LoginSession.learner_id == person.id) == 0
        ((actor, facts),) = told("learner.role_changed")
        assert actor == f"staff:{boss.learner.public_id}"
        assert facts == {"before": "learner", "after": "support", "reason": WHY}

    @pytest.mark.parametrize("role", ["finance", "admin"])
    def test_one_that_moves_money_waits_for_a_second_person(
        self, app, boss, other_boss, person, role_of, told, role
    ):
        act(boss, person, "role", role=role)
        assert role_of(person) == "learner"
        assert decide(app, boss, person, "approve").status_code == 403
        assert role_of(person) == "learner"
        assert decide(app, other_boss, person, "approve").status_code == 303
        assert role_of(person) == role
        assert decide(app, other_boss, person, "approve").status_code == 409
        assert [actor for actor, _ in told("learner.role_changed")] == [
            f"staff:{other_boss.learner.public_id}"
        ]

    def test_who_gets_it_does_not_approve_it(self, app, boss, other_boss, role_of):
        act(boss, other_boss.learner, "role", role="finance")
        assert decide(app, other_boss, other_boss.learner, "approve").status_code == 403
        assert role_of(other_boss.learner) == "admin"

    def test_a_refused_one_can_be_asked_for_again(self, app, boss, other_boss, person, role_of):
        act(boss, person, "role", role="admin")
        assert act(boss, person, "role", role="finance").status_code == 409
        assert decide(app, other_boss, person, "refuse").status_code == 303
        assert act(boss, person, "role", role="finance").status_code == 303
        assert role_of(person) == "learner"

    def test_a_person_changed_meanwhile_is_looked_at_again(self, app, boss, other_boss, person, role_of):
        act(boss, person, "role", role="admin")
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(sa.update(Learner).where(Learner.id == person.id).values(role="support"))
        assert decide(app, other_boss, person, "approve").status_code == 409
        assert role_of(person) == "support"

    def test_nobody_changes_their_own(self, boss, role_of):
        assert act(boss, boss.learner, "role", role="learner").status_code == 403
        assert role_of(boss.learner) == "admin"

    @pytest.mark.parametrize(
        "fields", [{"reason": ""}, {"reason": "no"}, {"reason": "x\u202ey z"}, {"role": "owner"}], ids=str
    )
    def test_without_a_good_reason_or_role_nothing_changes(self, boss, person, role_of, fields):
        response = act(boss, person, "role", **{"role": "support", **fields})
        assert response.status_code == 422
        assert "error-summary" in response.get_data(as_text=True)
        assert role_of(person) == "learner"

    def test_a_code_older_than_five_minutes_is_not_enough(self, boss, person, role_of, clock):
        clock.travel(minutes=6)
        assert act(boss, person, "role", role="support").status_code == 403
        assert role_of(person) == "learner"


class TestAccounts:
    def test_a_closed_one_is_out_at_once_and_can_be_opened_again(self, app, boss, person):
        client = app.test_client()
        sign_in(client, person)
        assert act(boss, person, "disable").status_code == 303
        assert client.get("/account").location.startswith("/login")
        assert act(boss, person, "disable").status_code == 409
        assert act(boss, person, "enable").status_code == 303
        assert act(boss, person, "enable").status_code == 409

    @pytest.mark.parametrize("what", ["disable", "sign-out"])
    def test_its_editors_end_for_good(self, app, boss, person, what):
        with app.app_context():
            connected = make_token(person)
            started = grants.start_grant(grants.CLIENT_ID, "", "VS Code", "203.0.113.9")
            grants.approve(grants.grant_with_user_code(started.user_code, person), person)
        act(boss, person, what)
        act(boss, person, "enable")
        with app.app_context():
            assert holder_of(connected.access_token) is None
            with pytest.raises(AccessDenied):
                grants.exchange(started.device_code, grants.CLIENT_ID)

    def test_sessions_are_ended(self, boss, person, app, count, told):
        sign_in(app.test_client(), person)
        assert act(boss, person, "sign-out").status_code == 303
        assert count(LoginSession, LoginSession.learner_id == person.id) == 0
        assert told("learner.signed_out")[0][1]["reason"] == WHY
        (ended_by, _facts) = told("sessions.ended")[0]
        assert ended_by == f"staff:{boss.learner.public_id}"

    def test_a_lost_phone_is_taken_away(self, app, boss, shop):
        colleague = shop.staff(Role.SUPPORT, email="c@example.com")
        set_up_phone(app, colleague.learner)
        assert act(boss, colleague.learner, "reset-phone").status_code == 303
        with app.app_context():
            assert not is_set_up(colleague.learner)

    @pytest.mark.parametrize("what", ["disable", "reset-phone"])
    def test_not_ones_own(self, boss, what):
        assert act(boss, boss.learner, what).status_code == 403

    def test_an_instructor_gets_courses(self, boss, shop, count, person):
        teacher = shop.staff(Role.INSTRUCTOR, email="t@example.com").learner
        assert act(boss, teacher, "courses", course_ids=["cpp-primer-5th"]).status_code == 303
        assert count(CourseInstructor, CourseInstructor.learner_id == teacher.id) == 1
        assert act(boss, teacher, "courses", course_ids=["no-such-course"]).status_code == 422
        assert act(boss, person, "courses", course_ids=[]).status_code == 409
        act(boss, teacher, "role", role="support")
        assert count(CourseInstructor) == 0
