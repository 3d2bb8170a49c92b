"""A learner's editor: the API with a bearer token."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from portal.devices import tokens
from portal.kit import ids
from portal.learners.models import Learner
from tests.support.shop import COURSE, Buyer


@dataclass
class Editor:
    """Calls the API as one learner; `scope` empty means all."""

    app: Flask
    learner: Learner
    scope: str = ""
    language: str = "en"
    token: str = field(init=False)

    def __post_init__(self) -> None:
        with self.app.app_context():
            issued = tokens.create_token(
                self.learner, self.scope, timedelta(days=30), "operator:test", "Test"
            )
        self.token = issued.access_token

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}", "Accept-Language": self.language}

    def get(self, path: str, **headers: str) -> TestResponse:
        """Ask for a path below `/api/v1`."""
        return self.app.test_client().get(f"/api/v1{path}", headers=self.headers | headers)

    def post(self, path: str, body: Any, **headers: str) -> TestResponse:
        """Send a body to a path below `/api/v1`."""
        return self.app.test_client().post(f"/api/v1{path}", json=body, headers=self.headers | headers)

    def begin(
        self, product_id: str = COURSE, key: str | None = None, body: dict[str, Any] | None = None
    ) -> TestResponse:
        """Open a session."""
        body = body or {"product_id": product_id, "payment_method": "wechat_pay"}
        return self.post("/payments/sessions", body, **{"Idempotency-Key": key or ids.new_public_id()})

    def session(self, session_id: str, **headers: str) -> TestResponse:
        """Ask for a session."""
        return self.get(f"/payments/sessions/{session_id}", **headers)

    def cancel(self, session_id: str, reason: str = "changed my mind") -> TestResponse:
        """Cancel a session."""
        return self.post("/payments/cancel", {"session_id": session_id, "reason": reason})


def editor_of(buyer: Buyer, scope: str = "", language: str = "en") -> Editor:
    """Connect an editor of the buyer's."""
    return Editor(buyer.app, buyer.learner, scope, language)
