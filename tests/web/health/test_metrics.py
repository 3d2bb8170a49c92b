"""The portal's figures are for whoever knows the token, and are those of the database."""

import dataclasses

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from portal.cases.models import CaseKind
from portal.cases.services import open_case
from portal.doctor import heartbeat
from portal.gateways.health import GatewayHealth
from portal.kit.clock import now
from portal.kit.db import db, transaction

pytestmark = pytest.mark.database

TOKEN = "metrics-token-0123456789"


@pytest.fixture
def published(app, tools, monkeypatch):
    """Set METRICS_TOKEN."""
    settings = tools.settings.model_copy(update={"METRICS_TOKEN": SecretStr(TOKEN)})
    monkeypatch.setitem(app.extensions, "portal_tools", dataclasses.replace(tools, settings=settings))


def read(client, authorization=f"Bearer {TOKEN}"):
    return client.get("/metrics", headers={"Authorization": authorization})


def samples(response):
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_without_the_setting_there_is_no_such_page(client):
    assert read(client).status_code == 404


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, "Bearer é"]
)
def test_another_token_is_refused(published, client, authorization):
    response = read(client, authorization)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "portal_" not in response.text


def test_what_never_happened_has_no_sample(published, client):
    response = read(client)
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = samples(response)
    assert found["portal_outbox_dead"] == 0
    assert found["portal_payments_unknown"] == 0
    assert "portal_worker_silence_seconds" not in found
    assert "portal_reconciliation_age_seconds" not in found


def test_each_figure_is_the_databases(published, client, app, clock):
    with app.app_context():
        heartbeat.beat()
        with transaction():
            open_case(CaseKind.FOREIGN, "one", {})
            open_case(CaseKind.FOREIGN, "two", {})
            db.session.add(GatewayHealth(gateway="wechat_pay", failures=5, opened_at=now()))
    clock.travel(seconds=60)
    found = samples(read(client))
    assert found['portal_cases_open{kind="foreign"}'] == 2
    assert found['portal_gateway_breaker_open_seconds{gateway="wechat_pay"}'] == pytest.approx(60, abs=30)
    assert found["portal_worker_silence_seconds"] == pytest.approx(60, abs=30)


def test_a_database_that_is_away_is_answered_503(published, client, monkeypatch):
    def gone(*_args, **_options):
        raise sa.exc.OperationalError("SELECT 1", None, Exception(2006, "server has gone away"))

    monkeypatch.setattr("sqlalchemy.orm.Session.scalar", gone)
    assert read(client).status_code == 503
