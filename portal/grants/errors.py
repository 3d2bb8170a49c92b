"""What can be wrong with a grant."""

from portal.kit.errors import Conflict, Invalid


class BadDays(Invalid):
    """Days are a whole number from 1 to 3660."""

    code = "bad_days"


class BadReference(Invalid):
    """A transaction's number is 6 to 64 letters, digits, `_` or `-`."""

    code = "bad_reference"


class ReferenceKnown(Conflict):
    """The portal has this payment; `facts["order_id"]` is its order, which has its own ways."""

    code = "reference_known"


class ReferenceUsed(Conflict):
    """A license was given for this transaction, or is asked for; `facts["grant_id"]` names it."""

    code = "reference_used"


class NotWaiting(Conflict):
    """The grant was decided meanwhile."""

    code = "not_waiting"


class BadList(Invalid):
    """The list cannot be read as a whole; `facts["line"]` is where, `facts["problem"]` what."""

    code = "bad_list"
