"""What the API refuses, and in which form: bad input, bad tokens, another's things, too many calls."""

import json

import pytest

from portal.config import ROOT
from portal.kit import ids
from portal.orders.models import Order
from portal.web.problems import PROBLEMS
from tests.support.shop import COURSE

pytestmark = pytest.mark.database

GOOD = {"product_id": COURSE, "payment_method": "wechat_pay"}


def post(app, editor, body, path="/payments/sessions", **headers):
    """Send raw bytes."""
    given = {"Content-Type": "application/json", "Idempotency-Key": ids.new_public_id()}
    return app.test_client().post(f"/api/v1{path}", data=body, headers=editor.headers | given | headers)


def nested(levels):
    """Return JSON of so many levels."""
    return ('{"product_id":' * levels + "1" + "}" * levels).encode()


class TestProblems:
    def test_an_error_is_a_problem_with_a_stable_code(self, editor):
        response = editor.get("/payments/sessions/unknown")
        problem = response.get_json()
        assert response.content_type == "application/problem+json"
        assert set(problem) == {"type", "title", "status", "detail", "code", "request_id"}
        assert (problem["status"], problem["code"]) == (404, "not_found")
        assert problem["type"].endswith("/api/docs#not_found")
        assert problem["request_id"] == response.headers["X-Request-ID"]
        assert response.headers["Cache-Control"] == "no-store"

    def test_pages_stay_pages(self, client):
        for path in ("/nothing-here", "/courses/nothing-here"):
            response = client.get(path)
            assert (response.status_code, response.mimetype) == (404, "text/html")

    @pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/", "/api/v2/courses", "/api/v1/courses/"])
    def test_an_address_that_is_none_is_a_problem_too(self, client, path):
        response = client.get(path, headers={"Accept": "text/html"})
        assert (response.status_code, response.content_type) == (404, "application/problem+json")

    def test_another_method_is_told_which_would_do(self, client):
        response = client.delete("/api/v1/courses")
        assert (response.status_code, response.get_json()["code"]) == (405, "method_not_allowed")
        assert "GET" in response.headers["Allow"]

    def test_a_failure_of_ours_tells_nothing(self, app, editor, monkeypatch):
        def breaks(*_arguments):
            raise RuntimeError("secret")

        monkeypatch.setattr("portal.web.api.v1.me.written", breaks)
        response = editor.get("/me")
        assert (response.status_code, response.get_json()["code"]) == (500, "internal")
        assert "secret" not in response.get_data(as_text=True)

    def test_every_code_is_in_the_manual(self):
        text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
        for code, problem in PROBLEMS.items():
            assert f"| `{code}` | {problem.status} |" in text


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            '{"product_id": "a"}'.encode("utf-16"),
            b'{"product_id": "a", "product_id": "b"}',
            b'{"product_id": NaN}',
            b'{"product_id": Infinity}',
            b'{"product_id": 9007199254740993}',
            b'{"product_id": "\\ud800"}',
            b'{"product_id": "\\u0000"}',
            nested(33),
            nested(20_000 // 16),
            b'{"product_id": "\xff"}',
        ],
    )
    def test_what_is_not_json_as_everybody_reads_it_is_refused(self, app, editor, body, count):
        response = post(app, editor, body)
        assert (response.status_code, response.get_json()["code"]) == (400, "bad_json")
        assert count(Order) == 0

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ([], ""),
            ("text", ""),
            (None, ""),
            ({}, "product_id"),
            (GOOD | {"price": 1}, "price"),
            (GOOD | {"amount": 1}, "amount"),
            (GOOD | {"status": "completed"}, "status"),
            (GOOD | {"product_id": 0}, "product_id"),
            (GOOD | {"product_id": True}, "product_id"),
            (GOOD | {"product_id": None}, "product_id"),
            (GOOD | {"product_id": [COURSE]}, "product_id"),
            (GOOD | {"product_id": {"id": COURSE}}, "product_id"),
            (GOOD | {"product_id": COURSE + "\n"}, "product_id"),
            (GOOD | {"product_id": "x" * 201}, "product_id"),
            (GOOD | {"payment_method": "gold"}, "payment_method"),
            (GOOD | {"payment_method": ["wechat_pay"]}, "payment_method"),
        ],
    )
    def test_a_wrong_field_is_named(self, app, editor, body, field, count):
        response = post(app, editor, json.dumps(body).encode())
        assert (response.status_code, response.get_json()["code"]) == (422, "validation_failed")
        assert field in {error["field"] for error in response.get_json()["errors"]}
        assert count(Order) == 0

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/json; charset=latin-1"},
            {"Content-Type": "application/x-www-form-urlencoded"},
            {"Content-Encoding": "gzip"},
        ],
    )
    def test_a_body_of_another_kind_is_refused(self, app, editor, headers):
        response = post(app, editor, json.dumps(GOOD).encode(), **headers)
        assert (response.status_code, response.get_json()["code"]) == (415, "unsupported_media_type")

    @pytest.mark.parametrize("size", [64 * 1024 + 1, 300 * 1024])
    def test_a_body_beyond_64_kib_is_refused(self, app, editor, size):
        response = post(app, editor, b" " * size)
        assert (response.status_code, response.get_json()["code"]) == (413, "payload_too_large")


