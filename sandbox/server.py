"""The HTTP server under the sandbox: keep-alive like the gateway's, and able to misbehave on the wire.

Werkzeug's own handler closes every connection and always answers; clients of WeChat Pay meet connections that
are kept, dropped, or slow to the byte. So one answer is gathered whole and then sent, slowly or not at all,
as the `Line` of the request says.
"""

from __future__ import annotations

import io
import logging
import select
import socket
import time
from typing import IO, Any, cast

from flask import Flask
from werkzeug.serving import BaseWSGIServer, DechunkedInput, WSGIRequestHandler, make_server

MAX_BODY_BYTES = 3 << 20
IDLE_SECONDS = 8
"""What the gateway's `Keep-Alive: timeout=8` promises."""

log = logging.getLogger("sandbox.server")


class Line:
    """The connection a request came on, as far as a fault may reach it."""

    def __init__(self, connection: socket.socket | None) -> None:
        self._connection = connection
        self.is_dropped = False
        self.seconds_per_byte = 0.0

    def drop(self) -> None:
        """Close without an answer, once the request has been handled."""
        self.is_dropped = True

    def drip(self, seconds_per_byte: float) -> None:
        """Send the whole answer, status line included, byte by byte."""
        self.seconds_per_byte = seconds_per_byte

    def wait_until_left(self, seconds: float) -> None:
        """Return when the client has closed its side, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._connection is None:
                return
            if select.select([self._connection], [], [], 0.1)[0]:
                try:
                    if not self._connection.recv(1, socket.MSG_PEEK):
                        return
                except OSError:
                    return
                time.sleep(0.05)


class Handler(WSGIRequestHandler):
    """One connection: reads a request whole, lets the application answer it, sends what the line allows."""

    server_version = "nginx"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request; called by the base class for every method."""
        body = self._read_body()
        if body is None:
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        line = Line(self.connection)
        environ = self.make_environ()
        environ |= {
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            "sandbox.target": self.path,
            "sandbox.line": line,
        }
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        answer = self._gather(environ)
        if line.is_dropped:
            self.close_connection = True
        elif line.seconds_per_byte:
            self._drip(answer, line.seconds_per_byte)
        else:
            self.wfile.write(answer)

    def log(self, type: str, message: str, *args: Any) -> None:
        """Send the base class's lines to our own logger."""
        log.debug(message, *args)

    def _read_body(self) -> bytes | None:
        """The whole body; None when its length is not believable."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._read_chunked()
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdecimal()) or int(length[:9]) > MAX_BODY_BYTES:
            return None
        return self.rfile.read(int(length))

    def _read_chunked(self) -> bytes | None:
        source, body = DechunkedInput(cast("IO[bytes]", self.rfile)), bytearray()
        try:
            while piece := source.read(65536):
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    return None
        except OSError:
            return None
        return bytes(body)

    def _gather(self, environ: dict[str, Any]) -> bytes:
        """Run the application and return the answer as it goes on the wire."""
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            head[:] = [status, headers]
            return lambda data: None

        result = self.server.app(environ, start_response)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        status, headers = head
        keeps = not self.close_connection
        names = {name.lower() for name, _ in headers}
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        if "date" not in names:
            lines.append(f"Date: {self.date_time_string()}")
        if "content-length" not in names and not status.startswith(("204", "304")):
            lines.append(f"Content-Length: {len(body)}")
        lines.append("Server: nginx")
        lines.append("Connection: keep-alive" if keeps else "Connection: close")
        if keeps:
            lines.append(f"Keep-Alive: timeout={IDLE_SECONDS}")
        sent_body = b"" if environ["REQUEST_METHOD"] == "HEAD" else body
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + sent_body

    def _drip(self, answer: bytes, seconds_per_byte: float) -> None:
        for position in range(len(answer)):
            self.wfile.write(answer[position : position + 1])
            time.sleep(seconds_per_byte)


def serve(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """A bound, threaded server; the caller runs `serve_forever`. Port 0 takes a free one."""
    return make_server(host, port, app, threaded=True, request_handler=Handler)
