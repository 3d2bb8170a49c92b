"""The processes that are measured: a database that commits durably, the portal, and its floor beside it."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.processes import ROOT, Child, answers_ok, free_port
from tests.support import databases

HOME = ROOT / "var" / "bench"
_TICKS = os.sysconf("SC_CLK_TCK")
_SIZES = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "16"}
READY_SECONDS = 60.0


def cpu_seconds(*groups: int) -> float:
    """Return the CPU seconds, user and system, that the processes of some groups have used so far."""
    used = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in parentheses may hold spaces; what follows does not.
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) in groups:
                used += int(fields[11]) + int(fields[12])
    return used / _TICKS


def thread_seconds(group: int) -> float:
    """Return what the threads of a process group have worked so far, to the microsecond (`cpu_seconds` counts ticks)."""
    worked = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[2]) == group:
                worked += sum(
                    int(each.read_text().split()[0]) for each in path.parent.glob("task/*/schedstat")
                )
    return worked / 1e9


class Server:
    """A WSGI program behind gunicorn, as `gunicorn.conf.py` says, whichever program it is."""

    def __init__(self, name: str, application: str, env: Mapping[str, str]) -> None:
        self.name = name
        self.port = free_port()
        command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{self.port}"]
        # A worker that is replaced in the middle of a round would be a disturbance of that round only.
        command += ["--max-requests", "0"]
        self._child = Child(
            name, command, log=HOME / "log" / f"{name}.log", env={**env, **_SIZES, "PYTHONUNBUFFERED": "1"}
        )

    @property
    def group(self) -> int:
        """Return the id of its process group."""
        return self._child.pid

    def wait_ready(self) -> None:
        """Wait until it answers."""
        url = f"http://127.0.0.1:{self.port}/healthz"
        self._child.wait_until(lambda: answers_ok(url), "/healthz does not answer", READY_SECONDS)

    def stop(self) -> None:
        """End it."""
        self._child.stop(5)


@contextlib.contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Wait until all are ready, and end them with the block."""
    try:
        for server in servers:
            server.wait_ready()
        yield
    finally:
        for server in servers:
            server.stop()


@contextlib.contextmanager
def database(kind: str) -> Iterator[databases.DatabaseServer]:
    """Start a database of `kind` whose files are on the disk, and see that a commit waits for it."""
    HOME.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{kind}-", dir=HOME) as directory:
        if kind == "sqlite":
            yield databases.DatabaseServer(kind, Path(directory))
            return
        before, tempfile.tempdir = tempfile.tempdir, directory
        try:
            server = databases.start_server(kind)
        finally:
            tempfile.tempdir = before
        try:
            _check_durable(server)
            yield server
        finally:
            databases.stop_server(server)


def _check_durable(server: databases.DatabaseServer) -> None:
    rows = databases.execute(
        server, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit')"
    )
    if rows[0][1] != "1":
        raise RuntimeError("a commit would not wait for the disk")
    memory = min(2 << 30, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4)
    databases.execute(server, f"SET GLOBAL innodb_buffer_pool_size = {memory}")


def statements(server: databases.DatabaseServer) -> int:
    """Return how many statements clients have sent so far, commits and rollbacks included."""
    return int(databases.execute(server, "SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])
