"""The doors to an account, as a browser without script meets them."""

import html
import re
from email import policy
from email.parser import BytesParser

import pytest
import sqlalchemy as sa

from portal.kit.db import db
from portal.learners import passwords, resets, services
from portal.learners.models import Learner, Locale, LoginSession, PasswordReset, Role
from portal.outbox.models import Job
from portal.staff import roles
from tests.factories.learners import PASSWORD, make_learner, sign_in

pytestmark = pytest.mark.database

NEW = "another quiet password"
ENGLISH = {"Accept-Language": "en"}
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
NEUTRAL = "If it is yours, sign in or reset your password."
WRONG = "The e-mail address or the password is wrong."


def send(client, path, data=None, headers=ENGLISH, **options):
    """Open the page at `path`, fill in its form, and send it."""
    page = client.get(path, headers=ENGLISH).get_data(as_text=True)
    match = TOKEN.search(page)
    token = html.unescape(match[1]) if match else ""
    return client.post(path, data={"csrf_token": token, **(data or {})}, headers=headers, **options)


def log_in(client, learner, password=PASSWORD, path="/login", **options):
    return send(client, path, {"email": learner.email, "password": password}, **options)


def is_signed_in(client):
    return client.get("/account").status_code == 200


@pytest.fixture
def learner(app):
    with app.app_context():
        return make_learner()


@pytest.fixture
def rows(app):
    """Return the rows of a model."""

    def found(model):
        with app.app_context():
            return list(db.session.scalars(sa.select(model)))

    return found


class TestRegister:
    def test_it_makes_an_account_and_signs_in_at_once(self, client, rows):
        response = send(client, "/register", {"email": "Wang@QQ.com", "password": PASSWORD})
        assert (response.status_code, response.location) == (303, "/account")
        assert is_signed_in(client)
        assert [(found.email, found.locale) for found in rows(Learner)] == [("wang@qq.com", Locale.EN)]

    def test_the_account_speaks_the_language_of_the_page(self, client, rows):
        send(client, "/register", {"email": "a@qq.com", "password": PASSWORD}, {"Accept-Language": "zh-CN"})
        assert rows(Learner)[0].locale == Locale.ZH

    def test_it_goes_on_to_where_one_was_going(self, client):
        path = "/register?next=/courses/cpp-primer-5th"
        response = send(client, path, {"email": "a@qq.com", "password": PASSWORD})
        assert response.location == "/courses/cpp-primer-5th"

    def test_a_known_address_is_refused_without_a_reason_and_its_owner_told(self, client, learner, rows):
        response = send(client, "/register", {"email": learner.email, "password": NEW})
        assert response.status_code == 409
        assert NEUTRAL in html.unescape(response.get_data(as_text=True))
        assert not is_signed_in(client)
        assert [job.kind for job in rows(Job)] == ["mail_register_again"]

    def test_pressing_the_button_twice_is_one_account(self, client, rows):
        page = client.get("/register", headers=ENGLISH).get_data(as_text=True)
        form = {"csrf_token": TOKEN.search(page)[1], "email": "a@qq.com", "password": PASSWORD}
        before = client.get_cookie("sid").value
        assert client.post("/register", data=form).status_code == 303
        client.set_cookie("sid", before)
        assert client.post("/register", data=form).status_code == 303
        assert is_signed_in(client)
        assert len(rows(Learner)) == 1

    @pytest.mark.parametrize(
        ("email", "password", "sentence"),
        [
            ("", PASSWORD, "Enter your e-mail address."),
            ("nobody", PASSWORD, "Enter an e-mail address like"),
            ("a@qq.com\x00", PASSWORD, "Enter an e-mail address like"),
            ("a\u202e@qq.com", PASSWORD, "Enter an e-mail address like"),
            ("a@qq.com\r\nBcc: b@qq.com", PASSWORD, "Enter an e-mail address like"),
            ("王@qq.com", PASSWORD, "Enter an e-mail address like"),
            ("a" * 300 + "@qq.com", PASSWORD, "Enter an e-mail address like"),
            ("a@qq.com", "", "Choose a password."),
            ("a@qq.com", "short", "at least 10 characters"),
            ("a@qq.com", "xy" * 65, "at most 128 characters"),
            ("a@qq.com", "password123", "Many people use this password"),
            ("a@qq.com", "learning-buddy", "our name is easily guessed"),
            ("a@qq.com", "with a \x07 bell in it", "cannot be typed"),
        ],
    )
    def test_bad_input_is_explained_at_its_field_and_kept(self, client, rows, email, password, sentence):
        response = send(client, "/register", {"email": email, "password": password})
        page = html.unescape(response.get_data(as_text=True))
        assert response.status_code == 422
        assert page.count(sentence) == 2  # in the summary and at the field
        assert 'aria-invalid="true"' in page
        assert "<title>Error:" in page
        assert not password or password not in page
        assert not rows(Learner)

    def test_fields_that_are_not_in_the_form_count_for_nothing(self, client, rows):
        form = {"email": "a@qq.com", "password": PASSWORD, "role": "admin", "id": "7", "public_id": "mine"}
        send(client, "/register", form)
        assert rows(Learner)[0].role == "learner"
        assert rows(Learner)[0].public_id != "mine"

    def test_mistyping_is_not_counted_and_five_accounts_an_hour_are_enough(self, client):
        for _ in range(6):
            assert send(client, "/register", {"email": "nobody", "password": PASSWORD}).status_code == 422
        for number in range(5):
            client.delete_cookie("sid")
            form = {"email": f"a{number}@qq.com", "password": PASSWORD}
            assert send(client, "/register", form).status_code == 303
        client.delete_cookie("sid")
        refused = send(client, "/register", {"email": "a6@qq.com", "password": PASSWORD})
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 3600

    def test_a_header_of_the_clients_own_does_not_change_its_count(self, client, learner):
        def try_it(number):
            headers = {**ENGLISH, "X-Forwarded-For": f"203.0.113.{number}"}
            return send(client, "/register", {"email": learner.email, "password": NEW}, headers).status_code

        assert [try_it(number) for number in range(6)] == [409] * 5 + [429]


