"""The endpoints of an editor, exactly as the RFCs say."""

import base64
import threading

import pytest
import sqlalchemy as sa

from portal.devices.models import DeviceGrant, GrantState
from portal.devices.queries import holder_of
from portal.kit.db import db
from tests.factories.devices import make_token

pytestmark = pytest.mark.database

CLIENT = "learning-buddy-vscode"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ENDPOINTS = ["/oauth/device_authorization", "/oauth/token", "/oauth/revoke"]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def editor(app):
    """A client without a browser's cookies."""
    return app.test_client(use_cookies=False)


def start(editor, **form):
    response = editor.post("/oauth/device_authorization", data={"client_id": CLIENT, **form})
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.get_json()


def poll(editor, started):
    form = {"grant_type": DEVICE_CODE, "device_code": started["device_code"], "client_id": CLIENT}
    return editor.post("/oauth/token", data=form)


def renew(editor, token, **form):
    return editor.post(
        "/oauth/token",
        data={"grant_type": "refresh_token", "refresh_token": token, "client_id": CLIENT, **form},
    )


def decide(buyer, started, verb="allow"):
    response = buyer.post("/device", {"user_code": started["user_code"]}, page="/device")
    assert response.status_code == 303, response.get_data(as_text=True)
    assert buyer.post(f"{response.location}/{verb}", page=response.location).status_code == 303


def assert_error(response, error, status=400):
    assert response.status_code == status, response.get_data(as_text=True)
    body = response.get_json()
    assert body["error"] == body["code"] == error
    assert body["status"] == status
    assert body["request_id"] == response.headers["X-Request-ID"]
    for name in ("error_description", "title", "type", "detail"):
        assert body[name]
    assert body["error_description"].isascii()
    assert '"' not in body["error_description"]
    assert_never_kept(response)


def assert_never_kept(response):
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert response.mimetype == "application/json"
    assert "Set-Cookie" not in response.headers


class TestDeviceAuthorization:
    def test_it_tells_what_rfc_8628_says(self, app, editor, tools):
        response = editor.post(
            "/oauth/device_authorization", data={"client_id": CLIENT, "scope": "catalog licenses"}
        )
        assert response.status_code == 200
        assert_never_kept(response)
        body = response.get_json()
        assert set(body) == {
            "device_code",
            "user_code",
            "verification_uri",
            "verification_uri_complete",
            "expires_in",
            "interval",
        }
        assert body["verification_uri"] == f"{tools.settings.PORTAL_BASE_URL}/device"
        assert body["verification_uri_complete"].endswith(f"/device?user_code={body['user_code']}")
        assert (body["expires_in"], body["interval"]) == (600, 5)
        assert len(body["user_code"]) == 9

    def test_the_address_is_ours_whatever_the_host_header_says(self, editor, tools):
        response = editor.post(
            "/oauth/device_authorization", data={"client_id": CLIENT}, headers={"Host": "localhost:9"}
        )
        assert response.get_json()["verification_uri"].startswith(tools.settings.PORTAL_BASE_URL)

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({}, "invalid_request"),
            ({"client_id": ""}, "invalid_request"),
            ({"client_id": "somebody"}, "invalid_client"),
            ({"client_id": CLIENT, "scope": "admin"}, "invalid_scope"),
            ({"client_id": CLIENT, "device_name": "x" * 513}, "invalid_request"),
            ({"client_id": CLIENT, "device_name": "a\x00b"}, "invalid_request"),
        ],
    )
    def test_what_is_wrong_begins_nothing(self, editor, count, form, error):
        assert_error(editor.post("/oauth/device_authorization", data=form), error)
        assert count(DeviceGrant) == 0

    def test_five_an_hour_from_one_network(self, editor, count):
        for _ in range(7):
            editor.post("/oauth/device_authorization", data={"client_id": "mistyped"})
        for _ in range(5):
            start(editor)
        response = editor.post("/oauth/device_authorization", data={"client_id": CLIENT})
        assert_error(response, "temporarily_unavailable", 429)
        assert 0 < int(response.headers["Retry-After"]) <= 3600
        assert count(DeviceGrant) == 5


