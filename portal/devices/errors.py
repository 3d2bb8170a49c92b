"""Why an editor gets no tokens: `code` is the `error` of RFC 6749 (section 5.2) and RFC 8628 (section 3.5).

Refused
├── InvalidRequest, UnsupportedGrantType    the request itself
├── InvalidClient, InvalidScope             who asks, and for what
├── InvalidGrant                            the code or token is unknown, used, ended or another's
└── AuthorizationPending, SlowDown, AccessDenied, ExpiredToken    how the learner's answer stands
"""

from portal.kit.errors import PortalError


class Refused(PortalError):
    """No tokens; `detail` is a sentence in plain ASCII, for the editor's log."""

    status = 400
    sentence = "The request was refused."

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.sentence)


class InvalidRequest(Refused):
    """A parameter is missing, doubled, too long, or the form cannot be read."""

    code = "invalid_request"


class UnsupportedGrantType(Refused):
    """Neither a device code nor a refresh token is offered."""

    code = "unsupported_grant_type"
    sentence = "Only device codes and refresh tokens are exchanged for access tokens."


class InvalidClient(Refused):
    """No such client."""

    code = "invalid_client"
    sentence = "This client is not known."


class InvalidScope(Refused):
    """A scope that does not exist, or was not granted."""

    code = "invalid_scope"
    sentence = "The scope is unknown, or more than was granted."


class InvalidGrant(Refused):
    """The device code or refresh token is worth nothing, and never will be."""

    code = "invalid_grant"
    sentence = "The code or token is unknown, used, expired or ended. Please sign in again."


class AuthorizationPending(Refused):
    """The learner has not answered yet."""

    code = "authorization_pending"
    sentence = "The learner has not answered yet. Ask again after the interval."


class SlowDown(Refused):
    """Asked too soon: still no answer, and the interval is five seconds longer from now on."""

    code = "slow_down"
    sentence = "Asked too soon. The interval is 5 seconds longer from now on."


class AccessDenied(Refused):
    """The learner said no, or may not say yes any more."""

    code = "access_denied"
    sentence = "The learner did not allow this."


class ExpiredToken(Refused):
    """The device code's time was over before it was used."""

    code = "expired_token"
    sentence = "The code has expired. Start again with a new one."
