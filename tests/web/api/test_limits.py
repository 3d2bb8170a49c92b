"""How often an editor may call."""

import pytest

from tests.support.editors import editor_of

pytestmark = pytest.mark.database


class TestLimits:
    def test_a_session_may_be_polled_sixty_times_a_minute(self, editor):
        session_id = editor.begin().get_json()["id"]
        statuses = [editor.session(session_id).status_code for _ in range(61)]
        assert statuses == [200] * 60 + [429]
        limited = editor.session(session_id)
        assert limited.get_json()["code"] == "too_many"
        assert 1 <= int(limited.headers["Retry-After"]) <= 61

    def test_ten_orders_a_minute_are_placed(self, editor, app):
        statuses = []
        for _ in range(11):
            response = editor.begin()
            statuses.append(response.status_code)
            editor.cancel(response.get_json().get("id", ""))
        assert statuses == [201] * 10 + [429]

    def test_a_repeat_places_none(self, editor):
        repeats = [editor.begin(key="k1") for _ in range(12)]
        assert {response.status_code for response in repeats} == {201}
        assert editor.begin("javascript-complete").status_code == 201

    def test_verdicts_are_sixty_a_minute_for_a_token(self, editor):
        statuses = [editor.post("/licenses/verify", {"key": "x"}).status_code for _ in range(61)]
        assert statuses == [200] * 60 + [429]

    def test_and_one_editor_does_not_use_up_anothers(self, editor, buyer):
        for _ in range(61):
            editor.post("/licenses/verify", {"key": "x"})
        assert editor_of(buyer).post("/licenses/verify", {"key": "x"}).status_code == 200
