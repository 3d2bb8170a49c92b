"""`/api/docs`: the description of the API as a page, drawn here, without any script."""

from typing import Any

from flask import Blueprint, render_template

from portal.web.api.openapi import description
from portal.web.problems import PROBLEMS

bp = Blueprint("api_docs", __name__, url_prefix="/api/docs")


@bp.get("")
def docs() -> str:
    """Show every operation, every shape and every code."""
    document = description()
    return render_template(
        "api/docs.html",
        document=document,
        operations=_operations(document),
        schemas=document["components"]["schemas"],
        problems=PROBLEMS,
        type_name=type_name,
    )


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "method": method.upper(),
            "path": path,
            **operation,
            "parameters": _parameters(operations, operation),
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in {"get", "post"}
    ]


def _parameters(operations: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [*operations.get("parameters", []), *operation.get("parameters", [])]


def type_name(schema: dict[str, Any]) -> str:
    """Name what a schema allows, in a few words: `string`, `list of Course`, `one of a, b`."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"] if value is not None)
    if "anyOf" in schema:
        return " or ".join(type_name(inner) for inner in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {type_name(schema['items'])}"
    kinds = schema.get("type", "anything")
    name = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    return f"{name} ({schema['format']})" if "format" in schema else name
