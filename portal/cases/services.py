"""Open cases, take them, comment on them, close them."""

import logging
import unicodedata
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.cases.models import Case, CaseAct, CaseEvent, CaseKind, CaseStatus
from portal.kit import clock, ids
from portal.kit.db import changed_one, db, insert_row, transactional
from portal.kit.errors import Conflict, Invalid, NotFound

log = logging.getLogger(__name__)

LONGEST_TEXT = 2000


class BadCaseText(Invalid):
    """A comment or reason is empty, too long, or has characters that cannot be shown."""

    code = "bad_text"


class CaseClosed(Conflict):
    """The case is closed: nothing more is done to it."""

    code = "case_closed"


def open_case(
    kind: CaseKind,
    dedup_key: str,
    evidence: dict[str, Any],
    *,
    order_id: int | None = None,
    payment_id: int | None = None,
    amount_fen: int | None = None,
    currency: str | None = None,
    is_news: bool = False,
) -> int:
    """Open a case in the running transaction, unless its cause has one already; return the case's id.

    What closed by itself is opened again when its cause is back. What a person closed stays closed.

    Args:
        kind: why a person has to look.
        dedup_key: names the cause.
        evidence: ids and facts that help to decide; no secrets.
        order_id, payment_id: what it is about, where known.
        amount_fen: the money in question, in fen of `currency`.
        is_news: it did not stand so when a person closed it; it is opened again for that, too.
    """
    key = f"{kind}:{dedup_key}"
    known = db.session.execute(sa.select(Case.id, Case.status).where(Case.dedup_key == key)).first()
    if known is not None:
        if known.status == CaseStatus.CLOSED and (is_news or _closed_by(known.id) == audit.SYSTEM):
            _move(known.id, CaseStatus.CLOSED, CaseStatus.OPEN)
            _add_event(known.id, CaseAct.REOPENED, audit.SYSTEM, "The cause is there again.")
            log.error("case opened again", extra={"alert": True, "case_kind": kind.value, "case_key": key})
        return int(known.id)
    case_id = insert_row(
        sa.insert(Case).values(
            kind=kind.value,
            dedup_key=key,
            status=CaseStatus.OPEN.value,
            order_id=order_id,
            payment_id=payment_id,
            amount_fen=amount_fen,
            currency=currency,
            evidence=evidence,
            created_at=clock.now(),
        )
    )
    log.error("case opened", extra={"alert": True, "case_kind": kind.value, "case_key": key})
    return case_id


def resolve_case(case_id: int, why: str) -> bool:
    """Close a case whose cause is gone, in the running transaction; return whether it was open.

    Args:
        why: what made the cause go away, shown with the case.
    """
    if not _move(case_id, CaseStatus.OPEN, CaseStatus.CLOSED):
        return False
    _add_event(case_id, CaseAct.CLOSED, audit.SYSTEM, why)
    audit.record("case.resolved", f"case:{case_id}", audit.SYSTEM, why=why)
    return True


def settle_case(kind: CaseKind, dedup_key: str, why: str) -> None:
    """Close the case that a cause has, in the running transaction, because the cause is gone.

    Args:
        kind, dedup_key: as the case was opened with; nothing happens when there is none.
        why: what made the cause go away, shown with the case.
    """
    case_id = db.session.scalar(sa.select(Case.id).where(Case.dedup_key == f"{kind}:{dedup_key}"))
    if case_id is not None:
        resolve_case(case_id, why)


@transactional
def close_case(case_id: int, reason: str, actor: str) -> bool:
    """Close a case for good; return False when it was closed already.

    Args:
        reason: what was decided, kept and shown.
        actor: who decided.

    Raises:
        NotFound: there is no such case.
        BadCaseText: the reason is empty or cannot be kept.
    """
    text = _checked(reason)
    case = case_of(case_id)
    if not _move(case_id, CaseStatus.OPEN, CaseStatus.CLOSED):
        return False
    _add_event(case_id, CaseAct.CLOSED, actor, text)
    audit.record("case.closed", f"case:{case_id}", actor, kind=case.kind, reason=text)
    return True


@transactional
def comment_case(case_id: int, text: str, actor: str) -> None:
    """Add a comment to a case, open or closed.

    Raises:
        NotFound: there is no such case.
        BadCaseText: the comment is empty or cannot be kept.
    """
    kept = _checked(text)
    case_of(case_id)
    _add_event(case_id, CaseAct.COMMENTED, actor, kept)
    audit.record("case.commented", f"case:{case_id}", actor, text=kept)


@transactional
def take_case(case_id: int, actor: str) -> None:
    """Make `actor` the owner of an open case, whoever had it before.

    Raises:
        NotFound: there is no such case.
        CaseClosed: nobody owns a closed case anew.
    """
    case = case_of(case_id)
    if case.owner == actor:
        return
    taken = db.session.execute(
        sa.update(Case)
        .where(Case.id == case_id, Case.status == CaseStatus.OPEN.value)
        .values(owner=actor)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(taken):
        raise CaseClosed
    _add_event(case_id, CaseAct.TAKEN, actor, "")
    audit.record("case.taken", f"case:{case_id}", actor, before=case.owner)


def case_of(case_id: int) -> Case:
    """Return a case.

    Raises:
        NotFound: there is no such case.
    """
    case = db.session.get(Case, case_id, populate_existing=True) if ids.is_row_id(case_id) else None
    if case is None:
        raise NotFound
    return case


def _move(case_id: int, before: CaseStatus, after: CaseStatus) -> bool:
    moved = db.session.execute(
        sa.update(Case)
        .where(Case.id == case_id, Case.status == before.value)
        .values(status=after.value)
        .execution_options(synchronize_session=False)
    )
    return changed_one(moved)


def _closed_by(case_id: int) -> str | None:
    return db.session.scalar(
        sa.select(CaseEvent.actor)
        .where(CaseEvent.case_id == case_id, CaseEvent.act == CaseAct.CLOSED.value)
        .order_by(CaseEvent.id.desc())
        .limit(1)
    )


def _add_event(case_id: int, act: CaseAct, actor: str, text: str) -> None:
    db.session.execute(
        sa.insert(CaseEvent).values(case_id=case_id, act=act.value, actor=actor, text=text, at=clock.now())
    )


def _checked(text: str) -> str:
    kept = unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip())
    if not kept or len(kept) > LONGEST_TEXT:
        raise BadCaseText(f"1 to {LONGEST_TEXT} characters")
    # Line breaks are fine in a comment; other controls, lone surrogates and reversed writing are not.
    if any(unicodedata.category(character) in {"Cc", "Cs", "Cf"} and character != "\n" for character in kept):
        raise BadCaseText("characters that cannot be shown")
    return kept
