"""The second factor of staff: set up, shown, reset. A password alone opens no page of the admin."""

import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.audit import services as audit
from portal.kit import clock, ids
from portal.kit.db import changed_one, db, transactional
from portal.kit.errors import Conflict, Invalid
from portal.learners import throttle
from portal.learners.models import Learner, LoginSession
from portal.learners.sessions import actor, end_other_sessions
from portal.learners.throttle import Rule
from portal.staff import totp
from portal.staff.models import RecoveryCode, SecondFactor, UsedCode
from portal.staff.seeds import SeedBox

log = logging.getLogger(__name__)

FRESH = timedelta(minutes=5)
"""How long a code counts as just entered, for what asks for a fresh one."""
RECOVERY_CODES = 10
_SEED_BYTES = 20
_TRIES = Rule("second-factor", 5, timedelta(minutes=10), timedelta(minutes=10))
_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_RECOVERY_CODE = re.compile(r"[0-9A-Z]{16}", re.ASCII)
_BETWEEN = re.compile(r"[\s-]+")
_LONGEST = 64
_USED_CODES_KEPT_STEPS = 20


class WrongCode(Invalid):
    """Not a code of now, or one that was used before."""

    code = "wrong_code"


class NotSetUp(Conflict):
    """There is no second factor to show, or none that waits for its first code."""

    code = "second_factor_not_set_up"


def is_set_up(learner: Learner) -> bool:
    """Tell whether a person has a second factor in use."""
    factor = _factor_of(learner)
    return factor is not None and factor.sealed_seed is not None


def is_fresh(session: LoginSession) -> bool:
    """Tell whether the latest code of a session is at most five minutes old."""
    entered: datetime | None = session.second_factor_at
    return entered is not None and clock.now() - entered <= FRESH


def _factor_of(learner: Learner) -> SecondFactor | None:
    return db.session.scalar(
        sa.select(SecondFactor)
        .where(SecondFactor.learner_id == learner.id)
        .execution_options(populate_existing=True)
    )


@transactional
def pending_seed(learner: Learner, session: LoginSession, box: SeedBox) -> bytes:
    """Return the seed that waits for its first code; asking again in the same session gives the same one."""
    factor = _factor_of(learner)
    if factor is not None and factor.pending_seed is not None and factor.pending_for == session.public_id:
        return box.open(factor.pending_seed, learner.public_id)[0]
    seed = ids.random_bytes(_SEED_BYTES)
    if factor is None:
        factor = SecondFactor(learner_id=learner.id)
        db.session.add(factor)
    factor.pending_seed, factor.pending_for = box.seal(seed, learner.public_id), session.public_id
    return seed


def set_up(learner: Learner, session: LoginSession, code: str, box: SeedBox) -> list[str]:
    """Put the seed that was shown in a session into use, proven by a code of it.

    The former seed and codes are void, and all other sessions of the person end. Returns ten recovery codes.

    Raises:
        NotSetUp: no seed is pending in this session.
        WrongCode, TooManyTries.
    """
    throttle.take_try(_TRIES, learner.public_id)
    codes = _new_codes()
    _set_up(learner, session, _bare(code), box, codes)
    throttle.forget_tries(_TRIES, learner.public_id)
    return _written(codes)


@transactional
def _set_up(learner: Learner, session: LoginSession, code: str, box: SeedBox, codes: list[str]) -> None:
    if _has_code(learner, codes[0]):
        return  # The connection was lost while committing them.
    factor = _factor_of(learner)
    if factor is None or factor.pending_seed is None or factor.pending_for != session.public_id:
        raise NotSetUp
    _use_code(learner, box.open(factor.pending_seed, learner.public_id)[0], code)
    moved = db.session.execute(
        sa.update(SecondFactor)
        .where(SecondFactor.learner_id == learner.id, SecondFactor.pending_seed == factor.pending_seed)
        .values(
            sealed_seed=factor.pending_seed, pending_seed=None, pending_for=None, confirmed_at=clock.now()
        )
        .execution_options(synchronize_session=False)
    )
    if not changed_one(moved):
        raise NotSetUp
    end_other_sessions(learner, session.id)
    audit.record("second_factor.set_up", actor(learner), staff_actor(learner))
    _store_codes(learner, codes)


def staff_actor(learner: Learner) -> str:
    """Return how the audit names a person who acts as staff."""
    return f"staff:{learner.public_id}"


def check_code(learner: Learner, code: str, box: SeedBox) -> None:
    """Accept a code of the second factor, or a recovery code, once.

    Tries are counted before they are made: five in ten minutes, many at once included.

    Raises:
        NotSetUp, WrongCode, TooManyTries.
        SeedUnreadable: no key that we have opens the seed.
    """
    throttle.take_try(_TRIES, learner.public_id)
    try:
        _accept(learner, _bare(code), box, _Attempt())
    except WrongCode:
        log.warning("second factor failed", extra={"security": True, "learner": learner.public_id})
        raise
    throttle.forget_tries(_TRIES, learner.public_id)


