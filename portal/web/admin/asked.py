"""What the address of a list or a report asks for. Whatever it does not offer is refused, not overlooked."""

import re
from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from typing import TypeVar

from flask import request

from portal.catalogue.queries import COURSE_ID
from portal.kit.errors import Invalid

Choice = TypeVar("Choice", bound=StrEnum)
_DAY = re.compile(r"20\d\d-\d\d-\d\d", re.ASCII)
_ROW = re.compile(r"[0-9]{1,18}", re.ASCII)


class BadFilter(Invalid):
    """The address asks for something that the page does not offer."""

    code = "bad_filter"


def asked(offered: Collection[str]) -> Mapping[str, str]:
    """Return what is asked for, without what was left empty.

    Raises:
        BadFilter: something is asked twice, or is not among what is `offered`.
    """
    for name, values in request.args.lists():
        if name not in offered or len(values) > 1:
            raise BadFilter(name)
    return {name: text for name, text in request.args.items() if text}


def day(given: Mapping[str, str], name: str) -> date | None:
    """Return a day written as 2026-11-20, of this century.

    Raises:
        BadFilter: it is not one.
    """
    text = given.get(name)
    if text is None:
        return None
    if not _DAY.fullmatch(text):
        raise BadFilter(name)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadFilter(name) from None


def before(given: Mapping[str, str]) -> int | None:
    """Return the row that the page before ended with, None for the first page.

    Raises:
        BadFilter: it is no row's number.
    """
    text = given.get("before")
    if text is not None and not _ROW.fullmatch(text):
        raise BadFilter("before")
    return int(text) if text else None


def one_of(given: Mapping[str, str], name: str, choices: type[Choice]) -> Choice | None:
    """Return a member of `choices` by its value.

    Raises:
        BadFilter: there is no such member.
    """
    try:
        return choices(given[name]) if name in given else None
    except ValueError:
        raise BadFilter(name) from None


def course(given: Mapping[str, str], visible: Collection[str] | None) -> str | None:
    """Return the id of a course that the reader may see.

    Raises:
        BadFilter: it is none.
    """
    text = given.get("course")
    if text is not None and (not COURSE_ID.fullmatch(text) or (visible is not None and text not in visible)):
        raise BadFilter("course")
    return text
