"""WCAG 2.2 A and AA by axe, in both themes and widths of a page; and nothing to scroll sideways."""

from collections.abc import Sequence
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What a theme can spoil; everything else is the same in both.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
Look = tuple[int, str, Any]
LOOKS: tuple[Look, ...] = (
    (360, "light", RULES),
    (360, "dark", COLOURS),
    (1280, "dark", COLOURS),
    (1280, "light", RULES),
)
# Only what is wrong is told: to list all that is right takes several times as long as to look.
_LOOK = """
    ([within, rules]) => axe.run(within, {runOnly: rules, resultTypes: ["violations"], preload: false}).then(
        found => found.violations.map(wrong => `${wrong.id} ${wrong.nodes.map(node => node.html.slice(0, 120))}`))
"""
_NARROWEST = 320


def problems_of(page: Page, within: str = "html", looks: Sequence[Look] = LOOKS) -> list[str]:
    """Return what is wrong with the page that is open, or with the parts of it that `within` selects."""
    found = []
    page.evaluate(AXE_SCRIPT)
    for width, theme, rules in looks:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        seen = page.evaluate(_LOOK, [within, rules])
        found += [f"{page.url} {theme} {width}: {problem}" for problem in seen]
    page.set_viewport_size({"width": _NARROWEST, "height": 900})
    width = page.evaluate("document.documentElement.scrollWidth")
    return found if width <= _NARROWEST else [*found, f"{page.url} is {width} wide at {_NARROWEST}"]
