"""What `make run` does: a working portal on this machine, with a sandbox to pay in, until Ctrl-C.

Everything it keeps is below `var/`; a second run goes on with it. A setting in the environment wins
over what is chosen here, so `DATABASE_URL=mysql://… make run` and `PORT=8001 make run` work; a container
says `HOST=0.0.0.0`. With a `WECHATPAY_MCHID` the gateway is the caller's own, and no sandbox starts.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from scripts.processes import (
    ROOT,
    Child,
    ProcessFailed,
    answers_ok,
    flask_command,
    is_port_free,
    merchant_settings,
    portal_command,
    ready_line,
    sandbox_command,
    worker_command,
)

DEMO_CATALOGUE = "portal/catalogue/demo.yaml"
START_SECONDS = 60.0

Environment = dict[str, str]


class CannotRun(Exception):
    """Something on this machine is in the way; the text says what, and what to do."""


def main() -> int:
    """Start everything, wait, stop everything; return the exit code."""
    stopping = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask_to_stop)
    try:
        with children(stopping) as running:
            env = environment()
            start(running, env)
            watch(running)
    except KeyboardInterrupt:
        print("Stopped.")
        return 0
    except (CannotRun, ProcessFailed) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 1


@contextmanager
def children(stopping: threading.Event) -> Iterator[list[Child]]:
    """Give a list for children; all that are in it at the end are ended, and no signal interrupts that."""
    running: list[Child] = []
    try:
        yield running
    finally:
        stopping.set()
        if running:
            print("\nStopping …", flush=True)
        # The portal and the worker before the sandbox they talk to.
        for child in reversed(running):
            child.stop(10)


def environment() -> Environment:
    """Return the settings for this run: the caller's own, and a default for each that is missing."""
    env: Environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    var = Path(env.setdefault("VAR_DIR", str(ROOT / "var"))).resolve()
    for directory in (var, var / "log"):
        directory.mkdir(parents=True, exist_ok=True)
    env.setdefault("HOST", "127.0.0.1")
    env.setdefault("PORT", "8000")
    env.setdefault("SANDBOX_PORT", "8100")
    env.setdefault("DATABASE_URL", f"sqlite:///{var / 'portal.db'}")
    env.setdefault("PORTAL_BASE_URL", f"http://127.0.0.1:{env['PORT']}")
    env.setdefault("LICENSE_KEY_DIR", str(var / "license-keys"))
    env.setdefault("MAIL_DIR", str(var / "mail"))
    for name in ("SECRET_KEY", "LICENSE_KEY_PASSPHRASE"):
        set_secret(env, name, var / name.lower())
    return env


def set_secret(env: Environment, name: str, kept: Path) -> None:
    """Point the setting `name` to a secret made once and kept at `kept`, unless it is set already."""
    if env.get(name) or env.get(f"{name}_FILE"):
        return
    if not kept.exists():
        with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    env[f"{name}_FILE"] = str(kept)


def start(running: list[Child], env: Environment) -> None:
    """Start all parts in the order they need each other, and say where they are."""
    var = Path(env["VAR_DIR"])
    port, sandbox_port = port_named(env, "PORT"), port_named(env, "SANDBOX_PORT")
    sandbox_url = None

    if not env.get("WECHATPAY_MCHID"):
        data = var / "sandbox"
        sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        command = sandbox_command(sandbox_port, data, "--host", env["HOST"], "--public-url", sandbox_url)
        sandbox = launch(running, "sandbox", command, env)
        sandbox.wait_until(lambda: ready_line(sandbox), "is not ready", START_SECONDS)
        for name, value in merchant_settings(data).items():
            env.setdefault(name, value)

    print("Preparing the database …", flush=True)
    flask(env, "db", "upgrade")
    flask(env, "catalogue", "load", "--only-new", DEMO_CATALOGUE)
    flask(env, "license-keys", "rotate", "--first")
    accounts = json.loads(flask(env, "demo-accounts", "--json"))
    flask(env, "demo-offer")

    portal = launch(running, "portal", portal_command(port, env["HOST"]), env)
    worker = launch(running, "worker", worker_command(var), env)
    portal.wait_until(lambda: answers_ok(f"http://127.0.0.1:{port}/readyz"), "is not ready", START_SECONDS)
    worker.wait_until(lambda: " ready." in worker.output(), "is not ready", START_SECONDS)
    announce(env, accounts, sandbox_url)


def port_named(env: Environment, name: str) -> int:
    """Return the port in the variable `name`, which nobody else may be using."""
    try:
        port = int(env[name])
    except ValueError:
        raise CannotRun(f"{name} must be a number.") from None
    if not is_port_free(port):
        raise CannotRun(
            f"Port {port} is in use: stop what uses it, or choose another: {name}={port + 1} make run"
        )
    return port


def launch(running: list[Child], name: str, command: list[str], env: Environment) -> Child:
    """Start a child with a fresh log; the log of the run before is kept beside it."""
    log = Path(env["VAR_DIR"]) / "log" / f"{name}.log"
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    print(f"Starting the {name} …", flush=True)
    child = Child(name, command, log=log, env=env)
    running.append(child)
    return child


def flask(env: Environment, *words: str) -> str:
    """Run a command of the portal and return what it printed."""
    result = subprocess.run(
        flask_command(*words),
        env=env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        output = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
        raise CannotRun(
            f"`flask --app wsgi {' '.join(words)}` ended with exit code {result.returncode}:\n{output}"
        )
    return result.stdout


def announce(env: Environment, accounts: list[dict[str, str]], sandbox_url: str | None) -> None:
    """Print where everything is, and how to sign in."""
    var = Path(env["VAR_DIR"])
    print(f"\n  Portal    {env['PORTAL_BASE_URL']}")
    if sandbox_url:
        print(f"  Sandbox   {sandbox_url}  (the phone that pays)")
    if not env.get("MAIL_URL"):
        print(f"  Mail      {var / 'mail'}")
    print(f"  Logs      {var / 'log'}")
    if accounts:
        print("\n  Demo accounts")
    width = max((len(account["email"]) for account in accounts), default=0)
    for account in accounts:
        print(f"    {account['role']:<10}  {account['email']:<{width}}  {account['password']}")
    print("\n  Ctrl-C stops everything.\n", flush=True)


def watch(running: list[Child]) -> None:
    """Wait until a child ends, which none should.

    Raises:
        ProcessFailed: naming the one that ended.
    """
    while True:
        for child in running:
            child.wait_while_running(0.2)


if __name__ == "__main__":
    sys.exit(main())
