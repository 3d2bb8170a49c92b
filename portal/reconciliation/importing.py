"""Take a bill in: the whole of it in one transaction, once."""

from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.gateways.base import BillLine, TradeBill
from portal.kit import clock, faults
from portal.kit.db import ChangedMeanwhile, changed_one, db, insert_row, transactional
from portal.kit.errors import Conflict
from portal.reconciliation.models import BillPart, BillRun, ImportedLine, RunState, Source

_ROWS_AT_ONCE = 1000
_PART = 512 << 10


class AnotherBill(Conflict):
    """The day was imported from a bill with other content."""

    code = "another_bill"


@transactional
def run_of(gateway: str, mchid: str, day: date) -> int:
    """Return the id of the day's run, begun now if there is none."""
    known = db.session.scalar(
        sa.select(BillRun.id).where(
            BillRun.gateway == gateway, BillRun.mchid == mchid, BillRun.bill_date == day
        )
    )
    if known is not None:
        return known
    return insert_row(
        sa.insert(BillRun).values(
            gateway=gateway,
            mchid=mchid,
            bill_date=day,
            state=RunState.WAITING.value,
            line_count=0,
            their_paid_fen=0,
            their_refunded_fen=0,
            our_paid_fen=0,
            our_refunded_fen=0,
            created_at=clock.now(),
        )
    )


@transactional
def import_bill(run_id: int, bill: TradeBill, source: Source, actor: str) -> bool:
    """Store lines and file of a judged bill; return False when that has been done before.

    Two at once: one wins the update of the run, and the other finds its work done.

    Raises:
        AnotherBill: the day has lines of a bill with other content; nothing is mixed.
    """
    run = db.session.get_one(BillRun, run_id, populate_existing=True, with_for_update=True)
    if run.sha1 is not None:
        if run.sha1 != bill.sha1:
            raise AnotherBill
        if source is Source.GATEWAY:
            db.session.execute(
                sa.update(BillRun).where(BillRun.id == run_id).values(source=Source.GATEWAY.value)
            )
        return False
    lines = bill.lines()
    while rows := [_row(run, line) for line in islice(lines, _ROWS_AT_ONCE)]:
        db.session.execute(sa.insert(ImportedLine), rows)
        faults.point("bill.mid_import")
    for number, content in enumerate(_parts(bill)):
        db.session.execute(sa.insert(BillPart).values(run_id=run_id, number=number, content=content))
    _mark_imported(run_id, bill, source)
    audit.record(
        "bill.imported",
        f"bill:{run.gateway}:{run.bill_date}",
        actor,
        sha1=bill.sha1,
        lines=bill.line_count,
        source=source.value,
    )
    return True


@transactional
def note_no_bill(run_id: int) -> None:
    """Keep that the gateway has no bill of this day, because nothing happened."""
    db.session.execute(
        sa.update(BillRun)
        .where(BillRun.id == run_id, BillRun.imported_at.is_(None))
        .values(state=RunState.IMPORTED.value, source=Source.GATEWAY.value, imported_at=clock.now())
    )


def _mark_imported(run_id: int, bill: TradeBill, source: Source) -> None:
    marked = db.session.execute(
        sa.update(BillRun)
        .where(BillRun.id == run_id, BillRun.sha1.is_(None))
        .values(
            state=RunState.IMPORTED.value,
            source=source.value,
            sha1=bill.sha1,
            line_count=bill.line_count,
            their_paid_fen=bill.paid_fen,
            their_refunded_fen=bill.refunded_fen,
            imported_at=clock.now(),
        )
        .execution_options(synchronize_session=False)
    )
    if not changed_one(marked):
        raise ChangedMeanwhile("another import was first")


def _row(run: BillRun, line: BillLine) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "gateway": run.gateway,
        "mchid": run.mchid,
        "bill_date": run.bill_date,
        "kind": line.kind.value,
        "line_key": line.key,
        "number": line.number,
        "at": line.at,
        "appid": line.appid,
        "transaction_id": line.transaction_id,
        "out_trade_no": line.out_trade_no,
        "trade_type": line.trade_type,
        "state": line.state.value,
        "currency": line.currency,
        "amount_fen": line.amount_fen,
        "refund_id": line.refund_id,
        "out_refund_no": line.out_refund_no,
    }


def _parts(bill: TradeBill) -> Iterator[bytes]:
    bill.file.seek(0)
    while part := bill.file.read(_PART):
        yield part
