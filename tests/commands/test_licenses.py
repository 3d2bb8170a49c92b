"""Licenses and payments from the command line."""

import json

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.kit.db import db
from portal.licenses.models import Entitlement, License
from tests.support.shop import COURSE

pytestmark = pytest.mark.database


@pytest.fixture
def run(app):
    """Run a command and return its result."""
    runner = app.test_cli_runner()
    return lambda *words, **options: runner.invoke(args=[*words], **options)


@pytest.fixture
def learner(shop):
    """Somebody with an account."""
    return shop.buyer().learner


@pytest.fixture
def issued(run, learner):
    """A license that was granted."""
    result = run("licenses", "issue", learner.email, COURSE, "--reason", "won a prize", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


class TestIssue:
    def test_it_is_a_grant_on_record(self, app, issued):
        with app.app_context():
            entitlement = db.session.scalars(sa.select(Entitlement)).one()
            audit = db.session.scalars(sa.select(AuditRow).where(AuditRow.action == "license.granted")).one()
        assert (entitlement.grant_reason, entitlement.payment_id) == ("won a prize", None)
        assert audit.actor.startswith("operator:")
        assert json.loads(audit.facts)["license_id"] == issued["id"]

    def test_a_course_is_owned_once(self, run, learner, issued, count):
        again = run("licenses", "issue", learner.email, COURSE, "--reason", "again")
        assert again.exit_code == 2
        assert issued["id"] in again.stderr
        assert count(License) == 1

    @pytest.mark.parametrize(
        ("email", "course", "reason"),
        [
            ("nobody@example.com", COURSE, "a prize"),
            (None, "no-such-course", "a prize"),
            (None, COURSE, "x"),
            (None, COURSE, "<b>bold</b>"),
            (None, COURSE, "two\nlines"),
        ],
    )
    def test_bad_input_is_refused_with_a_sentence(self, run, learner, count, email, course, reason):
        result = run("licenses", "issue", email or learner.email, course, "--reason", reason)
        assert (result.exit_code, count(License), count(Entitlement)) == (2, 0, 0)
        assert result.stderr.strip().endswith((".", "&."))

    def test_without_a_key_nothing_is_granted(self, run, learner, tools, tmp_path, monkeypatch, count):
        monkeypatch.setattr(tools.key_ring, "_directory", tmp_path)
        result = run("licenses", "issue", learner.email, COURSE, "--reason", "a prize")
        assert (result.exit_code, count(Entitlement)) == (1, 0)


class TestRevoke:
    def test_it_is_revoked_once_and_on_record(self, app, run, issued):
        first = run("licenses", "revoke", issued["id"], "--reason", "by mistake", "--json")
        second = run("licenses", "revoke", issued["id"], "--reason", "by mistake", "--json")
        assert [json.loads(one.stdout)["changed"] for one in (first, second)] == [True, False]
        with app.app_context():
            license_ = db.session.scalars(sa.select(License)).one()
            rights = list(db.session.scalars(sa.select(Entitlement.status)))
            audited = db.session.scalars(
                sa.select(AuditRow.facts).where(AuditRow.action == "license.revoked")
            ).one()
        assert (license_.status, license_.revoked_reason, rights) == ("revoked", "by mistake", ["revoked"])
        assert "by mistake" in audited

    @pytest.mark.parametrize("license_id", ["6f1ed002-ab55-4a5c-8e3f-1c9a4c1a9d10", "x", "' OR 1=1"])
    def test_an_unknown_one_is_refused(self, run, license_id):
        result = run("licenses", "revoke", license_id, "--reason", "by mistake")
        assert (result.exit_code, result.stderr) == (2, "There is no such license.\n")

    def test_a_reason_is_needed(self, run, issued):
        assert run("licenses", "revoke", issued["id"]).exit_code == 2


class TestVerify:
    def test_it_reads_a_file_standard_input_or_a_text(self, run, issued, tmp_path):
        file = tmp_path / "license.lic.txt"
        file.write_text(issued["key"] + "\n")
        results = [
            run("licenses", "verify", str(file)),
            run("licenses", "verify", input=issued["key"]),
            run("licenses", "verify", "-", "--course", COURSE, input=issued["key"]),
            run("licenses", "verify", issued["key"]),
        ]
        assert [result.exit_code for result in results] == [0] * 4
        assert all(result.output.startswith("VALID") for result in results)

    def test_it_fails_when_revoked(self, run, issued):
        run("licenses", "revoke", issued["id"], "--reason", "by mistake")
        result = run("licenses", "verify", "--json", input=issued["key"])
        assert (result.exit_code, json.loads(result.stdout)["code"]) == (1, "REVOKED")

    def test_a_file_that_is_not_there_is_bad_input(self, run):
        assert run("licenses", "verify", "/no/such/file").exit_code == 2


class TestQuery:
    def test_it_applies_what_wechat_says(self, run, shop):
        order_id = shop.buyer().buy()
        waiting = json.loads(run("payments", "query", order_id, "--json").stdout)
        shop.pay(order_id)
        paid = json.loads(run("payments", "query", shop.payment(order_id).out_trade_no, "--json").stdout)
        assert (waiting["state"], waiting["order_status"]) == ("pending", "pending")
        assert (paid["verdict"], paid["order_status"]) == ("settled", "completed")
        assert shop.order(order_id).status == "completed"

    @pytest.mark.parametrize("number", ["8k3hq2v9x0m4t7w1c5zr", "x", "../../etc", "号"])
    def test_an_unknown_number_is_refused(self, run, number):
        assert run("payments", "query", number).exit_code == 2

    def test_no_answer_is_no_success(self, run, shop):
        order_id = shop.buyer().buy()
        shop.sandbox.control("POST", "/control/faults", {"route": "query", "kind": "5xx"})
        result = run("payments", "query", order_id)
        assert result.exit_code == 1
        assert "Nothing changed" in result.stderr
