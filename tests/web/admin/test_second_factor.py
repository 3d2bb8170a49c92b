"""How staff sign in: a password, then a code; a fresh code before what is dangerous."""

import html
import re

import pytest
import sqlalchemy as sa
from flask import request

from portal.kit.db import db
from portal.learners import resets
from portal.learners.models import LoginSession, PasswordReset, Role
from portal.staff import second_factor
from portal.staff.models import RecoveryCode
from portal.staff.permissions import Permission
from portal.web.staff import staff_may, step_up
from tests.factories.learners import PASSWORD, make_learner, sign_in
from tests.factories.staff import code_of, set_up_phone, shown_seed

pytestmark = pytest.mark.database

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
SECRET = re.compile(r'<p class="order-number">([A-Z2-7 ]+)</p>')
JSON = {"Accept": "application/json"}


@pytest.fixture
def person(app):
    with app.app_context():
        return make_learner(role=Role.ADMIN)


def send(client, path, data=None, page=None, **options):
    """Send a form with the token of `page`, or of its own page."""
    text = client.get(page or path).get_data(as_text=True)
    token = html.unescape(TOKEN.search(text)[1])
    return client.post(path, data={"csrf_token": token, **(data or {})}, **options)


def log_in(client, person, path="/login"):
    return send(client, path, {"email": person.email, "password": PASSWORD})


def sid_of(client):
    return client.get_cookie("sid").value


