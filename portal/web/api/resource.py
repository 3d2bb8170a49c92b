"""What every resource of the API is made from."""

from typing import Any

from flask_smorest import Blueprint

from portal.kit.errors import NotFound
from portal.web.api.parsing import StrictParser, check_query
from portal.web.bearer import token_holder

PREFIX = "/api/v1"


class Resource(Blueprint):
    """A blueprint of the API: strict, and a token that is no good is refused even where none is needed."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, path: str, description: str) -> None:
        super().__init__(f"api_{name}", import_name, url_prefix=f"{PREFIX}{path}", description=description)
        self.before_request(check_query)
        self.before_request(_check_token)


def _check_token() -> None:
    token_holder()


def path_id(name: str, pattern: str, description: str) -> list[dict[str, Any]]:
    """Describe the id in a path."""
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": {"type": "string", "pattern": f"^{pattern}$"},
        }
    ]


def known_form(matcher: Any, public_id: str) -> str:
    """Return an id that may be looked up.

    Checked before the database is asked, which may not compare other letters with its identifiers.

    Raises:
        NotFound: it cannot be one; the same answer as for one that is not there.
    """
    if not matcher.fullmatch(public_id):
        raise NotFound
    return public_id
