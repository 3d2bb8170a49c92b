"""Does a request cost more when there are more orders? Databases of several sizes, loaded in turns."""

from contextlib import ExitStack
from typing import Any

from bench import million
from bench.measure import Measured, round_of
from bench.paths import PATHS
from bench.servers import HOME, Server, database, running
from bench.shop import Shop
from portal.kit import clock
from tests.support.databases import DatabaseServer, connect, execute, new_database
from tests.support.processes import Sandbox

SIZES = (1_000, 100_000, 1_000_000)
_PATHS = ("poll-304", "poll", "account", "notify")
_ALLOWED = 1.15


def measure_growth(sandbox: Sandbox, seconds: float, rounds: int) -> dict[str, Any]:
    """Print and return the CPU of a request, web and database together, at each size."""
    figures: dict[str, Any] = {}
    with database("mariadb") as server, ExitStack() as stack:
        shops, portals = [], []
        for size in SIZES:
            shop = Shop(HOME / f"growth-{size}", new_database(server, f"growth_{size}"), sandbox)
            _fill(server, f"growth_{size}", size)
            portal = Server(f"portal-{size}", "wsgi:app", shop.env)
            stack.enter_context(running(portal))
            shops.append(shop)
            portals.append(portal)
        # Filling sets it to what is quick; the measured requests wait for the disk.
        execute(server, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        print(
            f"\ngrowth, mariadb: CPU µs a request (web + database) at {', '.join(f'{n:,}' for n in SIZES)} orders"
        )
        for path in (path for path in PATHS if path.name in _PATHS):
            sides = [
                (portal, iter(path.prepare(shop, portal.port, seconds * (rounds + 1))), Measured())
                for shop, portal in zip(shops, portals, strict=True)
            ]
            for number in range(rounds + 1):
                for portal, waiting, measured in sides:
                    one = round_of(portal, waiting, seconds if number else seconds / 2, server)
                    if number:
                        measured.rounds.append(one)
            costs = [measured.web_us + measured.database_us for _, _, measured in sides]
            factor = costs[-1] / costs[0]
            verdict = "good" if factor <= _ALLOWED else f"above {_ALLOWED:g}"
            print(
                f"{path.title:<27}"
                + "".join(f"{cost:>9.0f}" for cost in costs)
                + f"   ×{factor:.2f}  {verdict}"
            )
            figures[path.name] = {"cpu_us": [round(cost) for cost in costs], "factor": round(factor, 3)}
    return figures


def _fill(server: DatabaseServer, name: str, orders: int) -> None:
    connection = connect(server, name)
    million.fill(connection, orders, clock.now())
    connection.close()
