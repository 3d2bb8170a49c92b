"""One path, on the floor and on the portal in turns, so that a busy machine disturbs both alike."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench import load
from bench.paths import Path
from bench.servers import Server, cpu_seconds, statements
from bench.shop import Shop
from tests.support.databases import DatabaseServer


@dataclass(frozen=True)
class Round:
    """Some seconds of load. CPU in µs a request, of the web processes and of the database server."""

    count: int
    per_second: float
    p50_ms: float
    p99_ms: float
    web_us: float
    database_us: float
    statements: float
    bytes: float
    statuses: dict[int, int]


def round_of(
    server: Server, requests: Iterable[bytes], seconds: float, database: DatabaseServer, connections: int = 16
) -> Round:
    """Load a server for some seconds."""
    group = database.child.pid if database.child else 0
    web, own, sent = cpu_seconds(server.group), _cpu(group), _statements(database)
    done = load.run(server.port, requests, seconds, connections)
    count = max(done.count, 1)
    return Round(
        count=done.count,
        per_second=done.count / done.seconds,
        p50_ms=done.quantile_ms(0.5),
        p99_ms=done.quantile_ms(0.99),
        web_us=(cpu_seconds(server.group) - web) / count * 1e6,
        database_us=(_cpu(group) - own) / count * 1e6,
        statements=(_statements(database) - sent) / count,
        bytes=done.bytes_received / count,
        statuses=dict(done.statuses),
    )


def _cpu(group: int) -> float:
    return cpu_seconds(group) if group else 0.0


def _statements(database: DatabaseServer) -> int:
    return 0 if database.is_sqlite else statements(database)


@dataclass
class Measured:
    """The rounds of one side."""

    rounds: list[Round] = field(default_factory=list)

    def __getattr__(self, name: str) -> float:
        """Return the median over the rounds of what is called `name`."""
        if name not in Round.__dataclass_fields__:
            raise AttributeError(name)
        return median(getattr(one, name) for one in self.rounds)

    def as_json(self) -> dict[str, Any]:
        """Return the medians."""
        names = [name for name in Round.__dataclass_fields__ if name != "statuses"]
        return {name: round(float(getattr(self, name)), 3) for name in names}


@dataclass(frozen=True)
class Pair:
    """A path on both sides."""

    path: Path
    floor: Measured
    portal: Measured

    @property
    def ratio(self) -> float:
        """The portal's throughput as a share of the floor's."""
        return self.portal.per_second / self.floor.per_second

    @property
    def cpu_ratio(self) -> float:
        """The portal's CPU per request as a multiple of the floor's."""
        return self.portal.web_us / self.floor.web_us

    @property
    def wrong(self) -> int:
        """How many answers were not what the path answers."""
        rounds = [*self.floor.rounds, *self.portal.rounds]
        return sum(
            count for one in rounds for status, count in one.statuses.items() if status != self.path.status
        )


def measure(
    path: Path,
    shop: Shop,
    floor: Server,
    portal: Server,
    database: DatabaseServer,
    rounds: int,
    seconds: float,
) -> Pair:
    """Load both sides in turns; a first short round warms both up and is not counted."""
    sides = ((floor, Measured()), (portal, Measured()))
    whole = seconds * (rounds + 0.5)
    requests = [iter(path.prepare(shop, server.port, whole)) for server, _ in sides]
    for number in range(rounds + 1):
        for (server, measured), waiting in zip(sides, requests, strict=True):
            one = round_of(server, waiting, seconds if number else seconds / 2, database)
            if number:
                measured.rounds.append(one)
    return Pair(path, sides[0][1], sides[1][1])
