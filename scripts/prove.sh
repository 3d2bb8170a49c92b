#!/usr/bin/env bash
# The long forms of the proof that delivery is exactly once: more examples, more rounds, deaths under load, a thousand
# purchases. PROVE_SEED repeats a run, PROVE_PURCHASES says how many purchases.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/parts.sh

bin=.venv/bin
export PROVE=1 PROVE_SEED=${PROVE_SEED:-$RANDOM$RANDOM}
echo "PROVE_SEED=$PROVE_SEED"

prove() { # prove DATABASE [pytest options]
    local database=$1
    shift
    env PORTAL_TEST_DATABASE="$database" $bin/python -m pytest -q -n 2 tests/proof tests/test_migrations.py::TestKilledMidway "$@"
}

part "install" scripts/install.sh dev mysql
# On SQLite one process writes at a time whoever else is there: load tells nothing more, and a busy machine answers 503.
part "proof on SQLite" prove sqlite --ignore=tests/proof/test_kill_under_load.py --ignore=tests/proof/test_running.py
part "proof on MariaDB" prove mariadb
part "a thousand purchases" $bin/python -m tests.proof.thousand --purchases "${PROVE_PURCHASES:-1000}"
note "PROVE_SEED=$PROVE_SEED"
