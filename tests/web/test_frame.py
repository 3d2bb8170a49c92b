"""The header is drawn once for many pages and people, and each finds its own in it."""

import re

from portal.learners.models import Locale, Role

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
NEXT = re.compile(r'name="next" value="([^"]*)"')


def header(visitor, page: str = "/courses") -> str:
    text: str = visitor.get(page, headers={"Accept-Language": "en"}).text
    return text[text.index('<header class="site-header">') : text.index("</header>")]


def test_a_header_shows_what_its_reader_may_open(app, shop):
    nobody, learner, staff = (
        app.test_client(),
        shop.buyer(locale=Locale.EN),
        shop.staff(Role.ADMIN, locale=Locale.EN),
    )
    for _ in range(2):
        shown = [
            [word for word in ("Sign in", "My account", "Admin") if f">{word}<" in header(visitor)]
            for visitor in (nobody, learner, staff)
        ]
        assert shown == [["Sign in"], ["My account"], ["My account", "Admin"]]


def test_the_token_in_a_header_is_the_one_of_this_browser(app, shop):
    visitors = (app.test_client(), app.test_client(), shop.buyer(), shop.buyer())
    tokens = [set(TOKEN.findall(header(visitor))) for visitor in visitors for _ in range(2)]
    assert all(len(found) == 1 for found in tokens)
    assert tokens[::2] == tokens[1::2]
    assert len(set.union(*tokens)) == len(visitors)
    form = {"csrf_token": tokens[4].copy().pop(), "locale": "en", "next": "/courses"}
    assert visitors[3].client.post("/language", data=form).status_code == 403
    assert visitors[2].client.post("/language", data=form).status_code == 303


def test_the_way_back_is_this_page_and_nothing_else_can_be_written_there(client):
    assert NEXT.findall(header(client, "/courses?q=c")) == ["/courses?q=c"]
    # The words that stand in a drawn header for the token and for the page.
    words = "token-of-the-form+address-of-the-page"
    assert NEXT.findall(header(client, f"/courses?q={words}")) == [f"/courses?q={words}"]
    assert "<b>" not in header(client, '/courses?q="><b>')


def test_the_tab_of_this_page_is_marked(shop):
    buyer = shop.buyer()
    for page in ("/account/orders", "/account/devices", "/account/orders"):
        marked = re.findall(r'<a href="([^"]+)" aria-current="page">', buyer.get(page).text)
        assert marked == ["/account", page]
