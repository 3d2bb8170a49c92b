"""The load: some keep-alive connections that each send their next request as soon as they have an answer.

One thread and `epoll`, about 20 µs a request, so that the servers and not this program are what is measured.
"""

import itertools
import re
import select
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PATIENCE_SECONDS = 30.0
_CHUNK = 262_144


@dataclass
class Load:
    """What came of some seconds of load. Latencies in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bytes_received: int = 0

    @property
    def count(self) -> int:
        """How many answers came."""
        return len(self.latencies)

    def quantile_ms(self, share: float) -> float:
        """Return the latency in ms that `share` of the answers did not exceed."""
        if not self.latencies:
            return float("nan")
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


class _Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self.request = b""
        self.begun = 0.0
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def send(self, request: bytes) -> None:
        self.request, self.begun = request, time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """Return the answer when all of it is there; b"" when the server has closed the connection."""
        chunk = self.socket.recv(_CHUNK)
        if not chunk:
            return b""
        self._received += chunk
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = _LENGTH.search(head)
        if length is not None and len(body) < int(length[1]) and not head.startswith(b"HTTP/1.1 304"):
            return None
        answer, self._received = self._received, b""
        return answer


def run(port: int, requests: Iterable[bytes], seconds: float, connections: int = 16) -> Load:
    """Send `requests` for `seconds`, or until there are no more, and wait for the last answers."""
    load, waiting = Load(), iter(requests)
    poller = select.epoll()
    lines: dict[int, _Connection] = {}
    begun = time.perf_counter()
    for request in itertools.islice(waiting, connections):
        line = _Connection(port)
        _begin(line, request, poller, lines)
    while lines:
        ready = poller.poll(_PATIENCE_SECONDS)
        if not ready:
            raise TimeoutError(f"no answer within {_PATIENCE_SECONDS:g} s")
        for number, _event in ready:
            _advance(lines[number], begun + seconds, waiting, load, poller, lines)
    load.seconds = time.perf_counter() - begun
    poller.close()
    return load


def _begin(line: _Connection, request: bytes, poller: select.epoll, lines: dict[int, _Connection]) -> None:
    lines[line.socket.fileno()] = line
    poller.register(line.socket.fileno(), select.EPOLLIN)
    line.send(request)


def _advance(
    line: _Connection,
    deadline: float,
    waiting: Iterator[bytes],
    load: Load,
    poller: select.epoll,
    lines: dict[int, _Connection],
) -> None:
    answer = line.receive()
    if answer is None:
        return
    number = line.socket.fileno()
    if answer:
        now = time.perf_counter()
        load.latencies.append(now - line.begun)
        load.statuses[int(answer[9:12])] += 1
        load.bytes_received += len(answer)
        request = next(waiting, None) if now < deadline else None
        if request is not None and b"\r\nconnection: close" not in answer[:2000].lower():
            line.send(request)
            return
    else:
        # Closed before it answered: a server that replaces a worker may do so; ask again.
        request = line.request
    poller.unregister(number)
    del lines[number]
    line.socket.close()
    if request is not None:
        line.open()
        _begin(line, request, poller, lines)


def one(port: int, request: bytes) -> bytes:
    """Send one request and return the whole answer."""
    line = _Connection(port)
    try:
        line.send(request)
        while (answer := line.receive()) is None:
            pass
        return answer
    finally:
        line.socket.close()
