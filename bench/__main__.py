"""`make bench`: how fast the portal is, each path beside its floor. See README.md beside this file."""

import argparse
import os
import re
import sys
from typing import Any

from bench import report
from bench.bill import measure_bill
from bench.growth import measure_growth
from bench.measure import measure
from bench.paths import PATHS, Path
from bench.servers import HOME, Server, database, running
from bench.shop import Shop
from bench.waiting import measure_waiting
from bench.year import measure_year
from tests.support.databases import new_database
from tests.support.processes import Sandbox

_DATABASES = ("mariadb", "sqlite")
_PARTS = (*(path.name for path in PATHS), "waiting", "growth", "year", "bill")
_SETTINGS = f"""what is measured is said by the environment:
  BENCH_ONLY          which parts, of: {" ".join(_PARTS)} (all)
  BENCH_DATABASES     which databases, of: {" ".join(_DATABASES)} (both)
  BENCH_SECONDS       how long a round is (2)
  BENCH_ROUNDS        how many rounds each side has (5)
  PORTAL_TEST_MYSQLD  a MySQL server for year and bill (MariaDB)
"""
_GATEWAY_SECONDS = 0.05


def _chosen(name: str, known: tuple[str, ...]) -> list[str]:
    wanted = [word for word in os.environ.get(name, "").replace(",", " ").split() if word]
    if unknown := set(wanted) - set(known):
        sys.exit(f"{name}: unknown {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    return wanted or list(known)


def _number(name: str, otherwise: float) -> float:
    text = os.environ.get(name) or str(otherwise)
    if not re.fullmatch(r"\d{1,4}(\.\d+)?", text) or float(text) == 0:
        sys.exit(f"{name}: a number above 0 is wanted, not {text!r}")
    return float(text)


def _measure_paths(
    kind: str, sandbox: Sandbox, paths: list[Path], seconds: float, rounds: int
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with database(kind) as server:
        shop = Shop(HOME / kind, new_database(server, "paths"), sandbox)
        floor = Server(f"floor-{kind}", "bench.floor.app:app", shop.env)
        portal = Server(f"portal-{kind}", "wsgi:app", shop.env)
        with running(floor, portal):
            report.print_head(kind, seconds, rounds)
            for path in paths:
                pair = measure(path, shop, floor, portal, server, rounds, seconds)
                report.print_pair(pair)
                figures[path.name] = report.as_json(pair)
    return figures


def main() -> None:
    """Measure what the environment asks for, print it, and write it down."""
    argparse.ArgumentParser(
        prog="python -m bench",
        description="Load each path of the portal beside its floor, and print both.",
        epilog=_SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    names, databases = _chosen("BENCH_ONLY", _PARTS), _chosen("BENCH_DATABASES", _DATABASES)
    seconds, rounds = _number("BENCH_SECONDS", 2.0), max(1, int(_number("BENCH_ROUNDS", 5)))
    paths = [path for path in PATHS if path.name in names]
    figures: dict[str, Any] = {}
    HOME.mkdir(parents=True, exist_ok=True)
    with Sandbox(HOME / "sandbox") as sandbox:
        sandbox.control("POST", "/control/reset", {})
        sandbox.control(
            "POST", "/control/faults", {"route": "create", "kind": "delay", "seconds": _GATEWAY_SECONDS}
        )
        for kind in databases if paths else []:
            figures[kind] = _measure_paths(kind, sandbox, paths, seconds, rounds)
        if "growth" in names:
            figures["growth"] = measure_growth(sandbox, seconds, rounds)
        if "waiting" in names:
            figures["waiting"] = measure_waiting(sandbox, seconds)
        if "year" in names:
            figures["year"] = measure_year(sandbox)
        if "bill" in names:
            figures["bill"] = measure_bill(sandbox)
    report.write(HOME / "bench.json", figures)


if __name__ == "__main__":
    main()
