"""Who may open what: every route for every role, and no form of the admin without its token."""

import html
import re

import pytest
from flask import Flask

from portal.config import ROOT
from portal.learners.models import Role
from portal.staff.permissions import MAY, Permission, may
from portal.web.auth import STAFF
from tests.factories.learners import make_learner, sign_in

VALUES = {"int": "1", "default": "8k3hq2v9x0m4t7w1c5zr", "string": "8k3hq2v9x0m4t7w1c5zr", "path": "x"}
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
ACT_FORM = re.compile(r'act_form\(.*?url_for\("(?:admin)?\.(\w+)"(.*)')
PARAMETER = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?\w+>")
PAGES_OF_THE_SECOND_FACTOR = {"admin.confirm", "admin.set_up_second_factor", "admin.second_factor_qr"}
OTHER_DOORS = frozenset({"admin", "notify"})


def address_of(rule) -> str:
    return PARAMETER.sub(lambda match: VALUES[match[1] or "default"], rule.rule)


def rules_of_admin(app: Flask):
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]


@pytest.fixture
def browser(app):
    """Return a browser in which somebody of a role is signed in; None: nobody."""

    def begin(role: Role | None):
        client = app.test_client()
        if role is not None:
            with app.app_context():
                learner = make_learner(role=role)
            sign_in(client, learner)
        return client

    return begin


class TestMatrix:
    def test_every_permission_stands_in_the_table_and_none_is_a_learners(self):
        assert set(MAY) == set(Permission)
        assert not [permission for permission, roles in MAY.items() if Role.LEARNER in roles]

    def test_every_view_of_the_admin_says_who_may_open_it(self, session_app):
        views = session_app.view_functions
        for rule in rules_of_admin(session_app):
            assert isinstance(getattr(views[rule.endpoint], "permission", None), Permission), rule.endpoint

    def test_a_form_asks_for_a_fresh_code_where_its_view_reads_one(self, session_app):
        forms = [
            (endpoint, "asks_code=false" not in rest)
            for template in (ROOT / "templates/admin").rglob("*.html")
            for endpoint, rest in ACT_FORM.findall(template.read_text(encoding="utf-8"))
        ]
        assert len(forms) > 10
        for endpoint, asks in forms:
            view = session_app.view_functions[f"admin.{endpoint}"]
            assert getattr(view, "asks_fresh_code", False) == asks, endpoint

    @pytest.mark.parametrize("role", [None, *Role], ids=str)
    def test_each_role_opens_what_the_table_says_and_nothing_else(self, app, browser, role):
        client = browser(role)
        for rule in rules_of_admin(app):
            if "GET" not in rule.methods:
                continue
            response = client.get(address_of(rule))
            case = (rule.endpoint, response.status_code, response.location)
            if role is None:
                assert response.status_code == 303, case
                assert response.location.startswith("/login?next="), case
            elif role not in MAY[app.view_functions[rule.endpoint].permission]:
                assert response.status_code == 403, case
            else:
                assert response.status_code in {200, 303, 404, 422}, case
                assert not (response.location or "").startswith("/login"), case

    @pytest.mark.parametrize("role", [None, *Role], ids=str)
    def test_no_role_sends_a_form_that_the_table_does_not_give_it(self, app, browser, role):
        client = browser(role)
        token = TOKEN.search(client.get("/courses").get_data(as_text=True))[1]
        for rule in rules_of_admin(app):
            if "POST" not in rule.methods or role in MAY[app.view_functions[rule.endpoint].permission]:
                continue
            response = client.post(
                address_of(rule),
                data={"csrf_token": html.unescape(token)},
                headers={"Accept": "application/json"},
            )
            expected = (401, "unauthenticated") if role is None else (403, "forbidden")
            assert (response.status_code, response.get_json()["code"]) == expected, rule.endpoint

    @pytest.mark.parametrize("role", sorted(STAFF))
    def test_outside_of_the_admin_staff_are_learners_like_others(self, app, browser, role):
        staff, learner = browser(role), browser(Role.LEARNER)
        for rule in app.url_map.iter_rules():
            if "GET" not in rule.methods or rule.endpoint.partition(".")[0] in OTHER_DOORS:
                continue
            address = address_of(rule)
            assert staff.get(address).status_code == learner.get(address).status_code, rule.endpoint

    def test_a_view_that_says_nothing_is_opened_to_nobody(self, app, browser, monkeypatch):
        monkeypatch.setitem(app.view_functions, "admin.home", lambda: "open to all")
        for role in (None, *Role):
            assert browser(role).get("/admin").status_code == 403


class TestForms:
    @pytest.mark.parametrize("token", [None, "", "foreign"])
    def test_none_of_the_admin_is_taken_without_its_token(self, app, browser, token):
        client = browser(Role.ADMIN)
        client.get("/admin")
        data = {} if token is None else {"csrf_token": token}
        for rule in rules_of_admin(app):
            if "POST" not in rule.methods:
                continue
            response = client.post(address_of(rule), data=data, headers={"Accept": "application/json"})
            assert (response.status_code, response.get_json()["code"]) == (403, "csrf_failed"), rule.endpoint


class TestSecondFactor:
    @pytest.mark.parametrize("role", sorted(STAFF))
    def test_a_password_alone_opens_no_page_of_the_admin(self, app, role):
        with app.app_context():
            person = make_learner(role=role)
        client = app.test_client()
        sign_in(client, person, shows_code=False)
        for rule in rules_of_admin(app):
            if "GET" not in rule.methods or rule.endpoint in PAGES_OF_THE_SECOND_FACTOR:
                continue
            response = client.get(address_of(rule))
            if not may(person, app.view_functions[rule.endpoint].permission):
                assert response.status_code == 403, rule.endpoint
            else:
                assert response.status_code == 303, rule.endpoint
                assert response.location.startswith("/admin/confirm?next="), rule.endpoint
