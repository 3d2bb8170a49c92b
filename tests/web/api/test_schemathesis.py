"""Whatever is sent to the API, the answer is one that its description promises (schemathesis, all checks).

Few examples here; for more: `PORTAL_TEST_EXAMPLES=200 pytest tests/web/api/test_schemathesis.py`.
"""

import os
from typing import Any

import pytest
import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.transport.wsgi import WSGITransport

from portal.licenses.models import License
from portal.web.limits import limiter
from tests.support.editors import Editor, editor_of

pytestmark = [pytest.mark.database, pytest.mark.fuzz]

_EXAMPLES = int(os.environ.get("PORTAL_TEST_EXAMPLES", "5"))


@pytest.fixture
def unlimited(app):
    """The API without rate limits: they are tested elsewhere, and would hide all the rest here."""
    limiter.enabled = False
    yield
    limiter.enabled = True


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    """Settings of sockets, which schemathesis 4.32 hands to an app in this process when it looks at tokens."""
    send = WSGITransport.send

    def without(self, case, **options):
        for name in ("max_redirects", "verify", "cert", "proxies"):
            options.pop(name, None)
        return send(self, case, **options)

    monkeypatch.setattr(WSGITransport, "send", without)


@pytest.fixture
def busy_editor(shop) -> Editor:
    """A learner with an open session, a cancelled one and a license."""
    buyer = shop.buyer()
    shop.notify(buyer.buy())
    editor = editor_of(buyer)
    editor.cancel(editor.begin("javascript-complete").get_json()["id"])
    editor.begin("javascript-complete")
    return editor


def _is_by_contract(interaction: Any) -> bool:
    """Tell whether a good request was refused for what happened before it, which no schema can say.

    A key that stood for another body, a course that is free, and a way to pay that a course is not sold by.
    """
    response = interaction.response if interaction is not None else None
    if response is None or response.status_code != 422:
        return False
    return response.json()["code"] in {"idempotency_mismatch", "not_for_sale", "way_not_offered"}


def run(app: Flask, headers: dict[str, str]) -> tuple[int, list[str]]:
    """Run all phases over all operations; return how many requests were sent, and what was found wrong."""
    config = SchemathesisConfig.from_dict(
        {
            "headers": headers,
            "generation": {"max-examples": _EXAMPLES, "deterministic": True, "database": "none"},
            "phases": {"stateful": {"enabled": _EXAMPLES > 50}},
        }
    )
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)
    sent, wrong = 0, []
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            sent += len(event.recorder.interactions)
            for case_id, checks in event.recorder.checks.items():
                case = event.recorder.cases[case_id].value
                if _is_by_contract(event.recorder.interactions.get(case_id)):
                    continue
                wrong += [
                    f"{case.method} {case.path} {check.name}: {check.failure_info.failure}\n{case.as_curl_command()[:600]}"
                    for check in checks
                    if check.failure_info is not None
                ]
        elif isinstance(event, (events.NonFatalError, events.FatalError)):
            wrong.append(str(event))
    return sent, wrong


class TestWhateverIsSent:
    def test_to_a_stranger_the_api_answers_as_described(self, app, unlimited):
        sent, wrong = run(app, {"Accept-Language": "en"})
        assert wrong == []
        assert sent > 100
        print(f"schemathesis: {sent} requests")

    def test_to_a_learner_the_api_answers_as_described(self, app, busy_editor, unlimited, count):
        sent, wrong = run(app, busy_editor.headers)
        assert wrong == []
        assert sent > 100
        assert count(License) == 1
        print(f"schemathesis: {sent} requests")