class TestLogin:
    def test_it_signs_in(self, client, learner, rows):
        response = log_in(client, learner)
        assert (response.status_code, response.location) == (303, "/account")
        assert is_signed_in(client)
        assert rows(LoginSession)[0].address == "127.0.0.1"

    @pytest.mark.parametrize(
        ("path", "status", "change"),
        [
            ("/login", 422, lambda owner: services.set_password(owner, passwords.hashed(NEW), "test")),
            ("/login", 422, lambda owner: roles.set_role(owner, Role.SUPPORT, "test", "hired")),
            ("/register", 409, lambda owner: roles.disable(owner, "test", "asked for")),
        ],
        ids=["password", "role", "closed"],
    )
    def test_an_account_changed_while_the_password_is_looked_at_is_not_signed_in(
        self, app, client, learner, rows, monkeypatch, path, status, change
    ):
        def look_and_change(stored_hash, password):
            is_right = matches(stored_hash, password)
            with app.app_context():
                change(db.session.get_one(Learner, learner.id))
            return is_right

        matches = passwords.matches
        monkeypatch.setattr(passwords, "matches", look_and_change)
        assert log_in(client, learner, path=path).status_code == status
        assert rows(LoginSession) == []
        assert not is_signed_in(client)

    def test_the_page_asks_for_nothing_when_signed_in(self, client, learner):
        log_in(client, learner)
        assert client.get("/login?next=/courses").location == "/courses"
        assert client.get("/register").location == "/account"

    def test_an_unknown_account_and_a_wrong_password_get_the_same_answer(self, client, learner):
        def answer(email):
            page = send(client, "/login", {"email": email, "password": NEW})
            text = TOKEN.sub("", page.get_data(as_text=True)).replace(email, "")
            return page.status_code, re.sub(r"[0-9a-z]{20}", "", text)

        known, unknown = answer(learner.email), answer("nobody1@example.com")
        assert known == unknown
        assert known[0] == 422
        assert WRONG in known[1]

    def test_the_eleventh_try_is_told_when_to_come_back(self, client, learner):
        for _ in range(10):
            assert log_in(client, learner, NEW).status_code == 422
        locked = log_in(client, learner)
        assert locked.status_code == 429
        assert 0 < int(locked.headers["Retry-After"]) <= 900
        assert "possible again in 15 minutes" in locked.get_data(as_text=True)

    def test_an_address_of_the_network_has_thirty_tries(self, app):
        outcomes = []
        for number in range(31):
            form = {"email": f"nobody{number}@example.com", "password": NEW}
            outcomes.append(send(app.test_client(), "/login", form).status_code)
        assert outcomes == [422] * 30 + [429]

    @pytest.mark.parametrize(
        ("email", "password"),
        [
            ("", ""),
            ("\x00", "\x00"),
            ("王@qq.com", "密码"),
            ("a" * 20_000, "b" * 20_000),
            ("'--", "' OR ''='"),
        ],
    )
    def test_bad_input_is_a_failed_try(self, client, email, password):
        response = send(client, "/login", {"email": email, "password": password})
        assert response.status_code == 422

    def test_signing_in_changes_the_session_and_its_token(self, client, learner):
        with client.session_transaction() as cookie:
            cookie["planted"] = "by somebody else"
        client.get("/login")
        with client.session_transaction() as cookie:
            before = cookie["csrf_token"]
        log_in(client, learner)
        client.get("/account/settings")
        with client.session_transaction() as cookie:
            assert "planted" not in cookie
            assert cookie["csrf_token"] != before

    def test_signing_in_again_ends_the_session_before(self, client, learner, rows):
        log_in(client, learner)
        log_in(client, learner, path="/login")
        page = client.get("/account/settings").get_data(as_text=True)
        form = {"csrf_token": TOKEN.search(page)[1], "email": learner.email, "password": PASSWORD}
        client.post("/login", data=form)
        assert len(rows(LoginSession)) == 1


