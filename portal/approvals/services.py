"""Decide whether a person may act alone, and whether an approval is of what was asked for."""

import hashlib
import json

import sqlalchemy as sa

from portal.approvals.models import SoloAllowance
from portal.config import Settings
from portal.kit import beijing, clock
from portal.kit.db import changed_one, db
from portal.kit.errors import Conflict, PortalError


class OwnRequest(PortalError):
    """Nobody approves what they asked for themselves."""

    status = 403
    code = "own_request"


class ChangedSinceAsked(Conflict):
    """What is to be approved is not what the approver was shown."""

    code = "changed_since_asked"


def may_act_alone(person_id: int, amount_fen: int, settings: Settings) -> bool:
    """Tell, in the running transaction, whether a person may give this away alone, and count it if so.

    The compare-and-set on the day's sum is what keeps two acts at once from passing the limit together.

    Args:
        person_id: the row id of whoever decides.
        amount_fen: what is given away, in fen.

    Raises:
        IntegrityError: the person's first act of the day was counted by somebody faster (`transactional` looks
            again).
    """
    if settings.APPROVAL_ONE_PERSON_SHOP:
        return True
    if amount_fen > settings.APPROVAL_SINGLE_FEN or amount_fen > settings.APPROVAL_DAY_FEN:
        return False
    today = beijing.day_of(clock.now())
    added = db.session.execute(
        sa.update(SoloAllowance)
        .where(
            SoloAllowance.person_id == person_id,
            SoloAllowance.day == today,
            SoloAllowance.spent_fen <= settings.APPROVAL_DAY_FEN - amount_fen,
        )
        .values(spent_fen=SoloAllowance.spent_fen + amount_fen)
        .execution_options(synchronize_session=False)
    )
    if changed_one(added):
        return True
    is_counted = sa.select(SoloAllowance.id).where(
        SoloAllowance.person_id == person_id, SoloAllowance.day == today
    )
    if db.session.scalar(is_counted) is not None:
        return False
    db.session.execute(sa.insert(SoloAllowance).values(person_id=person_id, day=today, spent_fen=amount_fen))
    return True


def check_approver(requested_by: int, approver: int, settings: Settings) -> None:
    """Refuse the approval of one's own request.

    Raises:
        OwnRequest: unless this is a shop of one person.
    """
    if requested_by == approver and not settings.APPROVAL_ONE_PERSON_SHOP:
        raise OwnRequest


def digest_of(**facts: str | int | None) -> str:
    """Return the SHA-256 of what is asked for: an approval names it, and is worth nothing for anything else."""
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
