"""Each error is a page in the reader's language with one way on; none needs the database."""

import pytest
import sqlalchemy as sa
from flask import render_template

from portal.learners import sessions

PAGES = [400, 403, 404, 413, 429, 500, 503]


class TestErrorPages:
    @pytest.mark.parametrize("status", PAGES)
    def test_each_leads_on(self, session_app, status):
        with session_app.test_request_context("/courses", method="POST"):
            page = render_template(
                f"errors/{status}.html", status=status, code="x", request_id="r-1", retry_after=None
            )
        assert page.count('class="button primary"') == 1
        assert "r-1" in page
        assert 'name="csrf_token"' not in page

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (1, "in 1 second."),
            (42, "in 42 seconds."),
            (600, "in 10 minutes."),
            (601, "in 11 minutes."),
            (None, "wait a minute"),
        ],
    )
    def test_too_many_says_when(self, session_app, seconds, text):
        with session_app.test_request_context(headers={"Accept-Language": "en"}):
            assert text in render_template("errors/429.html", code="too_many", retry_after=seconds)

    def test_an_old_form_is_not_called_a_lack_of_rights(self, client):
        response = client.post("/language", data={"locale": "en"}, headers={"Accept-Language": "en"})
        assert response.status_code == 403
        assert "Please send the form again" in response.get_data(as_text=True)

    @pytest.mark.parametrize(("wish", "text"), [("zh", "无需重复支付"), ("en", "you need not pay again")])
    def test_without_a_database_it_still_speaks_the_readers_language(self, shop, monkeypatch, wish, text):
        buyer = shop.buyer()

        def fail(_secret: str) -> None:
            raise sa.exc.OperationalError("SELECT 1", {}, Exception("server has gone away"))

        monkeypatch.setattr(sessions, "session_of", fail)
        response = buyer.get("/courses", headers={"Accept-Language": wish})
        assert response.status_code == 503
        assert text in response.get_data(as_text=True)
