"""`flask disputes`: what scripts are told, and what is changed at the gateway."""

import json

import pytest

from portal.outbox.models import Job
from tests.support.complaints import Complaints

pytestmark = pytest.mark.database


@pytest.fixture
def run(app):
    """Run the command; return its exit code and what it printed for scripts."""

    def command(*words):
        result = app.test_cli_runner().invoke(args=["disputes", *words, "--json"])
        assert "Traceback" not in result.output
        return result.exit_code, json.loads(result.stdout)

    return command


def test_sync_plans_one_look_an_hour(run, count, clock):
    assert run("sync") == (0, {"planned": True})
    assert run("sync") == (0, {"planned": False})
    assert count(Job, Job.kind == "sync_disputes") == 1
    clock.travel(hours=1)
    assert run("sync") == (0, {"planned": True})


def test_notify_url_takes_the_place_of_another(app, run, tools, sandbox):
    ours = f"{tools.settings.PORTAL_BASE_URL}/notify/wechat"
    with app.app_context():
        tools.gateway("wechat_pay").complaints.set_notify_url("https://other.example/x", is_first=True)
    facts = {"gateway": "wechat_pay", "url": ours, "before": "https://other.example/x"}
    assert run("notify-url") == (0, facts)
    assert run("notify-url") == (0, {**facts, "before": ours})


def test_notify_url_without_an_answer_ends_with_1(app, shop, sandbox):
    Complaints(app, shop, sandbox).fault("complaint_url", "5xx")
    result = app.test_cli_runner().invoke(args=["disputes", "notify-url"])
    assert result.exit_code == 1
    assert "No answer that can be believed" in result.output
