"""Editors that buy."""

import pytest

from tests.support.editors import Editor, editor_of


@pytest.fixture
def buyer(shop):
    """A learner at a browser."""
    return shop.buyer()


@pytest.fixture
def editor(buyer) -> Editor:
    """The learner's editor, which may do everything."""
    return editor_of(buyer)


@pytest.fixture
def stranger(shop) -> Editor:
    """Another learner's editor."""
    return editor_of(shop.buyer())
