"""A browser's cookie is verified once, and no request leaves anything in what is remembered of it."""

from datetime import timedelta

import pytest
from flask import flash, get_flashed_messages, session
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from portal.web.cookie import SignedCookies


@pytest.fixture
def cookie(app):
    """Return a good cookie with a message in it."""
    signer = app.session_interface.get_signing_serializer(app)
    return signer.dumps({"secret": "s", "_flashes": [("info", "first")]})


@pytest.fixture
def opened(app):
    """Return what opens a request with a cookie."""

    def request_with(text):
        return app.test_request_context(headers={"Cookie": f"{app.config['SESSION_COOKIE_NAME']}={text}"})

    return request_with


def test_what_a_request_adds_is_not_in_the_next_one_with_the_same_cookie(opened, cookie):
    for _ in range(2):
        with opened(cookie):
            flash("second")
            session["secret"] = "changed"
            assert get_flashed_messages() == ["first", "second"]
    with opened(cookie):
        assert session["secret"] == "s"


def test_one_that_was_changed_is_nobodys_also_after_the_good_one(opened, cookie):
    with opened(cookie):
        assert session["secret"] == "s"
    with opened(cookie[:-2] + "xx"):
        assert not session


def test_one_that_was_good_becomes_too_old(app, opened, cookie, monkeypatch):
    with opened(cookie):
        assert session["secret"] == "s"
    _, signed_at = app.session_interface.get_signing_serializer(app).loads(cookie, return_timestamp=True)
    too_late = signed_at + app.permanent_session_lifetime + timedelta(minutes=1)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _signer: int(too_late.timestamp()))
    with opened(cookie):
        assert not session


def test_the_first_two_requests_may_come_at_once(app, opened, cookie, monkeypatch):
    cookies, make_signer, read = SignedCookies(), URLSafeTimedSerializer.make_signer, []

    def interrupted(serializer, *facts):
        monkeypatch.setattr(URLSafeTimedSerializer, "make_signer", make_signer)
        with opened(cookie) as context:
            read.append(cookies.open_session(app, context.request)["secret"])
        return make_signer(serializer, *facts)

    with opened(cookie) as context:
        monkeypatch.setattr(URLSafeTimedSerializer, "make_signer", interrupted)
        assert cookies.open_session(app, context.request)["secret"] == "s"
    assert read == ["s"]
