"""Licenses, their verdicts and their revocation, as editors and accounts see them."""

import base64
import json

import pytest

from portal.audit.models import AuditRow
from portal.catalogue.queries import course_of
from portal.doctor.checks import CHECKS
from portal.licenses import text
from portal.licenses.revocations import RevocationList
from portal.payments.rights import grant_course, revoke_license
from tests.support.editors import Editor
from tests.support.shop import COURSE

pytestmark = pytest.mark.database


@pytest.fixture
def owned(editor, shop):
    """A license that was bought, and its session's id."""
    session_id = editor.begin().get_json()["id"]
    shop.notify(session_id)
    return editor.get("/licenses").get_json()["items"][0], session_id


@pytest.fixture
def revoke(app):
    """Revoke a license as an operator."""

    def do(license_id, reason="money back"):
        with app.app_context():
            return revoke_license(license_id, reason, "operator:test")

    return do


@pytest.fixture
def verdict(client):
    """Ask for the verdict on a text."""

    def ask(key, **more):
        response = client.post("/api/v1/licenses/verify", json={"key": key, **more})
        assert response.status_code == 200, response.get_data(as_text=True)
        return response.get_json()

    return ask


def revocations(client, tools):
    """Fetch the list, check its signature, and return its fields."""
    response = client.get("/api/v1/licenses/revocations")
    assert (response.status_code, response.mimetype) == (200, "text/plain")
    fields, signed, signature = text.read(response.get_data(as_text=True))
    info, key = tools.key_ring.public_key(fields["kid"])
    assert text.is_signed_by(key, signed, signature)
    return fields


class TestOwn:
    def test_a_license_is_listed_and_shown(self, editor, owned):
        license_, session_id = owned
        assert (license_["course_id"], license_["status"], license_["order_id"]) == (
            COURSE,
            "active",
            session_id,
        )
        assert editor.get(f"/licenses/{license_['id']}").get_json() == license_

    def test_past_its_end_it_is_expired(self, editor, owned, clock, app, client):
        license_, _session_id = owned
        clock.travel(days=366)
        later = Editor(app, editor.learner)
        assert later.get(f"/licenses/{license_['id']}").get_json()["status"] == "expired"


class TestVerify:
    def test_a_good_text_is_valid(self, verdict, owned):
        license_, _session_id = owned
        answer = verdict(license_["key"], course_id=COURSE)
        assert (answer["valid"], answer["code"]) == (True, "VALID")
        assert answer["license"]["id"] == license_["id"]
        assert answer["checked_at"].endswith("Z")

    def test_for_another_course_it_is_not(self, verdict, owned):
        assert verdict(owned[0]["key"], course_id="python-3rd")["code"] == "COURSE_MISMATCH"

    def test_past_its_end_it_is_expired(self, verdict, owned, clock):
        clock.travel(days=366)
        assert verdict(owned[0]["key"])["code"] == "EXPIRED"

    def test_with_another_signature_it_is_not_ours(self, verdict, owned):
        signed, _, signature = owned[0]["key"].partition("|")
        other = base64.b64encode(bytes(len(base64.b64decode(signature)))).decode()
        assert verdict(f"{signed}|{other}")["code"] == "BAD_SIGNATURE"

    def test_under_an_unknown_key_it_is_not_ours(self, verdict, owned):
        signed, _, signature = owned[0]["key"].partition("|")
        fields = json.loads(base64.b64decode(signed)) | {"kid": "other"}
        changed = base64.b64encode(json.dumps(fields).encode()).decode()
        assert verdict(f"{changed}|{signature}")["code"] == "UNKNOWN_KEY"

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "|",
            "x",
            "a|b",
            "a|b|c",
            "x" * 10_240,
            "e30=|" + "A" * 10_240,
            "许可证|许可证",
            "a\nb|c",
            "bnVsbA==|AA==",
        ],
    )
    def test_whatever_else_it_is_the_answer_has_one_shape(self, verdict, key):
        answer = verdict(key)
        assert set(answer) == {"valid", "code", "license", "checked_at"}
        assert (answer["valid"], answer["license"]) == (False, None)
        assert answer["code"] in {"MALFORMED", "UNKNOWN_KEY"}

    @pytest.mark.parametrize("body", [{}, {"key": 5}, {"key": None}, {"key": "x", "other": 1}, []])
    def test_only_a_call_of_another_form_is_refused(self, client, body):
        assert client.post("/api/v1/licenses/verify", json=body).status_code == 422


