"""The addresses that the extension's present client calls."""

from urllib.parse import quote

import pytest

from tests.support.editors import editor_of
from tests.support.shop import COURSE

pytestmark = pytest.mark.database


@pytest.fixture
def license_text(shop):
    """A license that was bought."""
    editor = editor_of(shop.buyer())
    shop.notify(editor.begin().get_json()["id"])
    return editor.get("/licenses").get_json()["items"][0]["key"]


def test_it_is_there(client):
    assert client.get("/health").status_code == 200


def test_the_catalogue_is_in_the_extensions_form(client):
    catalog = client.get("/catalog", headers={"Accept-Language": "en"}).get_json()
    assert set(catalog) == {"version", "type", "courses"}
    assert catalog["type"] == "catalog"
    course = next(course for course in catalog["courses"] if course["id"] == COURSE)
    assert course["title"] == course["name"] == "C++ Primer 5th Edition"
    assert (course["type"], course["exercises"]) == ("course", [])
    assert (course["hasProtectedContent"], course["isFree"], course["estimatedHours"]) == (True, False, 120)
    assert set(course) == {
        "id", "title", "name", "description", "level", "estimatedHours", "hasProtectedContent", "isFree",
        "version", "type", "exercises",
    }  # fmt: skip


@pytest.mark.parametrize(("words", "found"), [("primer", 1), ("没有这样的", 0), ("", 6)])
def test_it_can_be_searched(client, words, found):
    response = client.get("/catalog/search", query_string={"q": words})
    assert len(response.get_json()["courses"]) == found


@pytest.mark.parametrize("words", ["x" * 201, "a\x00b"])
def test_a_search_has_bounds(client, words):
    assert client.get("/catalog/search", query_string={"q": words}).status_code == 422


@pytest.mark.parametrize("safe", ["/+=|", ""])
def test_a_valid_license_is_found_in_the_clear_and_escaped(client, license_text, safe):
    response = client.get(f"/licenses/{quote(license_text, safe=safe)}", headers={"X-Course-Id": COURSE})
    found = response.get_json()
    assert response.status_code == 200
    assert (found["course_id"], found["license_key"], found["is_active"]) == (COURSE, license_text, True)
    assert (found["content_permissions"], found["download_limit"]) == (["all_chapters"], 5)
    assert set(found) == {
        "id", "course_id", "license_key", "created_at", "expires_at", "is_active", "content_permissions",
        "download_limit",
    }  # fmt: skip
    assert response.headers["Cache-Control"] == "no-store"


def test_for_another_course_it_is_not_found(client, license_text):
    assert client.get(f"/licenses/{license_text}", headers={"X-Course-Id": "python-3rd"}).status_code == 404


def test_past_its_end_it_is_not_found(client, license_text, clock):
    clock.travel(days=366)
    assert client.get(f"/licenses/{license_text}", headers={"X-Course-Id": COURSE}).status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a|b",
        "|",
        "a//b|c",
        "+/=|",
        "%00",
        "%ff|%ff",
        "许可证",
        "x" * 10_240,
        "e30=|" + "A" * 10_240,
        "..%2f|",
    ],
)
def test_anything_else_is_not_found(client, text):
    response = client.get(f"/licenses/{text}", headers={"X-Course-Id": COURSE})
    assert (response.status_code, response.get_json()["code"]) == (404, "not_found")


def test_the_text_is_in_no_log(client, license_text, capsys, caplog):
    caplog.set_level("DEBUG")
    client.get(f"/licenses/{license_text}", headers={"X-Course-Id": COURSE})
    client.get(f"/licenses/{license_text}x", headers={"X-Course-Id": COURSE})
    logged = "".join(str(record.__dict__) for record in caplog.records) + capsys.readouterr().err
    assert "/licenses/<path:license_text>" in logged
    for part in (license_text[:60], license_text[-60:]):
        assert part not in logged
