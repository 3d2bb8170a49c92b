#!/usr/bin/env bash
# The fast part of the tests: form, lint, types, import contracts, translations, tests on SQLite.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/parts.sh

bin=.venv/bin

part "install" scripts/install.sh dev
part "format" $bin/ruff format --check --quiet .
part "lint" $bin/ruff check --quiet .
part "types" $bin/mypy
part "import contracts" $bin/lint-imports --no-logo
part "translations" $bin/python -m scripts.translations
part "tests on SQLite" env PORTAL_TEST_DATABASE=sqlite $bin/python -m pytest -q -n 2 -m "not browser and not kill and not fuzz"