class TestPublicKeys:
    def test_they_verify_licenses_and_stay_after_a_rotation(self, client, tools, owned):
        first = client.get("/api/v1/licenses/public-keys")
        etag = first.headers["ETag"]
        same = client.get("/api/v1/licenses/public-keys", headers={"If-None-Match": etag})
        assert same.status_code == 304
        tools.key_ring.rotate()
        keys = client.get("/api/v1/licenses/public-keys", headers={"If-None-Match": etag}).get_json()["keys"]
        assert [key["status"] for key in keys][-2:] == ["verify_only", "active"]
        assert {key["alg"] for key in keys} == {"RS256"}
        assert all("PRIVATE" not in key["pem"] for key in keys)


class TestAStolenKey:
    def test_what_it_signed_is_believed_no_more_and_owners_get_new_licenses(
        self, app, client, editor, verdict, revoke, owned, tools, count
    ):
        license_, _session_id = owned
        stolen, _sign = tools.key_ring.signer()

        def command(name, *words):
            result = app.test_cli_runner().invoke(
                args=["license-keys", name, stolen, *words, "--reason", "stolen", "--json"]
            )
            return result.exit_code, json.loads(result.stdout)

        def published():
            keys = client.get("/api/v1/licenses/public-keys").get_json()["keys"]
            return {key["kid"]: key["status"] for key in keys}[stolen]

        assert command("revoke")[0] == 2, "it signs now"
        tools.key_ring.rotate()
        refused = command("revoke")
        assert (refused[0], published(), count(AuditRow, AuditRow.action == "license_key.revoked")) == (
            1,
            "verify_only",
            0,
        )
        assert ": 1. Nobody" in refused[1]["error"]

        told = {"kid": stolen, "revoked": True, "changed": True, "licenses": 1}
        assert command("revoke", "--anyway") == (0, told)
        assert command("revoke", "--anyway") == (0, {**told, "changed": False})
        assert (published(), verdict(license_["key"])["code"]) == ("revoked", "REVOKED")
        assert count(AuditRow, AuditRow.subject == f"license_key:{stolen}") == 1
        with app.app_context():
            assert any("reissue" in problem for problem in CHECKS["license keys"](tools))

        assert [command("reissue") for _ in range(2)] == [
            (0, {"kid": stolen, "reissued": 1}),
            (0, {"kid": stolen, "reissued": 0}),
        ]
        new, old = editor.get("/licenses").get_json()["items"]
        assert (verdict(new["key"])["code"], old["status"]) == ("VALID", "superseded")
        assert revocations(client, tools)["revoked"] == [], "its key says it"
        revoke(new["id"])
        assert [one["id"] for one in revocations(client, tools)["revoked"]] == [new["id"]]