class TestNext:
    @pytest.mark.parametrize(
        ("asked", "reached"),
        [
            ("/courses", "/courses"),
            ("/courses/cpp-primer-5th", "/courses/cpp-primer-5th"),
            ("/courses?q=c%2B%2B&q=%E4%B8%AD", "/courses?q=c%2B%2B&q=%E4%B8%AD"),
            ("/account/orders?page=2", "/account/orders?page=2"),
            ("", "/account"),
            ("//evil.example", "/account"),
            ("///evil.example", "/account"),
            ("/\\evil.example", "/account"),
            ("\\\\evil.example", "/account"),
            ("/%5Cevil.example", "/account"),
            ("/%2Fevil.example", "/account"),
            ("/%09/evil.example", "/account"),
            ("/\t/evil.example", "/account"),
            ("/\r\nLocation: https://evil.example", "/account"),
            ("/\x00", "/account"),
            ("https:evil.example", "/account"),
            ("https://evil.example/courses", "/account"),
            ("http:///evil.example", "/account"),
            ("javascript:alert(1)", "/account"),
            ("data:text/html,x", "/account"),
            ("courses", "/account"),
            (".//courses", "/account"),
            ("/courses/../../evil", "/account"),
            ("/courses//", "/account"),
            ("/nothing-here", "/account"),
            ("/logout", "/account"),
            ("/static/css/portal.css", "/account"),
            ("/courses@evil.example", "/account"),
            ("/courses/\u202ex", "/account"),
            ("/" + "x" * 5000, "/account"),
            ("/[", "/account"),
        ],
    )
    def test_only_pages_of_ours_are_gone_to(self, client, learner, asked, reached):
        client.get("/login")
        page = client.get("/login", query_string={"next": asked}, headers=ENGLISH).get_data(as_text=True)
        form = {"csrf_token": TOKEN.search(page)[1], "email": learner.email, "password": PASSWORD}
        response = client.post("/login", query_string={"next": asked}, data=form)
        assert response.status_code == 303
        assert response.location == reached

    def test_it_goes_along_between_signing_in_and_registering(self, client):
        page = client.get("/login?next=/courses/cpp-primer-5th").get_data(as_text=True)
        assert 'href="/register?next=/courses/cpp-primer-5th"' in page

    def test_a_page_behind_the_door_is_come_back_to(self, client, learner):
        response = client.get("/account/orders?page=2")
        assert response.status_code == 303
        assert response.location == "/login?next=/account/orders?page%3D2"
        assert log_in(client, learner, path=response.location).location == "/account/orders?page=2"

    def test_a_form_behind_the_door_leads_back_to_the_page_it_stands_on(self, client):
        page = client.get("/courses/cpp-primer-5th").get_data(as_text=True)
        token = TOKEN.search(page)[1]
        response = client.post("/courses/cpp-primer-5th/buy", data={"csrf_token": token})
        assert response.location == "/login?next=/courses/cpp-primer-5th"

    def test_a_script_is_told_instead_of_sent_to_a_page(self, client):
        assert client.get("/account", headers={"Accept": "application/json"}).status_code == 401
        assert client.get("/account", headers={"Sec-Fetch-Dest": "empty"}).status_code == 401


