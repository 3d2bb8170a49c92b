"""The pages on which a learner connects an editor, and the account's list of editors."""

import html
import re

import pytest

from portal.devices import grants
from portal.devices.models import DeviceGrant, GrantState, TokenFamily
from portal.devices.queries import holder_of
from portal.kit.db import db
from portal.learners.models import Locale
from tests.factories.devices import make_token
from tests.factories.learners import PASSWORD
from tests.support.shop import CSRF
from tests.web.test_translations import english_in

pytestmark = pytest.mark.database


@pytest.fixture
def buyer(shop):
    return shop.buyer()


@pytest.fixture
def start(app):
    def begin(name="VS Code on box", scope=""):
        with app.app_context():
            return grants.start_grant(grants.CLIENT_ID, scope, name, "203.0.113.9")

    return begin


def exchange(app, started):
    with app.app_context():
        return grants.exchange(started.device_code, grants.CLIENT_ID)


def typed(buyer, code):
    return buyer.post("/device", {"user_code": code}, page="/device")


def confirm_page(buyer, started):
    response = typed(buyer, started.user_code)
    assert response.status_code == 303, response.get_data(as_text=True)
    return response.location


def text(response, status=200):
    assert response.status_code == status, response.status
    return html.unescape(response.get_data(as_text=True))


def states(app):
    with app.app_context():
        return list(db.session.scalars(db.select(DeviceGrant.state)))


class TestEntering:
    def test_the_code_of_the_address_is_filled_in_and_decides_nothing(self, app, buyer, start):
        started = start()
        page = text(buyer.get(f"/device?user_code={started.user_code}"))
        assert f'value="{started.user_code}"' in page
        assert started.user_code not in text(buyer.get("/device"))
        assert states(app) == ["pending"]

    def test_what_the_address_holds_is_not_believed(self, buyer):
        page = buyer.get('/device?user_code="><script>alert(1)</script>').get_data(as_text=True)
        assert "<script>alert" not in page

    @pytest.mark.parametrize("entry", ["wdjb mthx", "' OR 1=1", "中文", "x" * 5000])
    def test_a_wrong_code_is_said_at_the_field(self, buyer, entry):
        page = text(typed(buyer, entry), 422)
        assert "No editor shows this code" in page
        assert "<title>Error:" in page

    def test_nothing_at_all_is_asked_for_again(self, buyer):
        assert "Enter the code that your editor shows." in text(typed(buyer, ""), 422)

    def test_the_eleventh_try_has_to_wait(self, buyer, start):
        started = start()
        for _ in range(10):
            assert typed(buyer, "WDJB-MTHX").status_code == 422
        response = typed(buyer, started.user_code)
        assert "Too many tries" in text(response, 429)
        assert 0 < int(response.headers["Retry-After"]) <= 600

    def test_nor_do_many_accounts_of_one_network_help(self, shop, start):
        started = start()
        for _ in range(3):
            guesser = shop.buyer()
            for _ in range(10):
                assert typed(guesser, "WDJB-MTHX").status_code == 422
        response = typed(shop.buyer(), started.user_code)
        assert response.status_code == 429
        assert response.headers["Retry-After"]

    def test_a_used_code_says_so(self, app, buyer, start):
        started = start()
        buyer.post(f"{confirm_page(buyer, started)}/allow")
        exchange(app, started)
        assert "This code has been used." in text(typed(buyer, started.user_code), 422)


class TestDeciding:
    def test_the_page_names_who_asks_for_what(self, buyer, start):
        started = start(name="VS Code on <box>", scope="catalog licenses")
        page = text(buyer.get(confirm_page(buyer, started)))
        for shown in (
            started.user_code,
            "VS Code on <box>",
            "203.0.113.9",
            buyer.learner.email,
            "Beijing time",
        ):
            assert shown in page
        assert "Continue only if your editor shows this code right now." in page
        assert "See the courses" in page
        assert "Read your licenses" in page
        assert "Start and cancel orders" not in page
        assert "<box>" not in buyer.get(confirm_page(buyer, started)).get_data(as_text=True)

    def test_allowed_the_editor_gets_its_tokens(self, app, buyer, start):
        started = start()
        page = confirm_page(buyer, started)
        response = buyer.post(f"{page}/allow", page=page)
        assert (response.status_code, response.location) == (303, page)
        assert "Your editor is connected" in text(buyer.get(page))
        issued = exchange(app, started)
        with app.app_context():
            assert holder_of(issued.access_token).learner.id == buyer.learner.id
        assert "VS Code on box goes on by itself" in text(buyer.get(page))

    def test_refused_it_does_not(self, app, buyer, start):
        page = confirm_page(buyer, start())
        assert buyer.post(f"{page}/deny", page=page).status_code == 303
        assert "The editor was refused" in text(buyer.get(page))
        assert buyer.post(f"{page}/allow").status_code == 303
        assert states(app) == ["denied"]

    def test_doing_it_twice_is_the_same(self, app, buyer, start):
        page = confirm_page(buyer, start())
        for _ in range(2):
            assert buyer.post(f"{page}/allow").status_code == 303
        assert states(app) == ["approved"]

    def test_too_late_is_said(self, app, buyer, start, clock):
        page = confirm_page(buyer, start())
        clock.travel(minutes=10, seconds=1)
        assert buyer.post(f"{page}/allow").status_code == 303
        assert "This code has expired" in text(buyer.get(page))
        assert states(app) == ["pending"]

    def test_an_editor_without_a_name_has_words(self, buyer, start):
        assert "Editor without a name" in text(buyer.get(confirm_page(buyer, start(name="\u202e"))))