class TestRevocation:
    def test_everybody_knows_at_once(self, client, editor, buyer, verdict, revoke, owned, tools):
        license_, session_id = owned
        etag = editor.session(session_id).headers["ETag"]
        assert revoke(license_["id"]) is True
        assert verdict(license_["key"])["code"] == "REVOKED"
        mine = editor.get(f"/licenses/{license_['id']}").get_json()
        assert (mine["status"], mine["key"]) == ("revoked", None)
        told = editor.session(session_id, **{"If-None-Match": etag}).get_json()
        assert (told["status"], told["license"]) == ("completed", None)
        assert "revoked" in told["message"]
        assert client.get(f"/licenses/{license_['key']}").status_code == 404
        assert "was revoked" in buyer.get(f"/account/licenses/{license_['id']}").get_data(as_text=True)
        assert "was revoked" in buyer.get(f"/checkout/{session_id}").get_data(as_text=True)
        listed = revocations(client, tools)["revoked"]
        assert [(one["id"], one["reason"]) for one in listed] == [(license_["id"], "money back")]

    def test_the_course_can_be_bought_again(self, editor, shop, revoke, owned):
        revoke(owned[0]["id"])
        again = editor.begin()
        assert again.status_code == 201
        shop.notify(again.get_json()["id"])
        assert [one["status"] for one in editor.get("/licenses").get_json()["items"]] == ["active", "revoked"]

    def test_a_second_time_changes_nothing(self, revoke, owned):
        assert (revoke(owned[0]["id"]), revoke(owned[0]["id"], "again")) == (True, False)

    def test_the_list_is_signed_anew_when_it_changes_or_is_half_old(
        self, client, tools, revoke, owned, clock
    ):
        first = client.get("/api/v1/licenses/revocations")
        etag = first.headers["ETag"]
        unchanged = client.get("/api/v1/licenses/revocations", headers={"If-None-Match": etag})
        assert unchanged.status_code == 304
        revoke(owned[0]["id"])
        changed = client.get("/api/v1/licenses/revocations", headers={"If-None-Match": etag})
        assert changed.status_code == 200
        before = revocations(client, tools)
        clock.travel(minutes=31)
        after = revocations(client, tools)
        assert after["revoked"] == before["revoked"]
        assert before["issuedAt"] < after["issuedAt"] < before["nextUpdate"] < after["nextUpdate"]

    def test_past_its_end_a_license_leaves_the_list_which_still_only_gets_newer(
        self, client, tools, revoke, owned, editor, shop, clock
    ):
        revoke(owned[0]["id"], "a reason that is long " * 9)
        listed = revocations(client, tools)["revoked"]
        assert [(one["id"], len(one["reason"])) for one in listed] == [(owned[0]["id"], 80)]
        shop.notify(editor.begin().get_json()["id"])
        second = editor.get("/licenses").get_json()["items"][0]
        clock.travel(days=366)
        before = revocations(client, tools)
        assert before["revoked"] == []
        clock.travel(seconds=1)
        revoke(second["id"], "too late to matter")
        after = revocations(client, tools)
        assert after["revoked"] == []
        assert before["issuedAt"] < after["issuedAt"] < after["nextUpdate"]

    def test_two_processes_sign_the_same_list(self, app, client, tools, revoke, owned):
        revoke(owned[0]["id"])
        with app.app_context():
            other = RevocationList(tools.key_ring).text()
        assert client.get("/api/v1/licenses/revocations").get_data(as_text=True) == other

    def test_without_a_signing_key_the_list_is_away_for_a_while(self, client, tools, tmp_path, monkeypatch):
        monkeypatch.setattr(tools.key_ring, "_directory", tmp_path)
        response = client.get("/api/v1/licenses/revocations")
        assert (response.status_code, response.get_json()["code"]) == (503, "unavailable")
        assert response.headers["Retry-After"]


def test_a_granted_license_is_as_good_as_a_bought_one(app, editor, verdict, tools):
    with app.app_context():
        made = grant_course(editor.learner, course_of(COURSE), "won a prize", "operator:test", tools)
        license_text = made.text
    assert verdict(license_text, course_id=COURSE)["valid"] is True
    listed = editor.get("/licenses").get_json()["items"][0]
    assert (listed["order_id"], listed["key"]) == (None, license_text)
    assert editor.begin().get_json()["code"] == "already_owned"


def test_what_was_granted_is_not_mailed_as_a_receipt(app, editor, buyer, tools):
    with app.app_context():
        license_id = grant_course(editor.learner, course_of(COURSE), "won a prize", "operator:test", tools).id
    assert "Send it again" not in buyer.get(f"/account/licenses/{license_id}").get_data(as_text=True)
    assert buyer.post(f"/account/licenses/{license_id}/resend").status_code == 409