def _bare(code: str) -> str:
    """Return a code without the blanks and dashes that people type between its parts."""
    return _BETWEEN.sub("", code[:_LONGEST]).upper()


@dataclass
class _Attempt:
    """A code being accepted. `is_done`: nothing was left but the COMMIT, the answer to which may have been lost."""

    is_done: bool = False


@transactional
def _accept(learner: Learner, code: str, box: SeedBox, attempt: _Attempt) -> None:
    try:
        _accept_once(learner, code, box)
    except WrongCode:
        if attempt.is_done:
            return  # It was we who used it.
        raise
    db.session.flush()
    attempt.is_done = True


def _accept_once(learner: Learner, code: str, box: SeedBox) -> None:
    factor = _factor_of(learner)
    if factor is None or factor.sealed_seed is None:
        raise NotSetUp
    if _RECOVERY_CODE.fullmatch(code):
        _use_recovery_code(learner, code)
        return
    seed, is_sealed_with_former_key = box.open(factor.sealed_seed, learner.public_id)
    _use_code(learner, seed, code)
    if is_sealed_with_former_key:
        factor.sealed_seed = box.seal(seed, learner.public_id)


def _use_code(learner: Learner, seed: bytes, code: str) -> None:
    step = totp.matching_step(seed, code, clock.now()) if _CODE.fullmatch(code) else None
    if step is None or db.session.get(UsedCode, (learner.id, step), populate_existing=True) is not None:
        raise WrongCode
    # Its key refuses the same code used twice at one moment; `transactional` then looks again.
    db.session.execute(sa.insert(UsedCode).values(learner_id=learner.id, step=step))


def _use_recovery_code(learner: Learner, code: str) -> None:
    used = db.session.execute(
        sa.update(RecoveryCode)
        .where(
            RecoveryCode.learner_id == learner.id,
            RecoveryCode.code_hash == ids.secret_hash(code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=clock.now())
    )
    if not changed_one(used):
        raise WrongCode
    audit.record("recovery_code.used", actor(learner), staff_actor(learner))


@transactional
def new_recovery_codes(learner: Learner) -> list[str]:
    """Replace the recovery codes by ten new ones, and return them: they are shown once and kept nowhere."""
    audit.record("recovery_codes.drawn", actor(learner), staff_actor(learner))
    codes = _new_codes()
    _store_codes(learner, codes)
    return _written(codes)


def _new_codes() -> list[str]:
    return [ids.random_text(16) for _ in range(RECOVERY_CODES)]


def _written(codes: list[str]) -> list[str]:
    """Return codes as people read them."""
    return ["-".join(code[start : start + 4] for start in range(0, 16, 4)) for code in codes]


def _has_code(learner: Learner, code: str) -> bool:
    query = sa.select(RecoveryCode.id).where(
        RecoveryCode.learner_id == learner.id, RecoveryCode.code_hash == ids.secret_hash(code)
    )
    return db.session.scalar(query) is not None


def _store_codes(learner: Learner, codes: list[str]) -> None:
    db.session.execute(sa.delete(RecoveryCode).where(RecoveryCode.learner_id == learner.id))
    db.session.execute(
        sa.insert(RecoveryCode),
        [{"learner_id": learner.id, "code_hash": ids.secret_hash(code)} for code in codes],
    )


def recovery_codes_left(learner: Learner) -> int:
    """Count the recovery codes that still work."""
    return (
        db.session.scalar(
            sa.select(sa.func.count())
            .select_from(RecoveryCode)
            .where(RecoveryCode.learner_id == learner.id, RecoveryCode.used_at.is_(None))
        )
        or 0
    )


@transactional
def reset(learner: Learner, reset_by: str, reason: str) -> bool:
    """Take the second factor away, with its codes and all sessions: the phone is lost.

    The next sign-in sets up a new one. Returns whether there was one.
    """
    was_there = is_set_up(learner)
    for table in (SecondFactor, RecoveryCode):
        db.session.execute(sa.delete(table).where(table.learner_id == learner.id))
    end_other_sessions(learner, None, reset_by)
    throttle.forget_tries(_TRIES, learner.public_id)
    audit.record("second_factor.reset", actor(learner), reset_by, reason=reason, was_set_up=was_there)
    return was_there


@transactional
def sweep_used_codes() -> int:
    """Delete used codes whose time is over anyway, and return how many."""
    oldest = totp.step_at(clock.now()) - _USED_CODES_KEPT_STEPS
    swept = db.session.execute(sa.delete(UsedCode).where(UsedCode.step < oldest))
    return int(getattr(swept, "rowcount", 0))
