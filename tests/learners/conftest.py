"""What the tests of people share."""

from collections.abc import Iterator

import pytest
from flask import Flask

from portal.learners import passwords


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    """The database, for services called directly."""
    with app.app_context():
        yield


class CountingHasher:
    """The real hasher; `count` tells how often it was made to work."""

    def __init__(self) -> None:
        self.count = 0
        self._hasher = passwords._hasher

    def hash(self, password: bytes) -> str:
        self.count += 1
        return self._hasher.hash(password)

    def verify(self, stored_hash: str, password: bytes) -> bool:
        self.count += 1
        return self._hasher.verify(stored_hash, password)

    def check_needs_rehash(self, stored_hash: str) -> bool:
        return self._hasher.check_needs_rehash(stored_hash)


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> CountingHasher:
    """Counts the hashings of a test."""
    counting = CountingHasher()
    monkeypatch.setattr(passwords, "_hasher", counting)
    return counting
