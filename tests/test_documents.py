"""What the documents say of the code is so."""

import re

import pytest

from portal.config import ROOT

TEXT = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:\w+/)*test_\w+\.py(?:::\w+)*)`", TEXT)))


def numbers(letter: str) -> list[int]:
    """Return the numbers of the rows that begin with `| F1 |` and the like."""
    return [int(number) for number in re.findall(rf"^\| {letter}(\d+) \|", TEXT, re.MULTILINE)]


@pytest.mark.parametrize("name", NAMED)
def test_each_test_that_reliability_names_exists(name):
    path, *parts = name.split("::")
    source = (ROOT / "tests" / path).read_text(encoding="utf-8")
    for part in parts:
        assert re.search(rf"^\s*(def|class) {part}\b", source, re.MULTILINE), part


@pytest.mark.parametrize(("letter", "last"), [("I", 22), ("F", 46)])
def test_every_promise_and_every_fault_has_its_row(letter, last):
    assert numbers(letter) == list(range(1, last + 1))


def test_each_row_names_a_test_or_says_why_there_is_none():
    for row in re.findall(r"^\| [IF]\d+ \|.*$", TEXT, re.MULTILINE):
        assert re.search(r"`(?:\w+/)*test_\w+\.py|[Nn]ot (?:proven|built|there)", row), row
