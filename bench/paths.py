"""The paths that are measured, and the requests that take them. One path: a name, a status, and its requests."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import cycle, islice

from bench import load
from bench.shop import COURSES, FEN, Person, Shop, course_id, get, pairs, post

# An account may poll 300 times a minute.
_WATCHERS = 200
_VISITORS = 50
# An account may have five open orders.
_OPEN_ORDERS = 5
_ETAG = re.compile(rb"\r\nETag: *(\S+)", re.IGNORECASE)
_BUYERS_COURSES = 20


@dataclass(frozen=True)
class Path:
    """`prepare(shop, port, seconds)` makes the requests for a server in all its rounds.

    `target` is the share of the floor's throughput that the portal is to reach.
    """

    name: str
    title: str
    status: int
    target: float | None
    prepare: Callable[[Shop, int, float], Iterable[bytes]]


def _notify(shop: Shop, _port: int, seconds: float) -> Iterable[bytes]:
    count = int(900 * seconds)
    people = shop.people(-(-count // _BUYERS_COURSES))
    orders = shop.orders(list(islice(pairs(people, _BUYERS_COURSES), count)))
    return iter(shop.notifications(orders))


def _forged(shop: Shop, _port: int, _seconds: float) -> Iterable[bytes]:
    return cycle(shop.notifications([{"out_trade_no": f"LBT261124FORGED{n:04d}"} for n in range(50)], "bad"))


def _watched(shop: Shop) -> list[tuple[Person, str]]:
    people = shop.people(_WATCHERS)
    orders = shop.orders([(person, 0) for person in people])
    return [(p, f"/checkout/{order['public_id']}/status") for p, order in zip(people, orders, strict=True)]


def _poll(shop: Shop, _port: int, _seconds: float) -> Iterable[bytes]:
    return cycle([get(path, person.cookie, "Sec-Fetch-Dest: empty") for person, path in _watched(shop)])


def _poll_unchanged(shop: Shop, port: int, _seconds: float) -> Iterable[bytes]:
    requests = []
    for person, path in _watched(shop):
        etag = _ETAG.search(load.one(port, get(path, person.cookie)))
        assert etag, "an answer without ETag"
        tag = f"If-None-Match: {etag[1].decode()}"
        requests.append(get(path, person.cookie, "Sec-Fetch-Dest: empty", tag))
    return cycle(requests)


def _catalogue(shop: Shop, _port: int, _seconds: float) -> Iterable[bytes]:
    return cycle([get("/courses", shop.cookie()[0]) for _ in range(_VISITORS)])


def _account(shop: Shop, _port: int, _seconds: float) -> Iterable[bytes]:
    people = shop.people(_VISITORS)
    shop.orders(list(pairs(people, 20)), is_paid=True)
    return cycle([get("/account/orders", person.cookie) for person in people])


def checkouts(shop: Shop, count: int) -> list[bytes]:
    """Return `count` purchases, of learners who each buy five courses."""
    people = shop.people(-(-count // _OPEN_ORDERS))
    return [
        post(f"/courses/{course_id(course)}/buy", person.cookie, f"csrf_token={person.token}&price_fen={FEN}")
        for course in range(_OPEN_ORDERS)
        for person in people
    ][:count]


def _checkout(shop: Shop, _port: int, seconds: float) -> Iterable[bytes]:
    return iter(checkouts(shop, int(200 * seconds)))


PATHS = (
    Path("notify", "notification to license", 200, 0.60, _notify),
    Path("poll", "status poll, 200", 200, 0.50, _poll),
    Path("poll-304", "status poll, 304", 304, 0.50, _poll_unchanged),
    Path("catalogue", f"catalogue, {COURSES} courses", 200, 0.50, _catalogue),
    Path("account", "account page, 20 orders", 200, 0.45, _account),
    Path("forged", "forged notification", 401, 0.60, _forged),
    Path("checkout", "checkout, gateway 50 ms", 303, None, _checkout),
)
