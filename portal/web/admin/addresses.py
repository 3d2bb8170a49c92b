"""Ids in addresses, checked before the database is asked, which may not compare other letters with its own."""

import re

from portal.kit.errors import NotFound

_ID = re.compile(r"[0-9a-z-]{1,36}", re.ASCII)


def known_id(text: str) -> str:
    """Return an id of the form that ours have.

    Raises:
        NotFound: it has another, so there is no such thing.
    """
    if not _ID.fullmatch(text):
        raise NotFound
    return text
