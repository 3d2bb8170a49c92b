"""The one seed of everything a run of the proof draws: printed at its end, and set by `PROVE_SEED` to repeat it."""

import os
import random
import zlib

VARIABLE = "PROVE_SEED"


def choose_seed() -> int:
    """Return the run's seed, drawn now unless the environment names one; processes started later share it."""
    if not os.environ.get(VARIABLE):
        os.environ[VARIABLE] = str(random.SystemRandom().randrange(10**9))
    return int(os.environ[VARIABLE])


def seed_of(name: str) -> int:
    """Return the seed of one test, which depends on the run's seed and its name alone."""
    return zlib.crc32(f"{choose_seed()}:{name}".encode())


def how_many(per_push: int, proving: int) -> int:
    """Return how often a thing is done: in `make test`, or when `make prove` has time (`PROVE=1`)."""
    return proving if os.environ.get("PROVE") else per_push
