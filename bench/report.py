"""What was measured, as tables to read and as JSON to compare."""

import json
import os
import platform
from pathlib import Path
from typing import Any

from bench.measure import Measured, Pair

_FORGED_A_CORE = 1500
_CHECKOUT_CPU = 2.0
_HEAD = f"{'path':<27}{'':<8}{'req/s':>7}{'p50 ms':>8}{'p99 ms':>8}{'CPU µs':>8}{'DB µs':>7}{'SQL':>6}{'bytes':>7}"


def print_head(database: str, seconds: float, rounds: int) -> None:
    """Begin a table."""
    print(f"\n{database}: {rounds} rounds of {seconds:g} s a side, 16 connections, medians")
    print(_HEAD)


def print_pair(pair: Pair) -> None:
    """Print a path's two lines, and how they compare."""
    _print_line(pair.path.title, "floor", pair.floor)
    _print_line("", "portal", pair.portal)
    print(f"{'':<27}{'ratio':<8}{pair.ratio:>7.2f}  CPU ×{pair.cpu_ratio:.2f}  {verdict(pair)}", flush=True)


def _print_line(title: str, side: str, one: Measured) -> None:
    print(
        f"{title:<27}{side:<8}{one.per_second:>7.0f}{one.p50_ms:>8.1f}{one.p99_ms:>8.1f}{one.web_us:>8.0f}"
        f"{one.database_us:>7.0f}{one.statements:>6.1f}{one.bytes:>7.0f}"
    )


def verdict(pair: Pair) -> str:
    """Return whether a path keeps what is promised of it."""
    path, problems = pair.path, []
    if pair.wrong:
        problems.append(f"{pair.wrong} wrong answers")
    if path.target is not None and pair.ratio < path.target:
        problems.append(f"below {path.target:.2f}")
    if path.name == "forged" and 1e6 / pair.portal.web_us < _FORGED_A_CORE:
        problems.append(f"below {_FORGED_A_CORE}/s a core")
    if path.name == "checkout" and pair.cpu_ratio > _CHECKOUT_CPU:
        problems.append(f"CPU above {_CHECKOUT_CPU:g} × the floor's")
    more = f"; {1e6 / pair.portal.web_us:.0f}/s a core" if path.name == "forged" else ""
    return (", ".join(problems) or "good") + more


def as_json(pair: Pair) -> dict[str, Any]:
    """Return a path's figures."""
    return {
        "floor": pair.floor.as_json(),
        "portal": pair.portal.as_json(),
        "ratio": round(pair.ratio, 3),
        "cpu_ratio": round(pair.cpu_ratio, 3),
        "verdict": verdict(pair),
    }


def write(path: Path, figures: dict[str, Any]) -> None:
    """Write the JSON."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    path.write_text(json.dumps({"machine": machine, **figures}, ensure_ascii=False, indent=1) + "\n")
    print(f"\nwritten: {path}")
