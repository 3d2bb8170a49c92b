"""The portal, its worker and the sandbox as real processes, for tests that go end to end.

    with Sandbox(tmp_path / "sandbox") as sandbox:
        env = portal_environment(tmp_path / "var", database_url, sandbox)
        flask(env, "db", "upgrade")
        with Portal(env) as portal, Worker(env):
            ...

Each waits until it is ready, never for a fixed time, and is ended with all it started when the block ends.
Start them from the main thread: on Linux a child ends with the thread that made it.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts.processes import (
    ROOT,
    Child,
    ProcessFailed,
    answers_ok,
    flask_command,
    free_port,
    http,
    merchant_settings,
    portal_command,
    ready_line,
    sandbox_command,
    worker_command,
)

READY_SECONDS = 30.0
# Of the developer's own environment only what programs need to run at all; no setting of a portal leaks in.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")


def plain_environment() -> dict[str, str]:
    """Return an environment without any setting of the portal."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


class _Process:
    """One of ours, started at `start()` or by `with`, and the same again after `kill9()`."""

    name = ""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        self.env = dict(env)
        self.log_path = log
        self._child: Child | None = None

    def command(self) -> list[str]:
        """Return the program and its arguments."""
        raise NotImplementedError

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it can be used."""
        raise NotImplementedError

    @property
    def child(self) -> Child:
        """Return the running process."""
        if self._child is None:
            raise ProcessFailed(f"{self.name} was not started")
        return self._child

    def start(self) -> Self:
        """Start it, and wait until it can be used; of an earlier life nothing runs on beside it."""
        if self._child is not None:
            self._child.kill9()
        self._child = Child(self.name, self.command(), log=self.log_path, env=self.env)
        try:
            self.wait_ready()
        except BaseException:
            self._child.kill9()
            raise
        return self

    def stop(self) -> int:
        """End it politely; return its exit code."""
        return self.child.stop()

    def kill9(self) -> None:
        """End it and all its workers at once, as a crash would."""
        self.child.kill9()

    def restart(self, **changes: str) -> Self:
        """Start it again (ending it first if it still runs), with `changes` to its environment."""
        self.stop()
        self.env |= changes
        return self.start()

    def run_unarmed(self) -> None:
        """Make sure that it runs, and without a fault of the test before."""
        if self._child is None or self._child.exit_code is not None or self.env.get("PORTAL_FAULT"):
            self.env["PORTAL_FAULT"] = ""
            self.start()

    def log(self) -> str:
        """Return all it has written, over all its lives."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def tail(self, lines: int = 20) -> str:
        """Return the last lines it has written."""
        return self.child.tail(lines)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.stop(5)


class Sandbox(_Process):
    """The WeChat Pay sandbox. `settings` are the portal's settings for it."""

    name = "sandbox"

    def __init__(self, data: Path, *options: str) -> None:
        super().__init__(plain_environment(), data.parent / f"{data.name}.log")
        self.data = data
        self.options = options
        self.port = free_port()  # fixed here, so that it comes back at the same address

    @property
    def url(self) -> str:
        """Return its origin."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """Return the `WECHATPAY_…` settings that make a portal its merchant."""
        return merchant_settings(self.data) | {"WECHATPAY_BASE_URL": self.url}

    def command(self) -> list[str]:
        return sandbox_command(self.port, self.data, *self.options)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        self.child.wait_until(lambda: ready_line(self.child), "not ready", seconds)

    def control(self, method: str, path: str, payload: Any = None) -> Any:
        """Call the sandbox as its owner, not as a merchant; return the JSON it answers.

        Raises:
            ProcessFailed: when the answer is not a success.
        """
        status, text = http(method, self.url + path, payload)
        if status >= 400:
            raise ProcessFailed(f"sandbox: {method} {path} answered {status}: {text}")
        return json.loads(text) if text else None


class Portal(_Process):
    """The portal behind gunicorn, at the port of its `PORTAL_BASE_URL`."""

    name = "portal"

    def __init__(self, env: Mapping[str, str], *, port: int | None = None) -> None:
        self.port = port or int(env["PORTAL_BASE_URL"].rsplit(":", 1)[1])
        super().__init__(env, Path(env["VAR_DIR"]) / "log" / f"portal-{self.port}.log")

    @property
    def url(self) -> str:
        """Return its origin."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return portal_command(self.port)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        self.child.wait_until(
            lambda: answers_ok(f"{self.url}/readyz"), "/readyz does not answer 200", seconds
        )


class Worker(_Process):
    """The Celery worker with its timetable."""

    name = "worker"

    def __init__(self, env: Mapping[str, str], *, number: int = 1) -> None:
        super().__init__(env, Path(env["VAR_DIR"]) / "log" / f"worker-{number}.log")
        self.number = number

    def command(self) -> list[str]:
        return worker_command(Path(self.env["VAR_DIR"]), self.number)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        self.child.wait_until(lambda: " ready." in self.child.output(), "is not ready", seconds)


def portal_environment(var: Path, database_url: str, sandbox: Sandbox, **more: str) -> dict[str, str]:
    """Return all settings of a test portal that keeps its files below `var`, on a free port."""
    var.mkdir(parents=True, exist_ok=True)
    return (
        plain_environment()
        | {
            "DATABASE_URL": database_url,
            "SECRET_KEY": "test-" * 8,
            "PORTAL_BASE_URL": f"http://127.0.0.1:{free_port()}",
            "PORTAL_MODE": "test",
            "VAR_DIR": str(var),
            "MAIL_DIR": str(var / "mail"),
            "LICENSE_KEY_DIR": str(var / "license-keys"),
            "LICENSE_KEY_PASSPHRASE": "test passphrase",
            "WEB_CONCURRENCY": "1",
        }
        | sandbox.settings
        | more
    )


def flask(
    env: Mapping[str, str], *words: str, stdin: str = "", check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command of the portal, as an operator would; `check` makes a failure an error with its output."""
    result = subprocess.run(
        flask_command(*words),
        env=dict(env),
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if check and result.returncode:
        raise ProcessFailed(
            f"flask {' '.join(words)} ended with exit code {result.returncode}:\n{result.stdout}{result.stderr}"
        )
    return result
