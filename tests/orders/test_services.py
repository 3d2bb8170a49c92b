"""An order moves along its table and nowhere else, whoever asks and whatever they read before."""

import pytest
import sqlalchemy as sa

from portal.kit.db import db, transaction
from portal.orders.models import MOVES, IllegalMove, Order, OrderStatus
from portal.orders.services import move_order

pytestmark = pytest.mark.database

PAIRS = [(source, target) for source in OrderStatus for target in OrderStatus]


@pytest.fixture
def order_in(shop, app):
    """Put an order into a state behind the table's back."""

    def put(status):
        order = shop.order(shop.buyer().buy())
        with app.app_context(), transaction():
            db.session.execute(sa.update(Order).where(Order.id == order.id).values(status=status.value))
        return order

    return put


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[1] in MOVES[pair[0]]])
def test_a_move_of_the_table_is_made_and_counted(order_in, shop, app, source, target):
    order = order_in(source)
    with app.app_context(), transaction():
        move_order(order.id, target)
    moved = shop.order(order.public_id)
    assert (moved.status, moved.version, moved.open_key) == (target, order.version + 1, None)


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[1] not in MOVES[pair[0]]])
def test_any_other_is_refused_and_changes_nothing(order_in, shop, app, source, target):
    order = order_in(source)
    with app.app_context(), pytest.raises(IllegalMove), transaction():
        move_order(order.id, target)
    assert shop.order(order.public_id).status == source
    assert shop.order(order.public_id).version == order.version


def test_what_is_paid_never_becomes_unpaid():
    for source in (OrderStatus.PAID, OrderStatus.COMPLETED):
        assert not MOVES[source] & {
            OrderStatus.PENDING,
            OrderStatus.EXPIRED,
            OrderStatus.CANCELLED,
            OrderStatus.FAILED,
        }
