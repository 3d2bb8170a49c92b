"""The doctor looks at what the portal stands on, and its command says what is wrong."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from flask_migrate import stamp

from portal.audit.models import AuditRow
from portal.cases.models import CaseKind
from portal.cases.services import open_case, resolve_case
from portal.doctor import database, heartbeat
from portal.doctor.checks import CHECKS
from portal.doctor.examination import examine_surroundings
from portal.doctor.models import Heartbeat
from portal.gateways.health import GatewayHealth
from portal.kit.clock import now
from portal.kit.db import db, transaction
from portal.licenses.models import License
from portal.outbox import services as outbox
from tests.support import databases
from tests.support.keys import active_key_file, certificate_pem

pytestmark = pytest.mark.database


@pytest.fixture
def inside(app, clock):
    """Be inside the portal, with a worker that has just given a sign of life."""
    with app.app_context():
        heartbeat.beat()
        yield


def problems(tools, check=None):
    found = examine_surroundings(tools)
    return [finding.problem for finding in found if check is None or finding.check == check]


def run(app, *words):
    return app.test_cli_runner().invoke(args=["doctor", *words])


class TestSurroundings:
    def test_a_good_portal_has_no_problems(self, inside, tools):
        assert problems(tools) == []

    def test_a_worker_that_never_ran(self, app, clock, tools):
        with app.app_context():
            assert "never run" in problems(tools, "worker")[0]

    def test_a_worker_that_fell_silent(self, inside, tools, clock):
        clock.travel(seconds=100)
        assert problems(tools, "worker") == []
        clock.travel(seconds=60)
        assert "no sign of life" in problems(tools, "worker")[0]
        heartbeat.beat()
        assert problems(tools, "worker") == []

    def test_a_sweep_is_a_sign_of_life(self, shop, count):
        shop.work()
        assert count(Heartbeat) == 1

    def test_work_that_is_late(self, inside, tools, clock):
        with transaction():
            outbox.add("watch_payment", "watch_payment:0", 0)
        clock.travel(minutes=4)
        heartbeat.beat()
        assert problems(tools) == []
        clock.travel(minutes=2)
        assert "late" in problems(tools, "outbox")[0]

    def test_work_that_was_given_up(self, inside, tools):
        with transaction():
            case_id = open_case(CaseKind.DEAD_LETTER, "watch_payment:0", {})
        assert "1 pieces of work were given up" in problems(tools, "outbox")[0]
        with transaction():
            resolve_case(case_id, "looked at")
        assert problems(tools, "outbox") == []

    def test_a_breaker_that_stays_open(self, inside, tools, clock):
        with transaction():
            db.session.add(GatewayHealth(gateway="wechat_pay", failures=5, opened_at=now()))
        clock.travel(seconds=100)
        assert problems(tools, "breaker") == []
        clock.travel(seconds=30)
        assert "wechat_pay" in problems(tools, "breaker")[0]

    def test_days_that_nobody_reconciles(self, shop, inside, tools, clock):
        shop.buyer().buy()
        clock.travel(hours=47)
        assert problems(tools, "reconciliation") == []
        clock.travel(hours=2)
        assert problems(tools, "reconciliation") == ["no day has been reconciled for 2 days"]

    def test_a_license_key_that_is_away(self, inside, tools):
        key = active_key_file(tools.key_ring)
        hidden = key.rename(key.with_suffix(".away"))
        try:
            assert "no license can be signed" in problems(tools, "signing key")[0]
        finally:
            hidden.rename(key)
        assert problems(tools) == []

    @pytest.mark.parametrize(
        ("days", "told"), [(31, []), (30, ["it ends in 29 days"]), (0, ["it has ended"])]
    )
    def test_a_merchants_certificate_that_ends(self, inside, tools, days, told, clock):
        settings = tools.settings
        key = load_pem_private_key(settings.WECHATPAY_PRIVATE_KEY.get_secret_value().encode(), None)
        assert isinstance(key, RSAPrivateKey)
        text = certificate_pem(key, settings.WECHATPAY_CERT_SERIAL_NO, max(days, 1))
        clock.travel(days=2 if days == 0 else 0, seconds=5)
        named = replace(tools, settings=settings.model_copy(update={"WECHATPAY_CERT": text}))
        found = CHECKS["merchant certificate"](named)
        assert [problem.partition(":")[0] for problem in found] == told

    def test_a_license_key_that_others_may_read(self, inside, tools):
        key = active_key_file(tools.key_ring)
        key.chmod(0o444)
        try:
            assert key.name in problems(tools, "settings")[0]
        finally:
            key.chmod(0o400)

    def test_a_license_key_in_use_for_more_than_a_year(self, inside, tools, clock):
        clock.travel(days=366)
        assert "rotate it" in problems(tools, "signing key")[0]

    def test_a_license_that_does_not_verify(self, shop, inside, tools, app):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        shop.notify(order_id)
        assert problems(tools, "license keys") == []
        with transaction():
            db.session.execute(sa.update(License).values(kid="lb-unheard-of", text="x|y"))
        assert len(problems(tools, "license keys")) == 2

    def test_our_signature_refused_by_the_gateway(self, inside, tools, sandbox):
        fault = {"route": "query", "kind": "error", "status": 401, "code": "SIGN_ERROR", "message": "no"}
        sandbox.control("POST", "/control/faults", fault)
        assert problems(tools, "gateways") == ["wechat_pay does not take a signed call: 401 SIGNERROR"]

    def test_a_clock_that_is_off(self, inside, tools, sandbox, clock):
        sandbox.control("POST", "/control/clock", {"offset": 90})
        (problem,) = problems(tools, "gateways")
        assert "apart" in problem

    def test_an_audit_row_changed_behind_our_back(self, shop, inside, tools):
        shop.buyer().buy()
        shop.work()
        with transaction() as session, databases.all_unguarded(session.connection()):
            session.execute(sa.update(AuditRow).where(AuditRow.seq == 1).values(facts="{}", actor="nobody"))
        assert problems(tools, "audit chain") == ["the audit chain is broken at row 1"]

    def test_an_audit_whose_newest_rows_were_cut_off(self, shop, inside, tools):
        shop.buyer().buy()
        shop.work(2)
        with transaction() as session, databases.all_unguarded(session.connection()):
            session.execute(sa.delete(AuditRow))
        (problem,) = problems(tools, "audit chain")
        assert "rows were cut off" in problem

    def test_a_schema_that_is_behind(self, inside, tools):
        stamp(revision="0001_create_learners")
        try:
            assert "run db upgrade" in problems(tools, "schema")[0]
        finally:
            stamp(revision="head")


class TestDatabase:
    def test_our_own_connections_are_as_they_must_be(self, inside):
        assert database.settings_problems() == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("sql_mode", "ONLY_FULL_GROUP_BY"),
            ("time_zone", "SYSTEM"),
            ("transaction_isolation", "REPEATABLE-READ"),
            ("innodb_flush_log_at_trx_commit", "2"),
            ("sync_binlog", "0"),
        ],
    )
    def test_a_server_setting_that_is_not_is_named(self, name, value):
        good = {
            "sql_mode": "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO",
            "time_zone": "+00:00",
            "transaction_isolation": "READ-COMMITTED",
            "innodb_flush_log_at_trx_commit": "1",
            "log_bin": "ON",
            "sync_binlog": "1",
        }
        assert database.judge_variables(good) == []
        found = database.judge_variables(good | {name: value})
        assert found
        assert all(name in problem or problem.startswith("isolation") for problem in found)

    def test_an_sqlite_setting_that_is_not_is_named(self, inside, monkeypatch):
        if db.engine.dialect.name == "sqlite":
            monkeypatch.setitem(database._SQLITE, "synchronous", "3")
            assert database.settings_problems() == ["synchronous is 2, not 3"]


class TestCommand:
    def test_a_good_portal_ends_with_0(self, app, shop):
        shop.work()
        result = run(app)
        assert result.exit_code == 0, result.output
        assert result.output.startswith("All is well")

    def test_a_breach_ends_with_1_and_names_its_rows(self, app, shop):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        shop.notify(order_id)
        shop.work()
        with app.app_context(), transaction() as session, databases.all_unguarded(session.connection()):
            session.execute(sa.text("DELETE FROM ledger_entries"))
        result = run(app)
        assert result.exit_code == 1
        assert shop.payment(order_id).out_trade_no in result.output
        as_json = json.loads(run(app, "--json").output)
        assert as_json["well"] is False
        found = {finding["check"]: finding["ids"] for finding in as_json["findings"]}
        assert found == {
            "I4 payments_are_booked": [shop.payment(order_id).out_trade_no],
            "I4 accounts_hold_payments_less_refunds": ["gateway:wechat_pay"],
        }

    def test_a_database_that_does_not_answer_ends_with_2(self, app, monkeypatch):
        def gone(*_args, **_options):
            raise sa.exc.OperationalError("SELECT 1", None, Exception(2006, "server has gone away"))

        monkeypatch.setattr("sqlalchemy.orm.Session.execute", gone)
        monkeypatch.setattr("sqlalchemy.orm.Session.scalar", gone)
        result = run(app)
        assert result.exit_code == 2
        assert "does not answer" in result.output


def test_a_heartbeat_is_one_row(inside, count, clock):
    clock.travel(seconds=5)
    heartbeat.beat()
    assert count(Heartbeat) == 1
    clock.travel(seconds=3)
    silence = heartbeat.silence()
    assert silence is not None
    assert abs(silence - timedelta(seconds=3)) < timedelta(seconds=1)
