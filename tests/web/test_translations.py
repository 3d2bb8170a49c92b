"""Every word a person sees is in both languages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from portal.config import ROOT
from portal.learners.models import Locale

CHINESE = ROOT / "portal/translations/zh_Hans_CN/LC_MESSAGES/messages.po"
# Names stay as they are, and so does what the catalogue itself says in English.
NAMES = re.compile(
    r"Learning Buddy|WeChat Pay|VS Code|License Manager|Add License|English|Cookie|C\+\+ Primer"
)
A_SENTENCE = re.compile(r"[A-Za-z]{2,}(?: [A-Za-z]{2,}){1,}")


def catalogue_in(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    template = tmp_path_factory.mktemp("messages") / "messages.pot"
    program = [sys.executable, "-m", "babel.messages.frontend", "--quiet", "extract"]
    subprocess.run(
        [*program, "-F", "pyproject.toml", "-k", "_l", "-o", str(template), "."], cwd=ROOT, check=True
    )
    return catalogue_in(template)


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    return catalogue_in(CHINESE)


class TestChinese:
    def test_every_message_is_translated(self, extracted, chinese):
        wanted = [message for message in extracted if message.id]
        assert len(wanted) > 100
        missing = [
            message.id
            for message in wanted
            if (found := chinese.get(message.id, message.context)) is None
            or not all(found.string if isinstance(found.string, tuple) else [found.string])
        ]
        assert missing == []

    def test_nothing_is_fuzzy_or_left_over(self, extracted, chinese):
        assert [message.id for message in chinese if message.id and message.fuzzy] == []
        assert [message.id for message in chinese if message.id and message.id not in extracted] == []

    def test_every_translation_has_the_same_placeholders(self, chinese):
        assert [(message.id, errors) for message, errors in chinese.check() if errors] == []


class TestPages:
    @pytest.mark.parametrize(
        "path",
        [
            "/courses",
            "/courses?q=zzz",
            "/courses/cpp-primer-5th",
            "/login",
            "/register",
            "/forgot",
            "/nowhere",
        ],
    )
    def test_a_chinese_page_has_no_english_sentence(self, client, path):
        assert english_in(client.get(path).get_data(as_text=True)) == []

    @pytest.mark.parametrize(
        "path", ["/account", "/account/orders", "/account/licenses", "/account/devices", "/account/settings"]
    )
    def test_nor_has_the_account(self, shop, path):
        buyer = shop.buyer(locale=Locale.ZH)
        shop.notify(buyer.buy())
        assert english_in(buyer.get(path).get_data(as_text=True)) == []

    def test_nor_has_the_checkout(self, shop):
        buyer = shop.buyer(locale=Locale.ZH)
        order_id = buyer.buy()
        assert english_in(buyer.get(f"/checkout/{order_id}").get_data(as_text=True)) == []
        shop.notify(order_id)
        assert english_in(buyer.get(f"/checkout/{order_id}").get_data(as_text=True)) == []


def english_in(page: str) -> list[str]:
    """Return the runs of English words that a reader of the page would meet."""
    read_aloud = re.findall(r'(?:alt|title|aria-label|placeholder|data-\w+)="([^"]*)"', page)
    text = re.sub(r"<(script|style|textarea)\b.*?</\1>", " ", page, flags=re.DOTALL)
    text = re.sub(r'<(\w+)[^>]*\blang="en"[^>]*>.*?</\1>', " ", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", "\n", text)
    shown = NAMES.sub("", "\n".join([text, *read_aloud]))
    return A_SENTENCE.findall(shown)