class TestLogout:
    def test_it_ends_the_session_here_and_in_the_database(self, app, client, learner, rows):
        log_in(client, learner)
        stolen = client.get_cookie("sid").value
        response = send_from_header(client, "/logout")
        assert (response.status_code, response.location) == (303, "/courses")
        assert not rows(LoginSession)
        thief = app.test_client()
        thief.set_cookie("sid", stolen)
        assert not is_signed_in(thief)

    def test_twice_is_the_same(self, client, learner):
        log_in(client, learner)
        page = client.get("/courses").get_data(as_text=True)
        form = {"csrf_token": TOKEN.search(page)[1]}
        assert client.post("/logout", data=form).status_code == 303
        assert client.post("/logout", data=form).status_code == 303

    def test_a_link_does_not_sign_out(self, client, learner):
        log_in(client, learner)
        assert client.get("/logout").status_code == 405
        assert is_signed_in(client)


def send_from_header(client, path):
    page = client.get("/courses").get_data(as_text=True)
    return client.post(path, data={"csrf_token": TOKEN.search(page)[1]})


class TestForms:
    def test_a_form_without_its_token_is_shown_again_with_what_was_typed(self, client, learner):
        client.get("/login")
        form = {"email": learner.email, "password": PASSWORD}
        response = client.post("/login", data=form, headers=ENGLISH)
        page = response.get_data(as_text=True)
        assert response.status_code == 403
        assert "had been open for too long" in page
        assert f'value="{learner.email}"' in page
        assert PASSWORD not in page
        form["csrf_token"] = html.unescape(TOKEN.search(page)[1])
        assert client.post("/login", data=form).status_code == 303

    def test_anothers_token_is_none(self, app, client, learner):
        other = app.test_client()
        page = other.get("/login").get_data(as_text=True)
        client.get("/login")
        form = {"csrf_token": TOKEN.search(page)[1], "email": learner.email, "password": PASSWORD}
        assert client.post("/login", data=form).status_code == 403
        assert not is_signed_in(client)

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://["},
            {"Origin": ""},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    @pytest.mark.parametrize("path", ["/login", "/register", "/forgot", "/logout"])
    def test_another_sites_form_is_refused_even_with_a_token(self, client, learner, path, headers):
        page = client.get("/login").get_data(as_text=True)
        form = {"csrf_token": TOKEN.search(page)[1], "email": learner.email, "password": PASSWORD}
        assert client.post(path, data=form, headers=headers).status_code == 403
        assert not is_signed_in(client)

    def test_our_own_origin_is_welcome(self, client, learner, tools):
        headers = {**ENGLISH, "Origin": tools.settings.PORTAL_BASE_URL, "Sec-Fetch-Site": "same-origin"}
        assert log_in(client, learner, headers=headers).status_code == 303

    @pytest.mark.parametrize("path", ["/login", "/register", "/forgot"])
    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    def test_other_methods_are_refused(self, client, path, method):
        assert client.open(path, method=method).status_code in {403, 405}

    @pytest.mark.parametrize("path", ["/login", "/register", "/forgot"])
    def test_no_page_is_kept_by_a_cache(self, client, path):
        assert client.get(path).headers["Cache-Control"] == "no-store"


