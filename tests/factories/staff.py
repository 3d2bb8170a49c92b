"""Second factors for tests."""

from flask import Flask

from portal.kit import clock
from portal.kit.db import db
from portal.learners.models import Learner, LoginSession
from portal.staff import second_factor, totp
from portal.staff.models import SecondFactor
from portal.staff.seeds import SeedBox


def box_of(app: Flask) -> SeedBox:
    """Return what seals the seeds of a portal."""
    box: SeedBox = app.extensions["portal_tools"].seeds
    return box


def code_of(seed: bytes, ahead: int = 0) -> str:
    """Return the code of a seed now, or some steps of 30 seconds ahead."""
    return totp.code_at(seed, totp.step_at(clock.now()) + ahead)


def set_up_phone(app: Flask, learner: Learner) -> tuple[bytes, list[str]]:
    """Give a person a second factor; return its seed and the recovery codes. The code of now is used up."""
    session = LoginSession(public_id="a-session-of-a-test")
    with app.app_context():
        seed = second_factor.pending_seed(learner, session, box_of(app))
        codes = second_factor.set_up(learner, session, code_of(seed), box_of(app))
    return seed, codes


def shown_seed(app: Flask, learner: Learner) -> bytes:
    """Return the seed that a person was shown and has not put into use yet."""
    with app.app_context():
        factor = db.session.get_one(SecondFactor, learner.id)
        assert factor.pending_seed is not None
        return box_of(app).open(factor.pending_seed, learner.public_id)[0]
