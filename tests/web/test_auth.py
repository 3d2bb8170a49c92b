"""Cookies, keys and counts of a portal behind https, proxies and a changed key."""

import html
import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from portal.app import create_app
from portal.config import Settings, load_settings
from portal.learners import sessions
from portal.web.limits import client_network, limiter
from tests.factories.learners import PASSWORD, make_learner, sign_in
from tests.support.processes import portal_environment

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@pytest.fixture
def settings_with(app, sandbox, tools, tmp_path):
    """Return the settings of another portal on the same database."""

    def made(**changes: str) -> Settings:
        environment = portal_environment(Path(tmp_path), tools.settings.DATABASE_URL, sandbox)
        return load_settings(environment | changes)

    return made


@pytest.fixture
def learner(app: Flask):
    with app.app_context():
        return make_learner()


def test_behind_https_the_cookie_is_bound_to_the_host(settings_with, learner):
    secure = create_app(settings_with(PORTAL_BASE_URL="https://learn.example.com"))
    client = secure.test_client()
    page = client.get("/login", base_url="https://learn.example.com").get_data(as_text=True)
    response = client.post(
        "/login",
        data={
            "csrf_token": html.unescape(TOKEN.search(page)[1]),
            "email": learner.email,
            "password": PASSWORD,
        },
        headers={"Origin": "https://learn.example.com"},
        base_url="https://learn.example.com",
    )
    assert response.status_code == 303
    (cookie,) = response.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-sid=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


def test_a_key_changed_with_a_fallback_keeps_sessions_and_open_forms(app, settings_with, learner):
    client = app.test_client()
    sign_in(client, learner)
    token = TOKEN.search(client.get("/account/settings").get_data(as_text=True))[1]
    old_key = app.config["SECRET_KEY"]
    new = create_app(settings_with(SECRET_KEY="new--" * 8, SECRET_KEY_FALLBACKS=f"{'gone-' * 8},{old_key}"))
    browser = new.test_client()
    browser.set_cookie("sid", client.get_cookie("sid").value)
    assert browser.get("/account").status_code == 200
    form = {"csrf_token": token, "locale": "en"}
    assert browser.post("/account/settings/language", data=form).status_code == 303


def test_a_key_changed_without_one_asks_to_sign_in_again(app, settings_with, learner):
    client = app.test_client()
    sign_in(client, learner)
    browser = create_app(settings_with(SECRET_KEY="new--" * 8)).test_client()
    browser.set_cookie("sid", client.get_cookie("sid").value)
    assert browser.get("/account").location == "/login?next=/account"


def test_without_a_database_the_page_says_so(app, learner, monkeypatch):
    def away(_secret):
        raise OperationalError("SELECT 1", {}, Exception("server has gone away"))

    client = app.test_client()
    sign_in(client, learner)
    monkeypatch.setattr(sessions, "session_of", away)
    response = client.get("/account")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "<h1>" in response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("not an address", "not an address"),
        (None, "unknown"),
    ],
)
def test_a_household_has_one_count(app, address, network):
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        assert client_network() == network


def test_only_the_configured_proxies_are_believed(settings_with, learner):
    limiter.reset()
    client = create_app(settings_with(TRUSTED_PROXIES="1")).test_client()
    page = client.get("/login").get_data(as_text=True)
    form = {"csrf_token": TOKEN.search(page)[1], "email": "nobody@example.com", "password": ""}
    for number in range(31):
        # The last entry is the proxy's own word; what stands before it is the client's invention.
        forwarded = {"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.9"}
        status = client.post("/login", data=form, headers=forwarded).status_code
    assert status == 429
    other = {"X-Forwarded-For": "203.0.113.10"}
    assert client.post("/login", data=form, headers=other).status_code == 422


def test_a_store_that_is_away_leaves_signing_in_counted(settings_with, learner, monkeypatch):
    # The limiter is one for all portals of a process: it is put back as it was.
    monkeypatch.setattr(limiter, "counts", limiter.counts)
    client = create_app(settings_with(RATELIMIT_STORAGE_URI="redis://127.0.0.1:1/0")).test_client()
    page = client.get("/login").get_data(as_text=True)
    form = {"csrf_token": TOKEN.search(page)[1], "email": "nobody@example.com", "password": ""}
    outcomes = [client.post("/login", data=form).status_code for _ in range(31)]
    assert outcomes == [422] * 30 + [429]