class TestSignIn:
    def test_the_first_time_sets_the_phone_up_and_shows_the_recovery_codes_once(self, app, client, person):
        assert log_in(client, person).location == "/admin/confirm?next=/admin"
        set_up = client.get("/admin/confirm?next=/admin").location
        assert set_up == "/admin/second-factor/set-up?next=/admin"
        page = client.get(set_up).get_data(as_text=True)
        assert client.get("/admin/second-factor/qr.svg").mimetype == "image/svg+xml"
        seed = shown_seed(app, person)
        response = send(client, set_up, {"second_factor_code": code_of(seed)})
        assert SECRET.search(page)
        assert response.status_code == 200
        codes = set(re.findall(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}", response.get_data(as_text=True)))
        assert len(codes) == 10
        assert response.headers["Cache-Control"] == "no-store"
        assert client.get("/admin").status_code == 200

    def test_then_it_asks_for_a_code_and_goes_on_to_where_one_was_going(self, app, client, person, clock):
        seed, _ = set_up_phone(app, person)
        clock.travel(seconds=60)
        here = log_in(client, person, "/login?next=/admin/second-factor").location
        assert here == "/admin/confirm?next=/admin/second-factor"
        assert client.get("/admin").status_code == 303
        before = sid_of(client)
        response = send(client, here, {"second_factor_code": code_of(seed)})
        assert (response.status_code, response.location) == (303, "/admin/second-factor")
        assert client.get("/admin").status_code == 200
        stolen = app.test_client()
        stolen.set_cookie("sid", before)
        assert stolen.get("/admin").location.startswith("/login")

    @pytest.mark.parametrize("has_shown_one", [False, True])
    def test_who_is_signed_out_while_a_code_is_looked_at_is_out(
        self, app, client, person, clock, count, monkeypatch, has_shown_one
    ):
        seed, _ = set_up_phone(app, person)
        clock.travel(seconds=60)
        sign_in(client, person, shows_code=has_shown_one)

        def check_and_sign_out(*arguments):
            check_code(*arguments)
            second_factor.reset(person, "test", "lost")

        check_code = second_factor.check_code
        monkeypatch.setattr(second_factor, "check_code", check_and_sign_out)
        response = send(client, "/admin/confirm", {"second_factor_code": code_of(seed)})
        assert response.location == "/login?next=/admin"
        assert count(LoginSession) == 0

    def test_nor_does_a_first_code_outlive_its_phone(self, app, client, person, count, monkeypatch):
        sign_in(client, person, shows_code=False)
        client.get("/admin/second-factor/set-up")

        def set_up_and_reset(*arguments):
            codes = set_up(*arguments)
            second_factor.reset(person, "test", "lost")
            return codes

        set_up = second_factor.set_up
        monkeypatch.setattr(second_factor, "set_up", set_up_and_reset)
        code = {"second_factor_code": code_of(shown_seed(app, person))}
        assert send(client, "/admin/second-factor/set-up", code).location.startswith("/login")
        assert count(LoginSession) == 0

    def test_a_recovery_code_does_once(self, app, client, person):
        _, codes = set_up_phone(app, person)
        log_in(client, person)
        assert send(client, "/admin/confirm", {"second_factor_code": codes[3]}).status_code == 303
        other = app.test_client()
        log_in(other, person)
        assert send(other, "/admin/confirm", {"second_factor_code": codes[3]}).status_code == 422

    def test_a_wrong_code_is_said_at_the_field(self, app, client, person):
        set_up_phone(app, person)
        log_in(client, person)
        response = send(client, "/admin/confirm", {"second_factor_code": "12"})
        text = response.get_data(as_text=True)
        assert response.status_code == 422
        assert "error-summary" in text
        assert 'aria-invalid="true"' in text
        assert send(client, "/admin/confirm").status_code == 422

    def test_too_many_wrong_codes_lock_for_a_while(self, app, client, person):
        set_up_phone(app, person)
        log_in(client, person)
        statuses = [send(client, "/admin/confirm", {"second_factor_code": "1"}).status_code for _ in range(6)]
        assert statuses == [422] * 5 + [429]

    def test_a_code_is_no_way_out_of_the_house(self, app, client, person, clock):
        seed, _ = set_up_phone(app, person)
        clock.travel(seconds=60)
        log_in(client, person)
        target = "/admin/confirm?next=//evil.example"
        assert send(client, target, {"second_factor_code": code_of(seed)}).location == "/admin"

    def test_a_mailed_link_does_not_stand_for_the_phone(self, app, client, person):
        set_up_phone(app, person)
        with app.app_context():
            resets.request_reset(person.email)
            link = resets.draw_token(db.session.scalars(sa.select(PasswordReset.id)).one())
        new = "another quiet password"
        assert send(client, f"/reset/{link.token}", {"password": new}).status_code == 303
        send(client, "/login", {"email": person.email, "password": new})
        assert client.get("/admin").location.startswith("/admin/confirm")
        assert client.get("/admin/second-factor/set-up").location.startswith("/admin/confirm")

    def test_a_script_is_told_what_is_missing(self, app, client, person):
        sign_in(client, person, shows_code=False)
        response = client.get("/admin", headers=JSON)
        assert (response.status_code, response.get_json()["code"]) == (403, "second_factor_required")


class TestSessions:
    def test_one_of_staff_ends_after_half_an_hour_of_nothing(self, client, person, clock):
        sign_in(client, person)
        clock.travel(minutes=31)
        assert client.get("/admin").location.startswith("/login")

    def test_and_after_twelve_hours_of_work(self, client, person, clock):
        sign_in(client, person)
        for _ in range(12 * 3):
            clock.travel(minutes=20)
            client.get("/admin")
        assert client.get("/admin").location.startswith("/login")

    def test_a_new_phone_ends_the_others(self, app, client, person, clock, count):
        set_up_phone(app, person)
        clock.travel(seconds=60)
        other = app.test_client()
        sign_in(other, person)
        sign_in(client, person)
        client.get("/admin/second-factor/set-up")
        seed = shown_seed(app, person)
        assert (
            send(client, "/admin/second-factor/set-up", {"second_factor_code": code_of(seed)}).status_code
            == 200
        )
        assert client.get("/admin").status_code == 200
        assert other.get("/admin").location.startswith("/login")
        assert count(LoginSession) == 1


@pytest.fixture
def dangerous(app, monkeypatch):
    """Put something that needs a fresh code in the place of a view; return what was sent to it."""
    taken = []

    @staff_may(Permission.ENTER)
    @step_up
    def act():
        taken.append(request.form.to_dict())
        return "done"

    monkeypatch.setitem(app.view_functions, "admin.new_recovery_codes", act)
    monkeypatch.setitem(app.view_functions, "admin.second_factor", act)
    return taken


class TestStepUp:
    FORM = "/admin/second-factor/recovery-codes"

    @pytest.fixture
    def seed(self, app, person, client, clock):
        seed, _ = set_up_phone(app, person)
        sign_in(client, person)
        clock.travel(minutes=4)
        return seed

    def test_within_five_minutes_nothing_is_asked(self, client, seed, dangerous):
        assert send(client, self.FORM, {"reason": "x"}, page="/admin").status_code == 200
        assert client.get("/admin/second-factor").status_code == 200

    def test_later_a_page_asks_first_and_comes_back(self, client, seed, dangerous, clock):
        clock.travel(minutes=2)
        ask = client.get("/admin/second-factor?a=1").location
        assert ask == "/admin/confirm?next=/admin/second-factor?a%3D1"
        back = send(client, ask, {"second_factor_code": code_of(seed)})
        assert back.location == "/admin/second-factor?a=1"
        assert client.get(back.location).status_code == 200

    def test_later_a_form_is_kept_until_the_code_is_there(self, client, seed, dangerous, clock):
        clock.travel(minutes=2)
        typed = {"reason": 'it is "broken" <b>', "amount": "12.00"}
        asked = send(client, self.FORM, typed, page="/admin")
        assert (asked.status_code, dangerous) == (403, [])
        text = asked.get_data(as_text=True)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))
        hidden = {name: html.unescape(value) for name, value in hidden.items() if name != "locale"}
        assert hidden["reason"] == typed["reason"]
        assert f'action="{self.FORM}"' in text
        done = client.post(self.FORM, data={**hidden, "second_factor_code": code_of(seed)})
        assert done.status_code == 200
        assert dangerous[0]["reason"] == typed["reason"]
        assert dangerous[0]["amount"] == "12.00"

    def test_a_form_may_bring_its_code_along(self, client, seed, dangerous, clock):
        clock.travel(minutes=2)
        assert "second_factor_code" in client.get("/admin/confirm").get_data(as_text=True)
        sent = {"reason": "x", "second_factor_code": code_of(seed)}
        assert send(client, self.FORM, sent, page="/admin").status_code == 200

    def test_with_a_wrong_code_nothing_happens_and_nothing_is_lost(self, client, seed, dangerous):
        wrong = send(client, self.FORM, {"reason": "x", "second_factor_code": "1"}, page="/admin")
        assert (wrong.status_code, dangerous) == (422, [])
        assert 'name="reason" value="x"' in wrong.get_data(as_text=True)

    def test_a_script_is_told(self, client, seed, dangerous, clock):
        clock.travel(minutes=2)
        for response in (
            client.get("/admin/second-factor", headers=JSON),
            send(client, self.FORM, {"reason": "x"}, page="/admin", headers=JSON),
        ):
            assert (response.status_code, response.get_json()["code"]) == (403, "step_up_required")


class TestRecoveryCodes:
    def test_new_ones_replace_the_old(self, app, client, person, count):
        set_up_phone(app, person)
        sign_in(client, person)
        response = send(client, "/admin/second-factor/recovery-codes", page="/admin/second-factor")
        text = response.get_data(as_text=True)
        assert response.status_code == 200
        assert "data:text/plain" in text
        assert count(RecoveryCode) == 10
