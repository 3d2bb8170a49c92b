"""Real processes, started and ended without leaving any behind: for `make run` and for tests.

A child ends when the thread that started it ends (on Linux): start it from the main thread.
Every child leads its own process group, and a signal goes to the whole group: gunicorn's workers and
whatever a wrapper script starts end with it. Only the standard library is used.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.03

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
ROOT = Path(__file__).resolve().parent.parent

# A proxy set in the environment is not for this machine's own addresses.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ProcessFailed(Exception):
    """A child ended, or did not get ready in time; the text holds the end of its log."""


def _end_with_parent() -> None:
    # Linux only: even if this process is killed with -9, its children are told to stop.
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Child:
    """One running program, its log, and the promise that it ends."""

    def __init__(
        self, name: str, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path = ROOT
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # one system call, safe after a fork
            )

    @property
    def pid(self) -> int:
        """Return the process id, which is also the id of its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """Return what this run of the program has written so far."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.output().splitlines()[-lines:])

    def wait_until(self, is_ready: Callable[[], Any], what: str, seconds: float) -> Any:
        """Poll until `is_ready()` is true and return its answer.

        Raises:
            ProcessFailed: when the program ends first, or `seconds` pass.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer := is_ready():
                return answer
            self.wait_while_running(POLL_SECONDS)
        raise ProcessFailed(f"{self.name}: {what} after {seconds:g} s; the end of {self.log}:\n{self.tail()}")

    def wait_while_running(self, seconds: float) -> None:
        """Return after `seconds`.

        Raises:
            ProcessFailed: at once when the program ends meanwhile, or has ended.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(seconds)
            raise ProcessFailed(
                f"{self.name} ended with exit code {code}; the end of {self.log}:\n{self.tail()}"
            )

    def signal(self, number: int) -> None:
        """Send a signal to the program and everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses for a finished group
            os.killpg(self.pid, number)

    def signal_leader(self, number: int) -> None:
        """Send a signal to the program alone, which passes it on as it sees fit."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def stop(self, seconds: float = 15) -> int:
        """End it politely, and by force after `seconds`; return its exit code."""
        if self.exit_code is None:
            # Only the leader: gunicorn and Celery end their own workers, in order.
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        return self.kill9()

    def kill9(self) -> int:
        """End the whole group at once, as a crash would; return the exit code."""
        self.signal(signal.SIGKILL)
        return self._process.wait()


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_port_free(port: int) -> bool:
    """Tell whether a server could listen on `port` now."""
    with socket.socket() as probe:
        # As servers do: a connection of the last run that is still closing is not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def http(
    method: str,
    url: str,
    payload: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float = 10,
) -> tuple[int, str]:
    """Call a server on this machine and return status and text; `payload` is sent as JSON.

    Raises:
        OSError: when there is no answer.
    """
    body = None if payload is None else json.dumps(payload).encode()
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310
    if body is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with _DIRECT.open(request, timeout=seconds) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def answers_ok(url: str) -> bool:
    """Tell whether `url` answers 200 now."""
    try:
        return http("GET", url, seconds=5)[0] == 200
    except OSError:
        return False


def sandbox_command(port: int, data: Path, *options: str) -> list[str]:
    """Return the command that starts the WeChat Pay sandbox; port 0 lets it choose."""
    return [sys.executable, "-m", "sandbox", "--port", str(port), "--data", str(data), *options]


def portal_command(port: int, host: str = "127.0.0.1") -> list[str]:
    """Return the command that serves the portal; `gunicorn.conf.py` says how.

    The script, not `-m gunicorn`: a master begun so cannot be replaced by USR2, for its successor finds
    gunicorn's own `http` package where the standard library's is meant.
    """
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    return [gunicorn, "wsgi:app", "--bind", f"{host}:{port}"]


def worker_command(var: Path, number: int = 1) -> list[str]:
    """Return the command that runs a worker with its timetable; workers of one `var` differ in `number`."""
    celery = [sys.executable, "-m", "celery", "-A", "portal.worker", "worker", "--loglevel", "INFO"]
    schedule = str(var / f"beat-schedule-{number}")
    return [*celery, "--hostname", f"worker{number}@%h", "--pool", "solo", "-B", "--schedule", schedule]


def flask_command(*words: str) -> list[str]:
    """Return a command of the portal, like `flask --app wsgi db upgrade`."""
    return [sys.executable, "-m", "flask", "--app", "wsgi", *words]


def ready_line(child: Child) -> dict[str, Any] | None:
    """Return the JSON object with `"ready": true` that a program prints when it can be used, or None."""
    for line in child.output().splitlines():
        if line.startswith("{") and '"ready"' in line:
            with contextlib.suppress(json.JSONDecodeError):
                answer = json.loads(line)
                if answer.get("ready"):
                    return dict(answer)
    return None


def merchant_settings(data: Path) -> dict[str, str]:
    """Return the portal settings that a sandbox wrote below its data directory."""
    text = (data / "merchant" / "settings.json").read_text(encoding="utf-8")
    return {name: str(value) for name, value in json.loads(text).items()}
