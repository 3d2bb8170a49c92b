"""Editors for tests."""

from datetime import timedelta

from portal.devices import tokens
from portal.devices.models import Scope
from portal.devices.tokens import Issued
from portal.learners.models import Learner


def make_token(learner: Learner, *scopes: Scope | str, lifetime: timedelta = timedelta(hours=1)) -> Issued:
    """Make an access token of a learner, with all scopes unless told; call inside an application context."""
    return tokens.create_token(learner, " ".join(scopes), lifetime, "test", "Test editor")
