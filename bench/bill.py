"""A bill with 100,000 lines against as many payments: time, memory and statements of one reconciliation.

PORTAL_TEST_MYSQLD=/path/to/mysqld python -m bench.bill [LINES]
"""

import contextlib
import os
import re
import resource
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import million
from bench.servers import HOME, cpu_seconds, database, statements
from portal.app import create_app
from portal.config import load_settings
from portal.kit import beijing, clock
from scripts.processes import ROOT, flask_command
from tests.support.bills import Bill
from tests.support.databases import DatabaseServer, connect, execute, new_database
from tests.support.processes import Sandbox, flask, portal_environment

LINES = 100_000
_SECONDS, _MEGABYTES = 60.0, 200.0
# Of five orders four are paid, and of sixteen payments fifteen at the gateway.
_ORDERS_TO_A_LINE = 1.25 * 16 / 15
_GATEWAY = "wechat_pay"
_MOST_MEMORY = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)
_LOOK_SECONDS = 0.2


def measure_bill(sandbox: Sandbox, lines: int = LINES) -> dict[str, Any]:
    """Print and return what it costs to reconcile a day, and to do it again."""
    kind = "mysql" if os.environ.get("PORTAL_TEST_MYSQLD") else "mariadb"
    day = beijing.day_of(clock.now()) - timedelta(days=1)
    with database(kind) as server:
        env = portal_environment(HOME / "bill", new_database(server, "bill"), sandbox)
        flask(env, "db", "upgrade")
        app = create_app(load_settings({**env, "LOG_LEVEL": "ERROR"}))
        mchid = app.extensions["portal_tools"].gateway(_GATEWAY).mchid
        connection = connect(server, "bill")
        million.fill(
            connection, int(lines * _ORDERS_TO_A_LINE), beijing.begin_of(day) + timedelta(days=1), 1, mchid
        )
        bill = Bill(day, mchid, "wx0000000000000001")
        cursor = connection.cursor()
        end = f"{beijing.begin_of(day) + timedelta(days=1):%Y-%m-%d %H:%M:%S}"
        cursor.execute(
            f"SELECT transaction_id, out_trade_no, amount_fen FROM payments "
            f"WHERE gateway = '{_GATEWAY}' AND paid_at < '{end}'"
        )
        for payment in cursor.fetchall():
            bill.paid(*payment)
        connection.close()
        file = HOME / "bill.csv"
        file.write_text(bill.text(), newline="")
        execute(server, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        print(f"\na bill with {len(bill.rows):,} lines, {file.stat().st_size / 2**20:.0f} MB, {kind}:")
        figures = {}
        for name in ("reconciled", "again"):
            before, begun, worked = statements(server), time.monotonic(), _cpu_seconds(server)
            megabytes = _run(env, "reconcile", day.isoformat(), "--file", str(file))
            seconds = time.monotonic() - begun
            cpu = _cpu_seconds(server) - worked
            figures[name] = {
                "seconds": round(seconds, 1),
                "cpu_seconds": round(cpu, 1),
                "statements": statements(server) - before,
            }
            good = seconds <= _SECONDS and megabytes <= _MEGABYTES
            print(
                f"  {name:<12}{seconds:>7.1f} s, {cpu:.1f} s of CPU{figures[name]['statements']:>8} statements, at most {megabytes:.0f} MB"
                f"  {'good' if good else f'above {_SECONDS:g} s or {_MEGABYTES:g} MB'}"
            )
    return {"lines": len(bill.rows), "megabytes": round(megabytes), **figures}


def _cpu_seconds(server: DatabaseServer) -> float:
    """Return what the database and the ended children of this process have worked so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = server.child.pid if server.child else 0
    return children.ru_utime + children.ru_stime + cpu_seconds(own)


def _run(env: dict[str, str], *words: str) -> float:
    """Run a command of the portal, and return the most memory, in MB, that its process had."""
    child = subprocess.Popen(flask_command(*words), env=env, cwd=ROOT, stdout=subprocess.DEVNULL)
    most = 0.0
    # What `wait4` tells counts the memory of this process, too, out of which the other was made.
    while child.poll() is None:
        with contextlib.suppress(OSError):
            found = _MOST_MEMORY.search(Path(f"/proc/{child.pid}/status").read_text())
            most = int(found[1]) / 1024 if found else most
        time.sleep(_LOOK_SECONDS)
    if child.returncode:
        raise RuntimeError(f"flask {' '.join(words)} ended with {child.returncode}")
    return most


def main() -> None:
    """Measure one bill, with as many lines as the command says."""
    HOME.mkdir(parents=True, exist_ok=True)
    with Sandbox(HOME / "sandbox") as sandbox:
        measure_bill(sandbox, int(sys.argv[1]) if len(sys.argv) > 1 else LINES)


if __name__ == "__main__":
    main()
