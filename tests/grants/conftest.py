"""People of the desk, and a learner they give something to."""

import pytest

from portal.learners.models import Role
from tests.factories.learners import make_learner


@pytest.fixture(autouse=True)
def inside(app, clock):
    """Be inside an application context, by a clock that can be moved."""
    with app.app_context():
        yield


@pytest.fixture
def learner():
    """Who is given something."""
    return make_learner()


@pytest.fixture
def support():
    """Who asks."""
    return make_learner(role=Role.SUPPORT)


@pytest.fixture
def finance():
    """Who approves."""
    return make_learner(role=Role.FINANCE)
