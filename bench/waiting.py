"""Do buyers who wait for a slow gateway keep a poll waiting?"""

import threading
import time
from typing import Any

from bench import load
from bench.paths import PATHS, checkouts
from bench.servers import HOME, Server, database, running
from bench.shop import Shop
from tests.support.databases import DatabaseServer, execute, new_database
from tests.support.processes import Sandbox

_BUYERS = 64
_SLOW_SECONDS = 7.0
# To place 64 orders takes CPU, which is a matter of the path `checkout`; polls are measured once all are placed.
_PATIENCE_SECONDS = 60.0
_MEASURED_SECONDS = 3.0
_POLLERS = 4
_ALLOWED = 3.0


def _orders(server: DatabaseServer) -> int:
    return int(execute(server, "SELECT COUNT(*) FROM waiting.orders")[0][0])


def measure_waiting(sandbox: Sandbox, seconds: float) -> dict[str, Any]:
    """Print and return the p99 of polls, alone and beside 64 buyers whose gateway takes seven seconds."""
    path = next(path for path in PATHS if path.name == "poll-304")
    with database("mariadb") as server:
        shop = Shop(HOME / "waiting", new_database(server, "waiting"), sandbox)
        portal = Server("portal-waiting", "wsgi:app", shop.env)
        with running(portal):
            polls = iter(path.prepare(shop, portal.port, seconds))
            load.run(portal.port, polls, seconds, _POLLERS)
            alone = load.run(portal.port, polls, _MEASURED_SECONDS, _POLLERS)
            fault = {"route": "create", "kind": "delay", "seconds": _SLOW_SECONDS}
            sandbox.control("POST", "/control/faults", fault)
            requests, placed = checkouts(shop, _BUYERS), _orders(server)
            buyers = threading.Thread(target=load.run, args=(portal.port, requests, 0.0, _BUYERS))
            buyers.start()
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while _orders(server) < placed + _BUYERS and time.monotonic() < deadline:
                time.sleep(0.1)
            beside = load.run(portal.port, polls, _MEASURED_SECONDS, _POLLERS)
            buyers.join()
    before, after = alone.quantile_ms(0.99), beside.quantile_ms(0.99)
    verdict = "good" if after <= _ALLOWED * before else f"above {_ALLOWED:g}"
    print(
        f"\npolls, p99: {before:.1f} ms alone, {after:.1f} ms beside {_BUYERS} buyers whose gateway takes"
        f" {_SLOW_SECONDS:g} s: ×{after / before:.1f}  {verdict}"
    )
    return {"alone_ms": round(before, 2), "beside_buyers_ms": round(after, 2)}
