"""F32: the disk is full. What writes is 503, pages stay, and all goes on by itself once there is room."""

import os

import pytest
import sqlalchemy as sa
from flask_migrate import upgrade

from portal.app import create_app
from portal.catalogue import loading
from portal.config import ROOT, load_settings
from portal.kit.db import db
from portal.licenses.models import License
from tests.support import databases
from tests.support.processes import portal_environment
from tests.support.rest import come_to_rest
from tests.support.shop import Shop

pytestmark = pytest.mark.database
# All tables in one file that must not grow: MariaDB and MySQL answer 1114 then, as on a disk without room.
_ONE_FILE = "--innodb-file-per-table=0"
_SMALL, _LARGE = (f"--innodb-data-file-path=ibdata1:12M:autoextend{most}" for most in (":max:64M", ""))
_FULL = 1114


@pytest.fixture
def small_server():
    """A server with little room."""
    if databases.wanted_kind() == "sqlite":
        pytest.skip("SQLite has a test of its own")
    with databases.database_server(own=True, options=(_ONE_FILE, _SMALL)) as server:
        yield server


@pytest.fixture
def small_shop(small_server, session_sandbox, sandbox, clock, tmp_path):
    """A shop on that server."""
    url = databases.new_database(small_server)
    app = create_app(load_settings(portal_environment(tmp_path / "var", url, session_sandbox)))
    with app.app_context():
        upgrade()
        app.extensions["portal_tools"].key_ring.rotate()
        loading.load((ROOT / "portal/catalogue/demo.yaml").read_text(encoding="utf-8"))
    yield Shop(app, sandbox)
    with app.app_context():
        db.engine.dispose()


def fill(app):
    """Leave no room: in large pieces first, then in small ones."""
    with app.app_context(), db.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE ballast (piece LONGBLOB)")
        for size in (1_000_000, 100_000, 10_000, 1_000):
            try:
                while True:
                    connection.exec_driver_sql(f"INSERT INTO ballast VALUES (REPEAT('x', {size}))")
            except sa.exc.OperationalError as error:
                assert error.orig.args[0] == _FULL  # noqa: PT017


def is_full(shop, order_id):
    """Send news that changes nothing and is kept, until it cannot be kept."""
    for _ in range(300):
        answer = shop.notify(order_id, mutate={"trade_state": "NOTPAY"}, new_event_id=True)
        if answer.status_code != 200:
            return answer.status_code == 503
    return False


def test_a_full_disk_stops_what_writes_and_nothing_else(shop, app, clock, count):
    with app.app_context():
        engine = db.engine
    if engine.dialect.name != "sqlite":
        pytest.skip("servers have the test below")
    pages = [1]  # SQLite takes the present size for it

    def limit(connection, _record, _proxy) -> None:
        connection.execute(f"PRAGMA max_page_count={pages[0]}")

    buyer = shop.buyer()
    order_id = buyer.buy()
    sa.event.listen(engine, "checkout", limit)
    try:
        assert is_full(shop, order_id)
        shop.pay(order_id)
        assert shop.notify(order_id).status_code == 503
        assert buyer.get(f"/checkout/{order_id}").status_code == 200
        pages[0] = 2**30
        assert shop.notify(order_id).status_code == 200
        come_to_rest(shop, clock)
    finally:
        sa.event.remove(engine, "checkout", limit)
    assert buyer.state(order_id) == "delivered"
    assert count(License) == 1
    assert not shop.differences()


@pytest.mark.skipif(not os.environ.get("PROVE"), reason="for make prove: it takes a server of its own")
def test_so_does_a_full_tablespace(small_server, small_shop, clock):
    app = small_shop.app
    buyer = small_shop.buyer()
    order_id = buyer.buy()
    fill(app)
    assert is_full(small_shop, order_id)
    small_shop.pay(order_id)
    # The tables' last pages may just have room for it: it is kept whole, or not at all.
    assert small_shop.notify(order_id).status_code in {200, 503}
    assert buyer.get(f"/checkout/{order_id}").status_code == 200
    databases.kill_server(small_server)
    small_server.command[small_server.command.index(_SMALL)] = _LARGE
    databases.restart_server(small_server)
    with app.app_context():
        db.engine.dispose()  # the test reads by the portal's connections, which it trusts for a second
    assert small_shop.notify(order_id).status_code == 200
    come_to_rest(small_shop, clock)
    assert buyer.state(order_id) == "delivered"
    assert not small_shop.differences()
