"""Compares the catalogs with what the code and the templates say now; `--update` brings new messages in.

A message that is missing, empty, marked fuzzy or not used any more fails: a page half in another
language looks broken, and a dead entry hides a renamed one.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from scripts.processes import ROOT

CATALOGS = ROOT / "portal" / "translations"


def main(words: list[str]) -> int:
    """Check (or first update) every catalog; return the exit code."""
    paths = sorted(CATALOGS.glob("*/LC_MESSAGES/messages.po"))
    if not paths:
        print(f"No catalogs below {CATALOGS}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        template = Path(directory) / "messages.pot"
        # Without the lines where a message stands, so that a diff shows messages only.
        options = ("--no-location", "--sort-output", "-k", "lazy_gettext", "-k", "_l")
        pybabel("extract", "-F", "pyproject.toml", *options, "-o", str(template), ".")
        if "--update" in words:
            quietly = ("--no-fuzzy-matching", "--ignore-obsolete", "--ignore-pot-creation-date", "-w", "110")
            pybabel("update", "-i", str(template), "-d", str(CATALOGS), *quietly)
        said = read(template)
    problems = [f"{path.relative_to(ROOT)}: {text}" for path in paths for text in compare(said, read(path))]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def compare(said: Catalog, catalog: Catalog) -> Iterator[str]:
    """Yield what is wrong with `catalog`, given all that is said."""
    for message in said:
        if message.id and catalog.get(message.id, message.context) is None:
            yield f"missing: {message.id!r} (run: .venv/bin/python -m scripts.translations --update)"
    for message in catalog:
        if not message.id:
            continue
        texts = message.string if isinstance(message.string, (tuple, list)) else [message.string]
        if said.get(message.id, message.context) is None:
            yield f"not used any more: {message.id!r}"
        elif message.fuzzy:
            yield f"fuzzy: {message.id!r}"
        elif not all(texts):
            yield f"not translated: {message.id!r}"
        for error in message.check(catalog):
            yield f"{message.id!r}: {error}"


def read(path: Path) -> Catalog:
    """Read a catalog or a template of one."""
    # The folder above LC_MESSAGES names the locale, and with it how many plural forms there are.
    locale = path.parent.parent.name if path.suffix == ".po" else "en"
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def pybabel(command: str, *words: str) -> None:
    """Run one of Babel's own commands."""
    subprocess.run(
        [sys.executable, "-m", "babel.messages.frontend", "--quiet", command, *words], cwd=ROOT, check=True
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
