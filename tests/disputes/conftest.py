"""What tests of disputes share."""

import pytest

from tests.support.complaints import Complaints


@pytest.fixture
def complaints(app, shop, sandbox) -> Complaints:
    """Complaints, with the shop around them."""
    return Complaints(app, shop, sandbox)
