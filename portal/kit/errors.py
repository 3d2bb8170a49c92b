"""What a room raises when it cannot do what it was asked; each error knows its HTTP status."""


class PortalError(Exception):
    """An expected failure. `code` is stable and machine-readable; the door words it for people."""

    status = 500
    code = "internal"

    def __init__(self, detail: str = "", **facts: object) -> None:
        super().__init__(detail or self.code)
        self.detail = detail
        self.facts = facts


class BadRequest(PortalError):
    """The request cannot be read."""

    status = 400
    code = "bad_request"


class NotFound(PortalError):
    """No such thing, or it is another's: the answer is the same (invariant I16)."""

    status = 404
    code = "not_found"


class Conflict(PortalError):
    """The request does not fit the state things are in."""

    status = 409
    code = "conflict"


class Invalid(PortalError):
    """The request is readable and wrong."""

    status = 422
    code = "invalid"


class TooMany(PortalError):
    """Too often; `retry_after` seconds are to be waited."""

    status = 429
    code = "too_many"

    def __init__(self, retry_after: int, detail: str = "") -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(PortalError):
    """Not now; nothing was changed and trying again is safe."""

    status = 503
    code = "unavailable"
