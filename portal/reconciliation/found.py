"""What a comparison finds."""

from dataclasses import dataclass

from portal.gateways.base import BillKind
from portal.reconciliation.models import DifferenceKind


@dataclass(frozen=True)
class Found:
    """One difference. Amounts in fen of `currency`; `case_id` when the money has a case already."""

    kind: DifferenceKind
    subject: BillKind
    subject_key: str
    our_number: str
    currency: str
    why: str
    line_id: int | None = None
    line_number: int | None = None
    payment_id: int | None = None
    order_id: int | None = None
    theirs_fen: int | None = None
    ours_fen: int | None = None
    case_id: int | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """Name it within its run."""
        return (self.subject.value, self.subject_key, self.kind.value)
