"""A shop with a course that is sold by transfer."""

import pytest

from tests.support.transfers import TransferDesk


@pytest.fixture
def desk(shop, tools, clock) -> TransferDesk:
    """The people who send, and the people who confirm."""
    made = TransferDesk(shop, tools)
    made.offer()
    return made
