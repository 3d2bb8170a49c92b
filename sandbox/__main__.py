"""`python -m sandbox`: start the sandbox, say where it is, serve until told to stop."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from pathlib import Path

from .app import create_app
from .keys import write_settings
from .server import serve
from .world import build_world


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; exits with a message when it makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A sandbox of WeChat Pay API v3.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8100, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--data", type=Path, required=True, help="folder for keys and books")
    parser.add_argument(
        "--notify-speed", type=float, default=1.0, help="divides the waits between deliveries"
    )
    parser.add_argument("--public-url", help="address merchants reach this at, when it is not host and port")
    parsed = parser.parse_args(arguments)
    if not parsed.notify_speed > 0:
        parser.error("--notify-speed must be greater than 0")
    return parsed


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = parse_arguments(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    data = options.data.resolve()
    world = build_world(data, notify_speed=options.notify_speed)
    server = serve(create_app(world), options.host, options.port)
    url = options.public_url or f"http://{_bracketed(options.host)}:{server.server_port}"
    write_settings(world.keys, url.rstrip("/"))
    world.start()
    for name in (signal.SIGTERM, signal.SIGINT):
        # shutdown() waits for serve_forever, which runs in this very thread.
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    print(json.dumps({"ready": True, "url": url.rstrip("/"), "data": str(data)}), flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    world.close()
    return 0


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
