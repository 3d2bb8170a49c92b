"""How many forged notifications one core refuses: `python -m bench.forged [seconds]`.

Calls the portal as a WSGI server would, in one thread, with forgeries of each kind, and counts by CPU time. The
database is a file that must stay empty: a refusal does no database work.
"""

import io
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from portal.app import create_app
from portal.config import load_settings
from tests.support.processes import Sandbox, portal_environment

KINDS: dict[str, dict[str, Any]] = {
    "wrong signature": {"sign": "bad"},
    "unknown serial": {"sign": "unknown_serial"},
    "stale": {"timestamp_offset": -3600},
    "no signature": {"sign": "none"},
}


def _environ(notification: dict[str, Any]) -> dict[str, Any]:
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": text for name, text in notification["headers"].items()
    }
    return {
        **headers,
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/notify/wechat",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(notification["body"].encode())),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def measure(app: Any, notification: dict[str, Any], seconds: float) -> tuple[float, Counter[str]]:
    """Send `notification` for `seconds`; return refusals per second of CPU, and the answers."""
    environ, body = _environ(notification), notification["body"].encode()
    answers: Counter[str] = Counter()
    deadline, begun, count = time.monotonic() + seconds, time.process_time(), 0
    while time.monotonic() < deadline:
        for _ in range(50):
            request = {**environ, "wsgi.input": io.BytesIO(body)}
            answer = app(request, lambda status, _headers, _error=None: answers.update([status]))
            b"".join(answer)
            count += 1
    return count / (time.process_time() - begun), answers


def main() -> None:
    """Print the rates."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with tempfile.TemporaryDirectory() as name, Sandbox(Path(name) / "sandbox") as sandbox:
        url = f"sqlite:///{name}/portal.db"
        environment = portal_environment(Path(name) / "var", url, sandbox, LOG_LEVEL="ERROR")
        app = create_app(load_settings(environment))
        for kind, facts in KINDS.items():
            built = sandbox.control(
                "POST", "/control/notifications/build", {"out_trade_no": "LBT261124FORGED0001", **facts}
            )
            rate, answers = measure(app, built, seconds)
            print(f"{kind:<16} {rate:8.0f}/s a core   {json.dumps(answers)}")  # noqa: T201
        print(f"cores here: {os.cpu_count()}")  # noqa: T201


if __name__ == "__main__":
    main()