class TestCookie:
    def test_there_is_one_and_no_script_can_read_it(self, client, learner):
        response = log_in(client, learner)
        cookies = response.headers.getlist("Set-Cookie")
        assert len(cookies) == 1
        assert cookies[0].startswith("sid=")
        for attribute in ("HttpOnly", "SameSite=Lax", "Path=/"):
            assert attribute in cookies[0]
        assert "Domain" not in cookies[0]

    @pytest.mark.parametrize("value", ["", "x", "eyJ4IjoxfQ.x.y", "x" * 4000, "\u00e9"])
    def test_a_cookie_that_we_did_not_sign_is_nobodys(self, client, value):
        client.set_cookie("sid", value)
        assert client.get("/login").status_code == 200
        assert not is_signed_in(client)

    def test_a_secret_that_is_not_in_the_database_is_nobodys(self, client, learner, app):
        sign_in(client, learner)
        with app.app_context():
            db.session.execute(sa.delete(LoginSession))
            db.session.commit()
        response = client.get("/account")
        assert (response.status_code, response.location) == (303, "/login?next=/account")


class TestForgot:
    def test_the_answer_is_the_same_whether_or_not_there_is_an_account(self, client, learner, rows):
        def answer(email):
            page = send(client, "/forgot", {"email": email})
            text = TOKEN.sub("", page.get_data(as_text=True))
            return page.status_code, re.sub(r"[0-9a-z]{20}", "", text)

        domain = learner.email.partition("@")[2]
        assert answer(learner.email) == answer(f"lnobody@{domain}")
        assert len(rows(PasswordReset)) == 1

    @pytest.mark.parametrize("email", ["", "nobody", "王@qq.com", "a@qq.com\r\nBcc: b@qq.com"])
    def test_what_is_no_address_is_explained(self, client, email):
        assert send(client, "/forgot", {"email": email}).status_code == 422

    def test_five_an_hour_are_enough_for_an_address_of_the_network(self, client):
        outcomes = [send(client, "/forgot", {"email": f"a{n}@qq.com"}).status_code for n in range(6)]
        assert outcomes == [200] * 5 + [429]


class TestReset:
    @pytest.fixture
    def token(self, app, learner):
        with app.app_context():
            resets.request_reset(learner.email)
            return resets.draw_token(db.session.scalars(sa.select(PasswordReset.id)).one()).token

    def test_the_link_sets_a_new_password_once(self, app, client, learner, token):
        signed_in = app.test_client()
        sign_in(signed_in, learner)
        response = send(client, f"/reset/{token}", {"password": NEW})
        assert (response.status_code, response.location) == (303, "/login")
        assert "Your new password is set" in client.get("/login", headers=ENGLISH).get_data(as_text=True)
        assert not is_signed_in(signed_in)
        assert log_in(client, learner, NEW).status_code == 303
        assert app.test_client().get(f"/reset/{token}").status_code == 404

    def test_opening_it_does_not_use_it_up(self, client, token):
        for _ in range(3):
            assert client.get(f"/reset/{token}").status_code == 200

    def test_a_weak_password_is_explained_and_the_link_stays_good(self, client, token):
        response = send(client, f"/reset/{token}", {"password": "password123"})
        assert response.status_code == 422
        assert "Many people use this password" in response.get_data(as_text=True)
        assert send(client, f"/reset/{token}", {"password": NEW}).status_code == 303

    @pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 5000, "%00", "%E4%B8%AD", "..%2f", "' OR 1=1"])
    def test_another_text_is_a_spent_link(self, client, token):
        response = client.get(f"/reset/{token}", headers=ENGLISH)
        assert response.status_code == 404
        assert (
            "does not exist" in (page := response.get_data(as_text=True)) or "does not work any more" in page
        )

    def test_the_mail_that_brings_it_is_sent_by_the_worker(self, client, learner, shop, mails):
        sent = mails()
        assert not sent
        send(client, "/forgot", {"email": learner.email})
        shop.work()
        mail = BytesParser(policy=policy.default).parsebytes(mails()[0].read_bytes())
        path = re.search(r"/reset/[A-Za-z0-9_-]{43}", mail.get_body(("plain",)).get_content())[0]
        assert send(client, path, {"password": NEW}).status_code == 303
