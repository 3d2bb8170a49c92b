"""Reads the JSON body of a control request field by field, and refuses what it does not know."""

from __future__ import annotations

import math
from typing import Any

from flask import request

from .blueprint import ControlError


class Arguments:
    """The fields of one request; call `done` after the last, so that a misspelt one is noticed."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = dict(fields)

    @classmethod
    def of_request(cls) -> Arguments:
        """The body of the current request; an empty body has no fields."""
        if not request.get_data():
            return cls({})
        try:
            fields = request.get_json(silent=True) if request.is_json else None
        except RecursionError:
            fields = None
        if not isinstance(fields, dict):
            raise ControlError(400, "the body must be a JSON object, sent as application/json")
        return cls(fields)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def text(self, name: str, default: str | None = None, *, choices: tuple[str, ...] = ()) -> str:
        """A string; required without a default."""
        value = self._take(name, default)
        if not isinstance(value, str) or not value.isprintable():
            raise ControlError(400, f"{name} must be a string")
        if choices and value not in choices:
            raise ControlError(400, f"{name} must be one of {', '.join(choices)}")
        return value

    def raw_text(self, name: str) -> str | None:
        """A string of any characters, or None when it is not there."""
        value = self._fields.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise ControlError(400, f"{name} must be a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string, or None when it is not there."""
        return self.text(name) if name in self else None

    def integer(self, name: str, default: int | None = None, *, least: int = 0, most: int = 2**53) -> int:
        """A whole number within bounds; required without a default."""
        value = self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ControlError(400, f"{name} must be a whole number from {least} to {most}")
        return value

    def number(self, name: str, default: float | None = None, *, least: float, most: float) -> float:
        """A number within bounds; required without a default."""
        value = self._take(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not least <= value <= most:
            raise ControlError(400, f"{name} must be a number from {least} to {most}")
        return float(value)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """true or false; required without a default."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise ControlError(400, f"{name} must be true or false")
        return value

    def texts(self, name: str, default: tuple[str, ...], *, choices: tuple[str, ...] = ()) -> list[str]:
        """A list of strings, each one of `choices` if there are any."""
        value = self._fields.pop(name, list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ControlError(400, f"{name} must be a list of strings")
        if wrong := [item for item in value if choices and item not in choices]:
            raise ControlError(400, f"{name} must be of {', '.join(choices)}, not {', '.join(wrong)}")
        return value

    def object(self, name: str) -> dict[str, Any]:
        """A JSON object; empty when it is not there."""
        value = self._fields.pop(name, {})
        if not isinstance(value, dict):
            raise ControlError(400, f"{name} must be an object")
        return value

    def done(self) -> None:
        """Refuse what has not been read."""
        if self._fields:
            raise ControlError(400, f"unknown fields: {', '.join(sorted(self._fields))}")

    def _take(self, name: str, default: Any) -> Any:
        value = self._fields.pop(name, default)
        if value is None:
            raise ControlError(400, f"{name} is missing")
        return value