class TestQueries:
    @pytest.mark.parametrize(
        "query",
        [
            "page=0", "page=-1", "page=1.0", "page=1e2", "page=01", "page=%2B1", "page=", "page=1_0",
            "page=%EF%BC%91", "page=1000000000", "page=1&page=2", "limit=0", "limit=101", "limit=1000000000",
            "sort=created_at", "type=gift", "status=owned", "status=", "date_from=2026-13-01",
            "date_from=2026-1-1", "date_from=20261101", "date_from=yesterday", "date_to=2026-11-01T00:00:00Z",
            "date_to=2026-W01-1",
        ],
    )  # fmt: skip
    def test_a_list_takes_only_what_it_knows(self, editor, query):
        response = editor.get(f"/payments/transactions?{query}")
        assert (response.status_code, response.get_json()["code"]) == (422, "validation_failed")
        assert response.get_json()["errors"][0]["field"] == query.partition("=")[0]

    @pytest.mark.parametrize(
        "query", ["q=%00", "q=a%0Ab", "q=%E2%80%AEx", "q=" + "x" * 201, "u=1", "q=a&q=b"]
    )
    def test_a_search_is_one_line(self, client, query):
        assert client.get(f"/api/v1/courses?{query}").status_code == 422

    def test_an_address_that_is_not_utf_8_cannot_be_read(self, client):
        response = client.get("/api/v1/courses?q=%ff")
        assert (response.status_code, response.get_json()["code"]) == (400, "bad_request")


