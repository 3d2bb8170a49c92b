"""A thousand purchases while everything breaks: `python -m tests.proof.thousand [--purchases N] [--rate 0.05]`.

Learners buy over HTTP from a real portal with two web and two background workers. For each purchase, each family
of faults strikes with the same probability: a call to WeChat (of any kind, on each route), a notification lost,
doubled or forged, a cancel, a refund by staff or by hand, a process killed, a portal armed at a point, a key or the mail folder away; and the
database is killed and started again (`chaos.py`). Everything is drawn from `PROVE_SEED`. At the end all is healed; then WeChat's
books, the ledger, the licenses and the mails must be the same.

It always ends: who is still buying after `--minutes` is told of, with what the portal knows of the order, and that is a failure.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.proof.chaos import Chaos
from tests.support import databases
from tests.support.load import Customers, GaveUp
from tests.support.running import RunningShop, running_shop
from tests.support.seeds import VARIABLE, choose_seed

CUSTOMERS = 24
_MINUTES = 15.0
_PROGRESS_SECONDS = 30.0
_SLOWEST = 5
_DECISIONS = 3


def _percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100)[int(share * 100) - 1] if len(values) > 1 else values[0]


def run(purchases: int, rate: float, minutes: float, directory: Path) -> list[str]:
    """Buy so often while everything breaks; print the figures and return what is wrong at the end."""
    draw = random.Random(choose_seed())
    with (
        databases.database_server(own=True) as server,
        running_shop(directory, server, WEB_CONCURRENCY="2") as shop,
    ):
        chaos = Chaos(shop, server, rate, draw)
        try:
            began = time.monotonic()
            customers = Customers(shop, CUSTOMERS, draw, most=purchases, faults=rate)
            wrong = _buy_and_break(customers, chaos, shop, began + minutes * 60)
            seconds = time.monotonic() - began
            struck = chaos.struck()
            chaos.heal()
            wrong += _at_rest(shop, chaos) + chaos.examined()
            _report(shop, customers, chaos, struck, seconds)
        finally:
            chaos.stop()
    return wrong


def _buy_and_break(customers: Customers, chaos: Chaos, shop: RunningShop, deadline: float) -> list[str]:
    """Buy until all is bought; return what went wrong, and who still waited at the deadline for what."""
    seen, told_at = 0, time.monotonic()
    with suppress(GaveUp), customers:
        while customers.are_buying and time.monotonic() < deadline:
            now = len(customers.purchases)
            chaos.strike(now - seen)
            seen = now
            if time.monotonic() > told_at + _PROGRESS_SECONDS:
                told_at = time.monotonic()
                print(f"{now} bought, {len(customers.failures)} requests asked again", flush=True)
            time.sleep(0.1)
        customers.stop_waiting()
    waiting = [
        f"still buying: {customer.steps()}\n  {_known(shop, customer.order_id)}"
        for customer in customers.buying()
    ]
    return waiting + [repr(error) for error in customers.errors if not isinstance(error, GaveUp)]


def _known(shop: RunningShop, order_id: str) -> str:
    """Return what the portal knows of an order: states, and the work about it."""
    found = shop.rows(_ORDER, id=order_id)
    work = [
        dict(row._mapping)
        for facts in found
        for row in shop.rows(_WORK, order=str(facts.id), payment=str(facts.payment_id))
    ]
    return f"{[dict(facts._mapping) for facts in found]} {work}"


def _at_rest(shop: RunningShop, chaos: Chaos) -> list[str]:
    """Wait until all is at rest; what is not after a minute may wait for a person, who then decides."""
    for _ in range(_DECISIONS):
        try:
            shop.come_to_rest(seconds=60)
        except AssertionError:
            chaos.decide()
        else:
            return []
    return shop.differences() or ["a license without its mail, or a mail without its license"]


def _report(
    shop: RunningShop, customers: Customers, chaos: Chaos, struck: Counter[str], seconds: float
) -> None:
    times = [bought.seconds for bought in customers.purchases if bought.seconds is not None] or [0.0]
    states = Counter(bought.state for bought in customers.purchases)
    lines = {
        "seed": choose_seed(),
        "purchases": f"{len(customers.purchases)} in {seconds:.0f} s, {len(customers.purchases) / seconds:.1f}/s",
        "ends": dict(states),
        "from payment to license": f"p50 {_percentile(times, 0.5):.1f} s, p95 {_percentile(times, 0.95):.1f} s, "
        f"max {max(times):.1f} s",
        "requests asked again": len(customers.failures),
        "longest start of the portal": f"{chaos.longest_start:.1f} s",
        "broken": dict(sorted(chaos.done.items())),
        "faults that struck at WeChat": dict(struck),
        "payments": shop.one("SELECT COUNT(*) FROM payments WHERE status = 'paid'"),
        "ledger": f"{shop.one('SELECT SUM(amount_fen) FROM ledger_entries')} fen",
        "refunded": f"{shop.one('SELECT SUM(refunded_fen) FROM payments')} fen in "
        f"{shop.one(_REFUNDS)} refunds",
        "licenses": shop.one("SELECT COUNT(*) FROM licenses"),
        "mails": len(shop.mails()),
        "verified by": {row[0]: row[1] for row in shop.rows(_VERIFIED)},
        "cases": {row[0]: row[1] for row in shop.rows("SELECT kind, COUNT(*) FROM cases GROUP BY kind")},
    }
    for name, value in lines.items():
        print(f"{name}: {value}", flush=True)
    slowest = sorted(customers.purchases, key=lambda bought: -(bought.seconds or 0))[:_SLOWEST]
    print(
        "the slowest:", *(f"{bought.order_id}: {bought.steps}" for bought in slowest), sep="\n  ", flush=True
    )


_REFUNDS = "SELECT COUNT(*) FROM refunds WHERE status = 'succeeded'"
_ORDER = (
    "SELECT o.id, o.status, o.closing, p.id AS payment_id, p.status AS payment, p.queried_at, p.call_until "
    "FROM orders o LEFT JOIN payments p ON p.order_id = o.id WHERE o.public_id = :id"
)
_WORK = (
    "SELECT effect_key, status, attempts, due_at, lease_until, last_error FROM outbox "
    "WHERE (kind = 'close_order' AND subject_id = :order) "
    "OR (kind IN ('open_payment', 'watch_payment', 'look_again') AND subject_id = :payment)"
)
_VERIFIED = "SELECT verified_by, COUNT(*) FROM payments WHERE status = 'paid' GROUP BY verified_by"


def main() -> int:
    """Run it as a program; the exit code is 1 when anything is wrong at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.thousand")
    parser.add_argument("--purchases", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.05, help="of each family of faults, per purchase")
    parser.add_argument("--minutes", type=float, default=_MINUTES, help="after which buying has to be over")
    arguments = parser.parse_args()
    os.environ.setdefault("PORTAL_TEST_DATABASE", "mariadb")
    # Told to end, it ends all that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{VARIABLE}={choose_seed()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="portal-thousand-") as directory:
        wrong = run(arguments.purchases, arguments.rate, arguments.minutes, Path(directory))
    print(
        *(
            wrong
            or [
                "WeChat's books, the ledger, the licenses and the mails are the same, and the doctor finds nothing."
            ]
        ),
        sep="\n",
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
