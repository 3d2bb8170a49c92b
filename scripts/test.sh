#!/usr/bin/env bash
# Everything: what check.sh does and the tests on every database and in the browser. What cannot run is an
# error with the command that mends it; only MySQL itself, which few systems package, may be missing, loudly.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/parts.sh
. scripts/node.sh

bin=.venv/bin
get_mysql=../shared/tools/get-mysql.sh

tests() { # tests DATABASE [pytest options]
    local database=$1
    shift
    env PORTAL_TEST_DATABASE="$database" $bin/python -m pytest -q "$@"
}

have_mysql() { # an installed MySQL server, a named one, or one that get_mysql unpacks
    if [ -n "${PORTAL_TEST_MYSQLD:-}" ]; then return; fi
    if command -v mysqld >/dev/null && ! mysqld --version | grep -q MariaDB; then return; fi
    [ -f "$get_mysql" ] && bash "$get_mysql" var/mysql || return 1
    export PORTAL_TEST_MYSQLD=$PWD/var/mysql/mysqld
}

part "system packages" scripts/system-packages.sh
part "install" scripts/install.sh dev mysql node
part "format" $bin/ruff format --check --quiet .
part "lint" $bin/ruff check --quiet .
part "types" $bin/mypy
part "import contracts" $bin/lint-imports --no-logo
part "translations" $bin/python -m scripts.translations
# SQLite runs every test but those that kill processes, MySQL every statement; MariaDB is where processes are killed and
# faults are suffered, and, where MySQL is missing, runs all that MySQL would have run.
part "tests on SQLite" tests sqlite -n 2 -m "not browser" --ignore=tests/proof/test_kill.py \
    --ignore=tests/proof/test_kill_under_load.py --ignore=tests/proof/test_running.py
if have_mysql; then
    part "tests on MySQL" tests mysql -n 2 -m "database and not browser and not kill and not fuzz" \
        --ignore=tests/proof/test_faults.py
    part "proof and money on MariaDB" tests mariadb -n 2 -m "database and not browser and not fuzz" \
        tests/proof tests/payments tests/outbox tests/kit
else
    note "NOT TESTED ON MYSQL (only on MariaDB): no server here. Name one: PORTAL_TEST_MYSQLD=/path/to/mysqld make test"
    part "tests on MariaDB" tests mariadb -n 2 -m "database and not browser and not fuzz"
fi
part "browser tests" tests sqlite -m browser -n 2
part "extension" scripts/extension.sh
