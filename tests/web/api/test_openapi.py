"""The description of the API: valid, current, complete, and readable as a page."""

import json

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from portal.config import ROOT
from portal.web.problems import PROBLEMS

pytestmark = pytest.mark.database


@pytest.fixture
def document(client):
    """The description as it is served."""
    response = client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    return response.get_json()


def test_it_is_valid_openapi_3_1(document):
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_one_in_the_repository_is_current(document):
    kept = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert kept == document, "run: .venv/bin/python -m scripts.openapi"


def test_every_address_of_the_api_is_in_it(app, document):
    served = {
        (method, str(rule).replace("<string(length=36):", "<").replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        if str(rule).startswith("/api/v1/") and rule.endpoint != "api_description.openapi"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if method in {"get", "post"}
    }
    assert served == described
    assert len(served) == 13


def test_bodies_take_no_other_fields(document):
    for name in ("NewSession", "Cancelled", "LicenseQuestion"):
        assert document["components"]["schemas"][name]["additionalProperties"] is False


def test_operations_are_named_once(document):
    names = [
        operation["operationId"]
        for operations in document["paths"].values()
        for method, operation in operations.items()
        if method in {"get", "post"}
    ]
    assert len(names) == len(set(names))


def test_the_page_shows_all_of_it_from_here(client, document):
    response = client.get("/api/docs")
    page = response.get_data(as_text=True)
    assert (response.status_code, response.mimetype) == (200, "text/html")
    for path in document["paths"]:
        assert path in page
    for name in (*PROBLEMS, *document["components"]["schemas"]):
        assert name in page
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert "//cdn" not in page
    assert "<script>" not in page


def test_an_unchanged_description_is_not_sent_again(client):
    etag = client.get("/api/v1/openapi.json").headers["ETag"]
    assert client.get("/api/v1/openapi.json", headers={"If-None-Match": etag}).status_code == 304
