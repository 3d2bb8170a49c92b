"""How a form of OAuth is read: strictly, because the RFCs say so (RFC 6749, section 3.2)."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from flask import request

from portal.devices.errors import InvalidClient, InvalidRequest

_FORM = "application/x-www-form-urlencoded"
_LARGEST = 8 * 1024
_LONGEST_VALUE = 512
_MOST_FIELDS = 20


@dataclass(frozen=True)
class OAuthForm:
    """The parameters of a request; one sent without a value is one left out, unknown ones are ignored."""

    values: dict[str, str]

    def get(self, name: str) -> str:
        """Return a parameter, empty when it was left out."""
        return self.values.get(name, "")

    def required(self, name: str) -> str:
        """Return a parameter.

        Raises:
            InvalidRequest: when it was left out.
        """
        value = self.get(name)
        if not value:
            raise InvalidRequest(f"The parameter {name} is missing.")
        return value


def read_form() -> OAuthForm:
    """Read the body of this request.

    Raises:
        InvalidRequest: no form, too large, not UTF-8, or with a parameter twice or too long.
        InvalidClient: credentials in a header, which no client of ours has.
    """
    if "Authorization" in request.headers:
        raise InvalidClient("Clients of this portal have no credentials.")
    if request.mimetype != _FORM or request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise InvalidRequest(f"The body must be {_FORM}, in UTF-8.")
    if "Content-Encoding" in request.headers:
        raise InvalidRequest("The body must not be compressed.")
    body = request.stream.read(_LARGEST + 1)
    if len(body) > _LARGEST:
        raise InvalidRequest("The body is too large.")
    return OAuthForm(_checked(_pairs(body)))


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:  # UnicodeDecodeError is one
        raise InvalidRequest("The body cannot be read as a form.") from None


def _checked(pairs: list[tuple[str, str]]) -> dict[str, str]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise InvalidRequest("A parameter stands twice.")
    if any(len(value) > _LONGEST_VALUE or "\x00" in value for value in values.values()):
        raise InvalidRequest("A parameter is too long, or holds what cannot be read.")
    return values