class TestToken:
    def test_from_the_code_to_tokens(self, app, editor, shop):
        buyer = shop.buyer()
        started = start(editor, scope="licenses catalog", device_name="VS Code on box")
        assert_error(poll(editor, started), "authorization_pending")
        decide(buyer, started)
        response = poll(editor, started)
        assert response.status_code == 200
        assert_never_kept(response)
        body = response.get_json()
        assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
        assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, "catalog licenses")
        with app.app_context():
            holder = holder_of(body["access_token"])
        assert holder.learner.public_id == buyer.learner.public_id
        assert_error(poll(editor, started), "invalid_grant")

    def test_slow_down(self, editor, clock):
        started = start(editor)
        assert_error(poll(editor, started), "authorization_pending")
        assert_error(poll(editor, started), "slow_down")
        clock.travel(seconds=6)
        assert_error(poll(editor, started), "slow_down")
        clock.travel(seconds=15)
        assert_error(poll(editor, started), "authorization_pending")

    def test_denied(self, editor, shop):
        started = start(editor)
        decide(shop.buyer(), started, "deny")
        assert_error(poll(editor, started), "access_denied")

    def test_expired(self, editor, clock):
        started = start(editor)
        clock.travel(minutes=10, seconds=1)
        assert_error(poll(editor, started), "expired_token")

    def test_one_code_at_once_from_many_is_one_set_of_tokens(self, app, editor, shop):
        started = start(editor)
        decide(shop.buyer(), started)
        answers = []

        def fetch():
            answers.append(poll(app.test_client(use_cookies=False), started).get_json())

        threads = [threading.Thread(target=fetch) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum("access_token" in answer for answer in answers) == 1
        assert sum(answer.get("error") == "invalid_grant" for answer in answers) == 5

    def test_refresh_and_reuse(self, app, editor, shop):
        started = start(editor)
        decide(shop.buyer(), started)
        first = poll(editor, started).get_json()
        second = renew(editor, first["refresh_token"])
        assert second.status_code == 200
        assert_never_kept(second)
        assert_error(renew(editor, first["refresh_token"]), "invalid_grant")
        assert_error(renew(editor, second.get_json()["refresh_token"]), "invalid_grant")
        with app.app_context():
            assert holder_of(first["access_token"]) is None
            assert holder_of(second.get_json()["access_token"]) is None

    def test_more_scope_than_granted(self, editor, shop):
        started = start(editor, scope="catalog")
        decide(shop.buyer(), started)
        tokens = poll(editor, started).get_json()
        assert_error(renew(editor, tokens["refresh_token"], scope="catalog licenses"), "invalid_scope")
        assert renew(editor, tokens["refresh_token"], scope="catalog").status_code == 200

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({}, "invalid_request"),
            ({"grant_type": DEVICE_CODE}, "invalid_request"),
            ({"grant_type": DEVICE_CODE, "client_id": CLIENT}, "invalid_request"),
            ({"grant_type": DEVICE_CODE, "device_code": "x"}, "invalid_request"),
            ({"grant_type": DEVICE_CODE, "client_id": CLIENT, "device_code": "x"}, "invalid_grant"),
            ({"grant_type": DEVICE_CODE, "client_id": "somebody", "device_code": "x"}, "invalid_client"),
            ({"grant_type": DEVICE_CODE, "client_id": CLIENT, "device_code": "x" * 513}, "invalid_request"),
            ({"grant_type": "refresh_token", "client_id": CLIENT}, "invalid_request"),
            ({"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": "x"}, "invalid_grant"),
            ({"grant_type": "password", "client_id": CLIENT, "username": "a"}, "unsupported_grant_type"),
            ({"grant_type": "authorization_code", "client_id": CLIENT}, "unsupported_grant_type"),
            ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ],
    )
    def test_what_is_wrong(self, editor, form, error):
        assert_error(editor.post("/oauth/token", data=form), error)


