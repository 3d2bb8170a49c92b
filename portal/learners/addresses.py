"""E-mail addresses: one written form for each, ASCII only."""

import re

from portal.kit.errors import Invalid

LONGEST = 254

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = re.compile(
    rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])"
)


class BadAddress(Invalid):
    """Not an e-mail address that we can write to."""

    code = "bad_address"


def normalised(text: str) -> str:
    """Return the form in which addresses are compared: no blanks around it, ASCII in lower case.

    Other letters stay as they are, because some of them fold to ASCII ones and would then be another's
    address.
    """
    text = text.strip(" ")
    return text.lower() if text.isascii() else text


def checked(text: str) -> str:
    """Return the normalised form of an address.

    Raises:
        BadAddress: when it is longer than 254 characters, not ASCII, or not of the usual form.
    """
    address = normalised(text)
    if len(address) > LONGEST or not _ADDRESS.fullmatch(address):
        raise BadAddress
    return address


def masked(address: str) -> str:
    """Return an address that its owner recognises and others learn little from: `a***@qq.com`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"
