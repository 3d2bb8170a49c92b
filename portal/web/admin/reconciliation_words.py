"""How pages name what reconciliation finds."""

from flask_babel import lazy_gettext as _l

from portal.gateways.base import BillKind
from portal.reconciliation.models import DifferenceKind, RunState

# Each state with the sign and colour of its badge.
STATES = {
    RunState.WAITING: (_l("Waiting for the bill"), "info"),
    RunState.IMPORTED: (_l("Being compared"), "info"),
    RunState.BALANCED: (_l("Balanced"), "good"),
    RunState.DIFFERENT: (_l("With differences"), "warn"),
}
DIFFERENCES = {
    DifferenceKind.MISSING_HERE: _l("Missing here"),
    DifferenceKind.MISSING_THERE: _l("Missing in the bill"),
    DifferenceKind.AMOUNT: _l("Another amount"),
    DifferenceKind.STATE: _l("Another state"),
}
SUBJECTS = {
    BillKind.PAYMENT: _l("A payment"),
    BillKind.REFUND: _l("A refund"),
    BillKind.REVOCATION: _l("A payment undone"),
}
