"""Read what a caller sends, strictly: nothing is coerced, nothing unknown is passed over."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import marshmallow as ma
from flask import Request, request
from flask_babel import gettext as _
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from portal.kit import strict_json
from portal.kit.errors import BadRequest, Invalid

LARGEST_BODY = 64 * 1024
# One line of text: no control characters, and none that turn the direction of reading (bidi).
ONE_LINE = r"^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class BadJson(BadRequest):
    """The body is not JSON as everybody understands it."""

    code = "bad_json"


class ValidationFailed(Invalid):
    """Fields are wrong; `facts["errors"]` names each."""

    code = "validation_failed"


def failed(field: str, message: str) -> ValidationFailed:
    """Return the error for one field."""
    return ValidationFailed(errors=[{"field": field, "message": message}])


def read_body() -> Any:
    """Return the JSON of the request's body.

    Raises:
        UnsupportedMediaType: another content type, charset or any content encoding.
        RequestEntityTooLarge: more than 64 KiB; the bytes are counted, whatever the header says.
        BadJson: as `strict_json` says.
    """
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json" or charset not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType
    raw = request.stream.read(LARGEST_BODY + 1)
    if len(raw) > LARGEST_BODY:
        raise RequestEntityTooLarge
    try:
        return strict_json.loads(raw)
    except strict_json.BadJson as error:
        raise BadJson(str(error)) from None


def check_query() -> None:
    """Raise `BadRequest` when the address's query is not UTF-8: it would be read with replaced letters."""
    try:
        unquote_to_bytes(request.query_string).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("query") from None


class StrictParser(FlaskParser):
    """webargs, with our reader of bodies, and unknown or repeated names refused everywhere."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.RAISE, "query": ma.RAISE}

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """Return the body."""
        return read_body()

    def load_querystring(self, req: Request, schema: ma.Schema) -> Any:
        """Return the query; a name that stands twice has no meaning."""
        for name, values in req.args.lists():
            if len(values) > 1:
                raise failed(name, _("It is given more than once."))
        return MultiDictProxy(req.args, schema)

    def handle_error(
        self, error: ma.ValidationError, req: Any, schema: Any, *, error_status_code: Any, error_headers: Any
    ) -> NoReturn:
        """Raise what marshmallow found as ours."""
        # webargs groups the messages by where they were found: body, query.
        found = [problem for place in error.normalized_messages().values() for problem in _flat(place)]
        raise ValidationFailed(errors=found) from error


def _flat(messages: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Yield one problem a message, its field as a dotted path; empty for the whole body."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _flat(inner, path if name == "_schema" else f"{path}.{name}".strip("."))
    else:
        for message in messages:
            yield {"field": path[:100], "message": _worded(message)}


def _worded(message: str) -> str:
    known = {
        "Missing data for required field.": _("It is missing."),
        "Unknown field.": _("There is no such field."),
        "Not a valid string.": _("It must be a text."),
        "Field may not be null.": _("It may not be null."),
        "Invalid input type.": _("It must be a JSON object."),
    }
    return known.get(message) or _("It is not one of the values allowed here.")


class _Whole(ma.validate.Validator):
    """The pattern fits the whole text; Python's `$` would let a line end follow. The description reads `regex`."""

    def __init__(self, pattern: str) -> None:
        self.regex = re.compile(pattern)

    def __call__(self, value: str) -> str:
        if self.regex.fullmatch(value) is None:
            raise ma.ValidationError("Not of the form.")
        return value


class Text(ma.fields.String):
    """A text of one line, at most `longest` characters, kept in Unicode's composed form (NFC)."""

    def __init__(self, longest: int, pattern: str = ONE_LINE, **options: Any) -> None:
        checks: list[ma.validate.Validator] = [ma.validate.Length(max=longest), _Whole(pattern)]
        super().__init__(validate=checks, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return unicodedata.normalize("NFC", super()._deserialize(value, attr, data, **kwargs))


class QueryInteger(ma.fields.Integer):
    """A whole number in an address: ASCII digits without sign, blank or leading zero (Python takes several)."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        is_plain = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9
        if not is_plain or value != str(int(value)):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class QueryDate(ma.fields.Date):
    """A day, `2026-11-20`, and none of the other ways of ISO 8601 to write one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not (isinstance(value, str) and _DAY.fullmatch(value)):
            raise self.make_error("invalid", input=value, obj_type="date")
        return super()._deserialize(value, attr, data, **kwargs)
