#!/usr/bin/env bash
# The fast part of the tests: form, lint, types, import contracts, translations, tests on SQLite. The sandbox's own
# tests, all but one case of what is wrong at a door, and what waits, kills, guesses or drives a browser, are test.sh's.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/parts.sh
. scripts/node.sh

bin=.venv/bin

part "install" scripts/install.sh dev node
part "format" $bin/ruff format --check --quiet .
part "lint" $bin/ruff check --quiet .
part "types" $bin/mypy
part "import contracts" $bin/lint-imports --no-logo
part "translations" $bin/python -m scripts.translations
part "tests on SQLite" env PORTAL_TEST_DATABASE=sqlite PORTAL_TEST_CASES=1 $bin/python -m pytest -q -n 2 --ignore=tests/sandbox \
    -m "not browser and not kill and not fuzz and not slow"