class TestOthers:
    @pytest.mark.parametrize("grant_id", ["0" * 20, "x", "A" * 20, "%00", "%E4%B8%AD", "0" * 5000])
    def test_what_is_not_there_is_404(self, buyer, grant_id):
        assert buyer.get(f"/device/{grant_id}").status_code == 404
        assert buyer.post(f"/device/{grant_id}/allow").status_code == 404

    def test_a_page_sent_by_somebody_else_shows_no_button(self, app, shop, buyer, start):
        page = confirm_page(buyer, start())
        victim = shop.buyer()
        assert victim.get(page).status_code == 404
        assert victim.post(f"{page}/allow").status_code == 404
        assert states(app) == ["pending"]

    def test_who_typed_the_code_too_late_sees_nothing_of_it(self, shop, buyer, start):
        started = start()
        other = shop.buyer()
        page = confirm_page(other, started)
        buyer.post(f"{confirm_page(buyer, started)}/allow")
        assert other.get(page).status_code == 404
        assert "No editor shows this code" in text(typed(other, started.user_code), 422)

    @pytest.mark.parametrize("verb", ["allow", "deny"])
    def test_a_form_without_our_token_decides_nothing(self, app, buyer, start, verb):
        page = confirm_page(buyer, start())
        assert buyer.client.post(f"{page}/{verb}").status_code == 403
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert buyer.post(f"{page}/{verb}", headers=foreign).status_code == 403
        assert buyer.get(f"{page}/{verb}").status_code == 405
        assert states(app) == ["pending"]

    def test_an_old_form_keeps_what_was_typed(self, buyer, start):
        started = start()
        response = buyer.client.post("/device", data={"user_code": started.user_code, "csrf_token": "old"})
        page = text(response, 403)
        assert "open for too long" in page
        assert f'value="{started.user_code}"' in page


class TestIntent:
    def register(self, client, path, email="new@example.com"):
        page = client.get(path).get_data(as_text=True)
        form = {"csrf_token": html.unescape(CSRF.search(page)[1]), "email": email, "password": PASSWORD}
        return client.post(path, data=form)

    def test_registering_on_the_way_comes_back_to_the_code(self, app, client, start):
        started = start()
        response = client.get(f"/device?user_code={started.user_code}")
        assert response.status_code == 303
        assert response.location.startswith("/login?next=")
        page = client.get(response.location).get_data(as_text=True)
        register = html.unescape(re.search(r'href="(/register[^"]+)"', page)[1])
        response = self.register(client, register)
        assert response.status_code == 303
        assert response.location == f"/device?user_code={started.user_code}"
        assert f'value="{started.user_code}"' in client.get(response.location).get_data(as_text=True)

    def test_a_session_that_ended_meanwhile_keeps_the_code(self, client, start):
        started = start()
        page = client.get("/login").get_data(as_text=True)
        form = {"csrf_token": html.unescape(CSRF.search(page)[1]), "user_code": started.user_code}
        response = client.post("/device", data=form)
        assert response.status_code == 303
        assert f"user_code%3D{started.user_code}" in response.location

    def test_the_bare_page_asks_to_sign_in_too(self, client):
        assert client.get("/device").location == "/login?next=/device"


class TestAccount:
    def connect(self, app, buyer, started):
        buyer.post(f"{confirm_page(buyer, started)}/allow")
        return exchange(app, started)

    def editor_id(self, app):
        with app.app_context():
            return db.session.scalar(db.select(TokenFamily.public_id))

    def test_none_says_how_to_connect_one(self, buyer):
        assert "it shows a code" in text(buyer.get("/account/devices"))

    def test_they_are_listed_and_can_be_ended(self, app, buyer, start):
        issued = self.connect(app, buyer, start(name="VS Code on <box>"))
        page = text(buyer.get("/account/devices"))
        assert "VS Code on <box>" in page
        assert "203.0.113.9" in page
        path = f"/account/devices/editors/{self.editor_id(app)}/end"
        assert path in page
        for _ in range(2):
            assert buyer.post(path, page="/account/devices").status_code == 303
        with app.app_context():
            assert holder_of(issued.access_token) is None
        assert "That editor is disconnected." in text(buyer.get("/account/devices"))
        assert "VS Code on <box>" not in text(buyer.get("/account/devices"))

    def test_anothers_is_404_and_lives(self, app, shop, buyer, start):
        issued = self.connect(app, buyer, start())
        other = shop.buyer()
        assert "VS Code on box" not in text(other.get("/account/devices"))
        for editor_id in (self.editor_id(app), "0" * 20, "x", "%E4%B8%AD"):
            assert other.post(f"/account/devices/editors/{editor_id}/end").status_code == 404
        with app.app_context():
            assert holder_of(issued.access_token)

    def test_a_token_of_the_command_line_is_listed_too(self, app, buyer):
        with app.app_context():
            make_token(buyer.learner)
        assert "Test editor" in text(buyer.get("/account/devices"))


def test_no_page_is_kept_by_a_cache(buyer, start):
    page = confirm_page(buyer, start())
    for path in ("/device", page, "/account/devices"):
        assert buyer.get(path).headers["Cache-Control"] == "no-store"


def test_a_chinese_page_has_no_english_sentence(app, shop, start):
    buyer = shop.buyer(locale=Locale.ZH)
    assert english_in(buyer.get("/device").get_data(as_text=True)) == []
    assert english_in(typed(buyer, "WDJB-MTHX").get_data(as_text=True)) == []
    for verb in ("allow", "deny"):
        page = confirm_page(buyer, start(name="盒子"))
        assert english_in(buyer.get(page).get_data(as_text=True)) == []
        buyer.post(f"{page}/{verb}")
        assert english_in(buyer.get(page).get_data(as_text=True)) == []
    assert GrantState.APPROVED in states(app)
    assert english_in(buyer.get("/account/devices").get_data(as_text=True)) == []
