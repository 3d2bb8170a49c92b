"""HTTP to WeChat Pay: one pooled connection, no redirects, no proxies, and a deadline for the whole call.

A read timeout alone never fires on a peer that drips a byte a second, so every read of the socket is given
only what is left of the call's time.
"""

import io
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import certifi
import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection, HTTPSConnection

from portal.gateways.base import GatewayUnknown

_CONNECT_SECONDS = 3.0
_READ_SECONDS = 8.0
_WHOLE_CALL_SECONDS = 10.0
_WHOLE_DOWNLOAD_SECONDS = 30.0
_CHUNK = 1 << 16
_LARGEST_ANSWER = 1 << 20
# Half of a web process's 16 threads: a gateway that hangs must not take the pages down with it.
_CALLS_AT_ONCE = 8

BUSY = "busy"

_call = threading.local()


class _DeadlineReader(io.RawIOBase):
    """Reads a socket, each time with no more patience than the call has left."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = _call.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's time is over")
        self._sock.settimeout(min(left, _READ_SECONDS))
        return int(self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineSocket:
    """A connected socket whose readers keep the call's deadline."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def makefile(self, *_args: Any, **_options: Any) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _PlainConnection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = _DeadlineSocket(self.sock)


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = _DeadlineSocket(self.sock)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


@dataclass(frozen=True)
class Answer:
    """What came back; `headers` look up without regard to case."""

    status: int
    headers: HTTPHeaderDict
    body: bytes


class Transport:
    """Sends requests to one origin. Safe between threads; one per process."""

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        options: dict[str, Any] = {
            "port": parts.port,
            "maxsize": _CALLS_AT_ONCE,
            "retries": False,
            "timeout": urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
        }
        assert parts.hostname is not None
        self._pool: urllib3.HTTPConnectionPool
        if parts.scheme == "https":
            self._pool = _TlsPool(
                parts.hostname, ca_certs=certifi.where(), cert_reqs="CERT_REQUIRED", **options
            )
        else:
            self._pool = _PlainPool(parts.hostname, **options)
        self._slots = threading.BoundedSemaphore(_CALLS_AT_ONCE)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send one request and read the whole answer, within 10 seconds.

        Args:
            method: the HTTP method.
            target: path and query, exactly as signed.
            headers: all headers.
            body: the exact bytes to send.

        Raises:
            GatewayUnknown: for no answer, half an answer, or one above 1 MiB; and, without calling,
                when half of this process's threads are waiting for the gateway already.
        """
        with self._slot(_WHOLE_CALL_SECONDS):
            return self._send(method, target, headers, body)

    def download(self, target: str, headers: Mapping[str, str], file: BinaryIO, largest: int) -> int:
        """Stream one answer into `file`, as it is on the wire, within 30 seconds; return its status.

        Only an answer with status 200 is written.

        Args:
            target: path and query, exactly as signed.
            headers: all headers.
            file: where the bytes go.
            largest: how many bytes are taken.

        Raises:
            GatewayUnknown: for no answer, half an answer, or one above `largest`.
        """
        with self._slot(_WHOLE_DOWNLOAD_SECONDS):
            response = self._open("GET", target, {**headers, "Accept-Encoding": "identity"}, None)
            try:
                if response.status == 200:
                    _copy(response, file, largest)
            finally:
                response.close()
            return int(response.status)

    @contextmanager
    def _slot(self, seconds: float) -> Iterator[None]:
        if not self._slots.acquire(blocking=False):
            raise GatewayUnknown(BUSY)
        _call.deadline = time.monotonic() + seconds
        try:
            yield
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise GatewayUnknown(type(error).__name__) from None
        finally:
            self._slots.release()

    def _open(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        return self._pool.urlopen(
            method,
            target,
            body=body,
            headers=headers,
            redirect=False,
            preload_content=False,
            assert_same_host=False,
        )

    def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        response = self._open(method, target, headers, body)
        try:
            raw = response.read(_LARGEST_ANSWER + 1, decode_content=True)
        finally:
            # An answer read to its end gives the connection back; any other is closed with it.
            response.release_conn() if response.closed or response.length_remaining in (
                0,
                None,
            ) else response.close()
        if len(raw) > _LARGEST_ANSWER:
            response.close()
            raise GatewayUnknown("answer too large")
        return Answer(response.status, response.headers, raw)


def _copy(response: urllib3.BaseHTTPResponse, file: BinaryIO, largest: int) -> None:
    size = 0
    # Not decoded: a file that is gzipped stays so, and is unpacked within bounds by whoever reads it.
    while chunk := response.read(_CHUNK, decode_content=False):
        size += len(chunk)
        if size > largest:
            raise GatewayUnknown("file too large")
        file.write(chunk)
