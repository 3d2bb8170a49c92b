"""Processes are killed at named points; afterwards the learner has one license for one payment, or nothing.

Each test starts the real portal, worker and sandbox, and compares the sandbox's books with ours (F1 to F4, F10,
F11, F21, F22).
"""

from pathlib import Path

import pytest
import requests

from tests.support.running import RunningShop, eventually, running_shop

pytestmark = [pytest.mark.kill, pytest.mark.database]


@pytest.fixture(scope="module")
def running(tmp_path_factory, database_server):
    """One running shop for the tests of this file."""
    with running_shop(tmp_path_factory.mktemp("shop"), database_server) as started:
        yield started


@pytest.fixture
def shop(running):
    """The shop, empty and whole."""
    running.begin_anew()
    return running


def restart_with(shop: RunningShop, fault: str = "") -> None:
    """Start the portal again with a point armed, or none."""
    shop.portal.kill9()
    shop.portal.restart(PORTAL_FAULT=fault)


def buyer_of(shop: RunningShop):
    """Return somebody who is signed in."""
    visitor = shop.visitor()
    visitor.register("learner@example.com")
    return visitor


def delivered(shop: RunningShop, visitor, order_id: str) -> None:
    """Wait for the license and the mail, then compare the books."""
    eventually(lambda: visitor.state(order_id) == "delivered", "the license on the page")
    eventually(shop.mails, "the mail")
    shop.check_books()


@pytest.mark.parametrize(
    "point", ["order.before_commit", "order.after_commit", "order.after_call", "order.after_store"]
)
def test_killed_while_ordering(shop, point):
    visitor = buyer_of(shop)
    restart_with(shop, f"{point}:kill")
    with pytest.raises(requests.ConnectionError):
        visitor.buy()
    orders = shop.one("SELECT COUNT(*) FROM orders")
    assert orders == (0 if point == "order.before_commit" else 1)
    restart_with(shop)
    order_id = visitor.buy()
    eventually(lambda: visitor.state(order_id) == "awaiting_payment", "the code", 20)
    assert shop.one("SELECT COUNT(*) FROM orders") == 1
    assert shop.one("SELECT COUNT(*) FROM payments") == 1
    number = shop.number_of(order_id)
    assert [book["out_trade_no"] for book in shop.books()] == [number]
    assert shop.books()[0]["code_url"] == shop.one("SELECT code_url FROM payments")
    shop.pay(number)
    delivered(shop, visitor, order_id)


@pytest.mark.parametrize("point", ["notify.before_commit", "license.after_sign", "notify.after_commit"])
def test_killed_while_settling(shop, point):
    visitor = buyer_of(shop)
    order_id = visitor.buy()
    restart_with(shop, f"{point}:kill")
    before = len(shop.portal.log())
    shop.pay(shop.number_of(order_id))
    eventually(lambda: "SIGKILL" in shop.portal.log()[before:], "the worker process to die", 20)
    settled = shop.one("SELECT COUNT(*) FROM licenses")
    assert settled == (1 if point == "notify.after_commit" else 0)
    restart_with(shop)
    delivered(shop, visitor, order_id)


def test_killed_after_the_mail_server_took_the_mail(shop):
    visitor = buyer_of(shop)
    order_id = visitor.buy()
    shop.worker.kill9()
    shop.pay(shop.number_of(order_id))
    eventually(lambda: visitor.state(order_id) == "delivered", "the license on the page")
    shop.worker.env["PORTAL_FAULT"] = "mail.after_send:kill"
    shop.worker.start()
    eventually(shop.mails, "the first mail")
    eventually(lambda: shop.worker.child.exit_code is not None, "the worker to die")
    assert shop.one("SELECT COUNT(*) FROM outbox WHERE kind = 'mail_license' AND status = 'pending'") == 1
    # The lease of the dead worker has to end before another takes the row over.
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET lease_until = created_at")
    shop.worker.restart(PORTAL_FAULT="")
    eventually(
        lambda: shop.one("SELECT COUNT(*) FROM outbox WHERE kind = 'mail_license' AND status = 'done'") == 1,
        "the mail's row to be done",
    )
    shop.check_books()


def test_killed_while_cancelling(shop):
    visitor = buyer_of(shop)
    order_id = visitor.buy()
    restart_with(shop, "close.after_call:kill")
    with pytest.raises(requests.ConnectionError):
        visitor.post(f"/checkout/{order_id}/cancel")
    restart_with(shop)
    eventually(lambda: visitor.state(order_id) == "cancelled", "the order to be cancelled")
    assert shop.books()[0]["state"] == "CLOSED"
    shop.check_books()


def test_a_license_key_that_is_away_delays_the_license_and_nothing_else(shop):
    visitor = buyer_of(shop)
    order_id = visitor.buy()
    (key,) = [path for path in Path(shop.env["LICENSE_KEY_DIR"]).glob("*.pem") if ".pub." not in path.name]
    hidden = key.rename(key.with_suffix(".away"))
    shop.pay(shop.number_of(order_id))
    eventually(lambda: visitor.state(order_id) == "delivering", "the payment on the page")
    assert shop.one("SELECT status FROM orders") == "paid"
    hidden.rename(key)
    delivered(shop, visitor, order_id)


def test_the_whole_portal_killed_at_a_random_moment_of_a_payment(shop):
    """The power is cut right after the learner paid, and nobody heard of it."""
    visitor = buyer_of(shop)
    order_id = visitor.buy()
    number = shop.number_of(order_id)
    shop.portal.kill9()
    shop.worker.kill9()
    shop.pay(number)
    shop.portal.restart()
    shop.worker.restart()
    delivered(shop, visitor, order_id)
