"""Requests that no browser sends are answered like others: what cannot be read in them is refused or left out."""

import pytest

from portal.web.headers import EVERYWHERE
from portal.web.hosts import is_own

NEVER = "Mon, 01 Jan 99999999999 00:00:00 GMT"


def test_a_page_to_come_back_to_with_too_many_fields_is_none(client):
    assert client.get("/account?" + "&" * 21).location == "/login?next=/account"
    assert client.get("/login?next=/courses?" + "%26" * 21).status_code == 200


def test_a_report_nested_without_end_is_not_read(client):
    assert client.post("/csp", data=b"[" * 2000).status_code == 204


@pytest.mark.parametrize("path", ["/static/favicon.svg", "/courses"])
def test_a_date_that_no_calendar_has_is_left_out(client, path):
    for headers in (
        {"If-Modified-Since": NEVER},
        {"If-Unmodified-Since": NEVER},
        {"If-Range": NEVER, "Range": "bytes=0-3"},
        {"If-Range": f'"{NEVER}"', "Range": "bytes=0-3"},
    ):
        assert client.get(path, headers=headers).status_code == 200, headers
    last = client.get(path).headers.get("Last-Modified")
    if last:
        assert client.get(path, headers={"If-Modified-Since": last}).status_code == 304


class TestHost:
    @pytest.mark.parametrize(
        "host", ["a..b", "x" * 64, "evil.example", "a b", "[::1", "127.0.0.1@evil.example"]
    )
    def test_another_host_is_refused_in_plain_words(self, client, host):
        for path in ("/courses", "/api/v1/courses", "/static/favicon.svg", "/no-such-page"):
            response = client.get(path, headers={"Host": host})
            assert (response.status_code, response.mimetype) == (400, "text/plain")
            assert response.headers["X-Request-ID"] in response.text
            assert dict(EVERYWHERE).items() <= dict(response.headers).items()

    def test_probes_ask_by_address(self, client):
        for path in ("/healthz", "/readyz", "/health"):
            assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200
        assert client.get("/healthz", headers={"Host": "a..b"}).status_code == 400

    @pytest.mark.parametrize(
        ("origin", "own", "others"),
        [
            (
                "https://learn.example.com",
                ["learn.example.com", "LEARN.example.com:443"],
                [
                    "localhost",
                    "127.0.0.1",
                    "example.com",
                    "a.learn.example.com",
                    "learn.example.com.evil",
                    "",
                ],
            ),
            (
                "http://127.0.0.1:8000",
                ["127.0.0.1:8000", "localhost", "[::1]:8000", "192.168.1.7:8000"],
                ["evil.example", "localhost.evil.example", "", "[v1.x]"],
            ),
        ],
    )
    def test_a_name_is_ours_or_not(self, origin, own, others):
        assert [host for host in own if not is_own(host, origin)] == []
        assert [host for host in others if is_own(host, origin)] == []