class TestRevoke:
    def test_a_token_given_back_is_worth_nothing(self, app, editor, shop):
        started = start(editor)
        decide(shop.buyer(), started)
        tokens = poll(editor, started).get_json()
        for _ in range(2):
            form = {"token": tokens["refresh_token"], "client_id": CLIENT, "token_type_hint": "refresh_token"}
            response = editor.post("/oauth/revoke", data=form)
            assert response.status_code == 200
            assert_never_kept(response)
        with app.app_context():
            assert holder_of(tokens["access_token"]) is None
        assert_error(renew(editor, tokens["refresh_token"]), "invalid_grant")

    @pytest.mark.parametrize("token", ["x", "x" * 43, "中文"])
    def test_an_unknown_one_is_answered_alike(self, editor, token):
        response = editor.post("/oauth/revoke", data={"token": token, "client_id": CLIENT})
        assert (response.status_code, response.get_json()) == (200, {})

    def test_a_wrong_hint_does_not_matter(self, app, editor, shop):
        with app.app_context():
            token = make_token(shop.buyer().learner).access_token
        form = {"token": token, "client_id": CLIENT, "token_type_hint": "nonsense"}
        assert editor.post("/oauth/revoke", data=form).status_code == 200
        with app.app_context():
            assert holder_of(token) is None

    def test_what_is_wrong(self, editor):
        assert_error(editor.post("/oauth/revoke", data={"client_id": CLIENT}), "invalid_request")
        assert_error(editor.post("/oauth/revoke", data={"token": "x", "client_id": "y"}), "invalid_client")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
class TestForms:
    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b'{"client_id": "learning-buddy-vscode"}', "application/json"),
            (b"client_id=learning-buddy-vscode", "text/plain"),
            (b"client_id=learning-buddy-vscode", None),
            (b"client_id=learning-buddy-vscode", f"{FORM}; charset=gbk"),
            (b"client_id=learning-buddy-vscode&client_id=learning-buddy-vscode", FORM),
            (b"client_id=learning-buddy-vscode&token=a&token=b&scope=&scope=", FORM),
            (b"client_id=%ff%fe&token=a", FORM),
            (b"client_id=\xff\xfe&token=a", FORM),
            (b"client_id=%ed%a0%80", FORM),
            (b"client_id=learning-buddy-vscode&token=" + b"x" * 9000, FORM),
            (b"&".join(b"a%d=1" % number for number in range(50)), FORM),
            (b"", FORM),
            (b"%", FORM),
        ],
    )
    def test_what_cannot_be_read_is_an_invalid_request(self, editor, endpoint, body, kind):
        assert_error(editor.post(endpoint, data=body, content_type=kind), "invalid_request")

    def test_parameters_of_the_address_do_not_count(self, editor, endpoint):
        path = f"{endpoint}?client_id={CLIENT}&token=x&grant_type=refresh_token&refresh_token=x"
        assert_error(editor.post(path, data={"unknown": "1"}), "invalid_request")

    def test_a_charset_of_utf_8_may_be_named(self, editor, endpoint):
        response = editor.post(
            endpoint,
            data=b"client_id=somebody&grant_type=refresh_token",
            content_type=f"{FORM};charset=UTF-8",
        )
        assert_error(response, "invalid_client")

    def test_credentials_that_cannot_be_read_are_some_too(self, editor, endpoint):
        response = editor.post(endpoint, data={"client_id": CLIENT}, headers={"Authorization": "Basic é"})
        assert_error(response, "invalid_client", 401)

    @pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
    def test_credentials_in_a_header_are_an_invalid_client(self, editor, endpoint, scheme):
        header = f"{scheme} {base64.b64encode(b'learning-buddy-vscode:').decode()}"
        response = editor.post(endpoint, data={"client_id": CLIENT}, headers={"Authorization": header})
        assert_error(response, "invalid_client", 401)
        assert response.headers["WWW-Authenticate"].startswith(scheme)

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_only_post(self, editor, endpoint, method):
        response = editor.open(endpoint, method=method)
        assert response.status_code == 405
        assert "application" in response.mimetype

    def test_a_body_of_a_megabyte_is_refused(self, editor, endpoint):
        response = editor.post(endpoint, data=b"a=" + b"x" * 1_000_000, content_type=FORM)
        assert response.status_code in {400, 413}


def test_cookies_are_not_looked_at(app, shop, editor):
    buyer = shop.buyer()
    started = start(editor)
    form = {"grant_type": DEVICE_CODE, "device_code": started["device_code"], "client_id": CLIENT}
    response = buyer.client.post("/oauth/token", data=form)
    assert_error(response, "authorization_pending")
    with app.app_context():
        state = db.session.scalar(sa.select(DeviceGrant.state))
    assert state == GrantState.PENDING
