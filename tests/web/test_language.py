"""Which language a page is in, and the switch that changes it."""

import html
import re

import pytest

from portal.learners.models import Locale

SWITCH = re.compile(r'name="next" value="([^"]*)"')
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


def language_of(response) -> str:
    return re.search(r'<html lang="([^"]+)"', response.get_data(as_text=True))[1]


def switch(client, page: str, locale: str, **fields: str):
    text = client.get(page).get_data(as_text=True)
    form = {
        "csrf_token": TOKEN.search(text)[1],
        "next": html.unescape(SWITCH.search(text)[1]),
        "locale": locale,
    }
    return client.post("/language", data=form | fields)


class TestTheBrowsersWish:
    @pytest.mark.parametrize(
        ("wish", "language"),
        [
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans-CN"),
            ("zh-TW,zh;q=0.9", "zh-Hans-CN"),
            ("en-US,en;q=0.9", "en"),
            ("en-GB", "en"),
            ("en;q=0.5,zh-CN;q=0.9", "zh-Hans-CN"),
            ("fr,en;q=0.5", "en"),
            ("fr", "zh-Hans-CN"),
            ("*", "zh-Hans-CN"),
            (";;;q=x", "zh-Hans-CN"),
            ("", "zh-Hans-CN"),
        ],
    )
    def test_it_decides_for_a_stranger(self, client, wish, language):
        assert language_of(client.get("/courses", headers={"Accept-Language": wish})) == language

    def test_caches_are_told(self, client):
        assert "Accept-Language" in client.get("/courses").vary


class TestTheSwitch:
    @pytest.mark.parametrize(
        "page", ["/courses?q=c%2B%2B", "/courses/cpp-primer-5th", "/login?next=/account"]
    )
    def test_it_stays_on_the_page(self, client, page):
        response = switch(client, page, "en")
        assert response.status_code == 303
        assert language_of(client.get(response.location)) == "en"
        assert response.location == page

    def test_the_account_remembers_it_for_every_browser(self, shop, app):
        buyer = shop.buyer(locale=Locale.ZH)
        assert language_of(buyer.get("/account")) == "zh-Hans-CN"
        switch(buyer.client, "/account", "en")
        other = app.test_client()
        other.set_cookie("sid", buyer.client.get_cookie("sid").value)
        other.set_cookie("lang", "zh_Hans_CN")
        assert language_of(other.get("/account")) == "en"

    @pytest.mark.parametrize("locale", ["", "de", "zh", "../en", "en\x00"])
    def test_a_language_we_do_not_speak_is_refused(self, client, locale):
        assert switch(client, "/courses", locale).status_code == 400

    def test_a_cookie_of_nonsense_is_ignored(self, client):
        client.set_cookie("lang", "<script>")
        assert language_of(client.get("/courses")) == "zh-Hans-CN"

    @pytest.mark.parametrize(
        "page",
        [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/\tevil",
            "/nowhere",
            "courses",
            "",
            "/logout",
        ],
    )
    def test_it_leads_nowhere_else(self, client, page):
        assert switch(client, "/courses", "en", next=page).location == "/courses"

    def test_it_needs_our_own_form(self, client):
        assert client.post("/language", data={"locale": "en"}).status_code == 403