class TestTokens:
    @pytest.mark.parametrize(
        "authorization",
        [
            "Bearer",
            "Bearer ",
            "Bearer x",
            "Basic bGVhcm5lcjpwYXNz",
            "Bearer " + "x" * 43,
            "Bearer a b",
            "Bearer \u00e9",
        ],
    )
    @pytest.mark.parametrize("path", ["/me", "/courses", "/licenses/public-keys"])
    def test_one_that_is_no_good_is_refused_everywhere(self, client, authorization, path):
        response = client.get(
            f"/api/v1{path}", headers={"Authorization": authorization.encode().decode("latin-1")}
        )
        assert (response.status_code, response.get_json()["code"]) == (401, "unauthenticated")
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("get", "/me"),
            ("get", "/licenses"),
            ("get", "/licenses/6f1ed002-ab55-4a5c-8e3f-1c9a4c1a9d10"),
            ("get", "/payments/transactions"),
            ("get", "/payments/sessions/8k3hq2v9x0m4t7w1c5zr"),
            ("post", "/payments/sessions"),
            ("post", "/payments/cancel"),
        ],
    )
    def test_a_cookie_is_none(self, buyer, method, path):
        response = getattr(buyer.client, method)(f"/api/v1{path}", headers={"Accept": "text/html"})
        assert (response.status_code, response.get_json()["code"]) == (401, "unauthenticated")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("name", ["access_token", "token"])
    @pytest.mark.parametrize("path", ["/me", "/courses"])
    def test_one_in_the_address_is_refused_even_when_it_is_good(self, editor, client, name, path):
        assert client.get(f"/api/v1{path}?{name}={editor.token}").status_code == 401
        assert editor.get(f"{path}?{name}={editor.token}").status_code == 401

    def test_one_that_expired_is_refused(self, editor, clock):
        clock.travel(days=31)
        assert editor.get("/me").status_code == 401

    def test_a_cookie_changes_nothing_for_a_token(self, editor, stranger, shop):
        other = shop.buyer()
        mine = other.client.get("/api/v1/me", headers=editor.headers).get_json()
        assert mine["id"] == editor.learner.public_id


class TestAnothers:
    @pytest.fixture
    def owned(self, editor, shop):
        """A session and a license of somebody else."""
        session_id = editor.begin().get_json()["id"]
        shop.notify(session_id)
        etag = editor.session(session_id).headers["ETag"]
        return session_id, editor.get("/licenses").get_json()["items"][0]["id"], etag

    @staticmethod
    def shape(response):
        """Return an answer without what differs between any two."""
        problem = response.get_json() or {}
        return response.status_code, {name: problem[name] for name in problem if name != "request_id"}

    def test_it_is_as_absent_as_what_never_was(self, app, stranger, owned):
        session_id, license_id, etag = owned
        nothing = self.shape(stranger.session("0" * 20))
        assert nothing[0] == 404
        asked = [
            stranger.session(session_id),
            stranger.session(session_id, **{"If-None-Match": etag}),
            stranger.session(session_id, **{"If-None-Match": "*"}),
            stranger.cancel(session_id),
            stranger.cancel("0" * 20),
            stranger.get(f"/licenses/{license_id}"),
            stranger.get(f"/licenses/{license_id}", **{"If-None-Match": "*"}),
            stranger.get("/licenses/00000000-0000-0000-0000-000000000000"),
        ]
        assert [self.shape(response) for response in asked] == [nothing] * len(asked)
        heads = [f"/api/v1/payments/sessions/{session_id}", f"/api/v1/licenses/{license_id}"]
        for path in heads:
            assert app.test_client().head(path, headers=stranger.headers).status_code == 404

    def test_and_stays_untouched(self, editor, stranger, owned):
        stranger.cancel(owned[0])
        assert editor.session(owned[0]).get_json()["status"] == "completed"

    def test_it_is_in_no_list(self, stranger, owned):
        assert stranger.get("/licenses").get_json() == {"items": []}
        assert stranger.get("/payments/transactions").get_json()["total"] == 0

    @pytest.mark.parametrize(
        "change",
        [str.upper, lambda text: text + "%00", lambda text: text + "%20", lambda text: text + "%0a",
         lambda text: text + ".json", lambda text: f"%2e%2f{text}", lambda text: text.replace("0", "%EF%BC%90") + "%EF%BC%90",
         lambda text: text + "%ff", lambda text: text[:-1], lambda text: text + "'--", lambda text: f"{text}%2f"],
    )  # fmt: skip
    def test_ones_own_in_an_odd_spelling_is_not_found_either(self, editor, owned, change):
        session_id, license_id, _etag = owned
        nothing = self.shape(editor.session("0" * 20))
        for path in (f"/payments/sessions/{change(session_id)}", f"/licenses/{change(license_id)}"):
            assert self.shape(editor.get(path)) == nothing
