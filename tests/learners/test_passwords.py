"""Which passwords may be chosen, and how they are kept."""

import threading
import unicodedata

import pytest
from argon2 import PasswordHasher, extract_parameters

from portal.kit.errors import Unavailable
from portal.learners import passwords
from portal.learners.passwords import Weakness, WeakPassword, checked, hashed, is_outdated, matches

EMAIL = "wang.xiaoming@example.com"


@pytest.mark.parametrize(
    "password",
    [
        "ten chars!",
        "x" * 3 + "y" * 125,
        "correct horse battery staple",
        "我喜欢在清晨学习编程语言",
        "2026-11-24 08:15",
        "🐴🔋📎✂️🐴🔋📎✂️🐴🔋",
    ],
)
def test_length_is_all_that_is_asked_for(password):
    assert checked(password, EMAIL) == unicodedata.normalize("NFC", password)


@pytest.mark.parametrize(
    ("password", "weakness"),
    [
        ("", Weakness.TOO_SHORT),
        ("nine char", Weakness.TOO_SHORT),
        ("xy" * 64 + "z", Weakness.TOO_LONG),
        ("a password\x00 with nul", Weakness.CONTROL),
        ("two lines\nof password", Weakness.CONTROL),
        ("half an emoji \ud83d", Weakness.CONTROL),
        ("1234567890", Weakness.COMMON),
        ("Password123", Weakness.COMMON),
        ("woaini1314", Weakness.COMMON),
        ("5201314520", Weakness.COMMON),
        ("1Q2W3E4R5T", Weakness.COMMON),
        ("aaaaaaaaaaaa", Weakness.COMMON),
        ("abcabcabcabc", Weakness.COMMON),
        (EMAIL, Weakness.PERSONAL),
        ("Wang.Xiaoming.2026", Weakness.PERSONAL),
        ("LearningBuddy", Weakness.PERSONAL),
        ("learning-buddy-2026", Weakness.PERSONAL),
    ],
)
def test_what_is_easily_guessed_or_cannot_be_typed_is_refused(password, weakness):
    with pytest.raises(WeakPassword) as refused:
        checked(password, EMAIL)
    assert refused.value.weakness is weakness


def test_a_short_name_in_a_password_is_no_reason_to_refuse_it():
    assert checked("li-20261124-x", "li@example.com")


def test_the_hash_costs_what_we_promise():
    parameters = extract_parameters(hashed("a quiet password"))
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19 * 1024, 2, 1)
    assert extract_parameters(passwords._NOBODYS_HASH) == parameters


def test_the_same_text_in_other_code_points_is_the_same_password():
    composed, apart = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert matches(hashed(checked(composed, EMAIL)), apart)


def test_nothing_is_cut_off():
    long = "a long password " * 8
    assert len(long) == 128
    assert not matches(hashed(long), long[:-1])


def test_nobodys_password_is_hashed_all_the_same(hasher):
    assert matches(None, "anything at all") is False
    assert hasher.count == 1


def test_a_cheaper_hash_is_outdated():
    assert is_outdated(PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash("x"))
    assert not is_outdated(hashed("a quiet password"))


def test_two_are_hashed_at_a_time_and_a_flood_is_told_to_come_back(monkeypatch):
    monkeypatch.setattr(passwords, "_PATIENCE_SECONDS", 0.01)
    entered, leave = threading.Barrier(3), threading.Event()

    class Slow:
        def hash(self, _password):
            entered.wait(10)
            leave.wait(10)
            return "hash"

    monkeypatch.setattr(passwords, "_hasher", Slow())
    threads = [threading.Thread(target=hashed, args=("a quiet password",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    with pytest.raises(Unavailable):
        hashed("a third one")
    leave.set()
    for thread in threads:
        thread.join()
