"""`flask cases`: what an operator sees and decides."""

import json

import pytest

from portal.audit.models import AuditRow
from portal.cases.models import CaseKind
from portal.cases.services import open_case
from portal.kit.db import transaction

pytestmark = pytest.mark.database


@pytest.fixture
def case_id(app):
    """An open case."""
    with app.app_context(), transaction():
        evidence = {"out_trade_no": "LBT261124000000000000000001"}
        return open_case(CaseKind.UNKNOWN_ORDER, "4200001", evidence, amount_fen=9900, currency="CNY")


@pytest.fixture
def run(app):
    """Run a command; return its exit code and output."""

    def command(*words):
        result = app.test_cli_runner().invoke(args=["cases", *words])
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    return command


def test_open_cases_are_listed(run, case_id):
    status, text = run("list")
    assert status == 0
    assert "unknown_order" in text
    assert "99.00 CNY" in text
    (facts,) = json.loads(run("list", "--json")[1])
    assert (facts["id"], facts["status"], facts["amount_fen"]) == (case_id, "open", 9900)
    assert json.loads(run("list", "--kind", "duplicate", "--json")[1]) == []
    assert json.loads(run("list", "--before", str(case_id), "--json")[1]) == []


def test_one_is_shown_with_its_evidence_and_what_was_said(run, case_id):
    assert run("comment", str(case_id), "asked WeChat")[0] == 0
    status, text = run("show", str(case_id))
    assert status == 0
    assert "LBT261124000000000000000001" in text
    assert "asked WeChat" in text
    facts = json.loads(run("show", str(case_id), "--json")[1])
    assert [event["text"] for event in facts["events"]] == ["asked WeChat"]


def test_one_is_closed_once(run, case_id, count):
    assert run("close", str(case_id), "--reason", "another shop") == (0, f"Case {case_id} is closed.\n")
    status, text = run("close", str(case_id), "--reason", "another shop", "--json")
    assert (status, json.loads(text)["changed"]) == (0, False)
    assert count(AuditRow, AuditRow.action == "case.closed", AuditRow.actor.startswith("operator:")) == 1
    assert json.loads(run("list", "--json")[1]) == []
    assert len(json.loads(run("list", "--state", "all", "--json")[1])) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["show", "999999"],
        ["show", "0"],
        ["show", "-1"],
        ["show", "x"],
        ["show", str(2**64)],
        ["close", "999999", "--reason", "why"],
        ["comment", "999999", "text"],
        ["list", "--kind", "none"],
        ["list", "--state", "none"],
        ["list", "--limit", "0"],
        ["list", "--limit", "100000"],
    ],
    ids=" ".join,
)
def test_bad_input_is_refused(run, case_id, words):
    assert run(*words)[0] == 2


@pytest.mark.parametrize("text", ["", "\0", "x" * 2001])
def test_a_text_that_cannot_be_kept_is_refused(run, case_id, text):
    assert run("close", str(case_id), "--reason", text)[0] == 2
    assert run("comment", str(case_id), text)[0] == 2
    assert json.loads(run("list", "--json")[1])[0]["status"] == "open"
