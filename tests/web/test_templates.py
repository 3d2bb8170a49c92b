"""Texts that are put into the templates when these are compiled."""

import pytest
from markupsafe import Markup

SOURCE = (
    "{{ _('Pay before %(moment)s', moment=value) }}|"
    "{% set kept = _('Pay before %(moment)s', moment=value) %}{{ kept }}|"
    "{{ _('Nobody translated %(count)s%% of it.', count=value) }}"
)


@pytest.fixture
def draw(app):
    """Return what draws a source in a language."""

    def drawn(language, value):
        with app.test_request_context(headers={"Accept-Language": language}):
            return app.jinja_env._in_language_of_request().from_string(SOURCE).render(value=value).split("|")

    return drawn


def test_a_value_stands_in_its_place_in_each_language(draw):
    assert draw("en", 5) == ["Pay before 5", "Pay before 5", "Nobody translated 5% of it."]
    assert draw("zh-CN", 5)[:2] == ["请在5 前付款", "请在5 前付款"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [("<b>%(x)s", "&lt;b&gt;%(x)s"), (Markup("<b>%s</b>"), "<b>%s</b>")],
    ids=["text", "markup"],
)
def test_what_is_no_markup_is_escaped(draw, value, shown):
    text = f"Pay before {shown}"
    assert draw("en", value) == [text, text, f"Nobody translated {shown}% of it."]
