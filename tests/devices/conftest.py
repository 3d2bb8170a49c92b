"""What the tests of editors share."""

from collections.abc import Iterator

import pytest
from flask import Flask

from portal.learners.models import Learner
from tests.factories.learners import make_learner


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    """The database, for services called directly."""
    with app.app_context():
        yield


@pytest.fixture
def learner() -> Learner:
    return make_learner()
