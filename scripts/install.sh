#!/usr/bin/env bash
# install.sh [dev] [mysql] [node]: makes .venv and installs the locked packages into it, then compiles translations.
# Without arguments: what the portal needs to run. MySQL's driver is added when DATABASE_URL asks for it.
# Does nothing, quickly, when all is installed already.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf 'install: %s\n' "$@" >&2
    exit 1
}

. scripts/node.sh

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        # Running it is the only proof: version managers leave commands behind that only print an error.
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    local python
    python=$(find_python) || fail "Python 3.11 or newer is needed and was not found." \
        "Debian/Ubuntu: apt-get install python3 python3-venv    macOS: brew install python" \
        "or name one: PYTHON=/path/to/python3 make run"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python has no venv module." \
        "Debian/Ubuntu: apt-get install $("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')"
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv .venv
    rm -rf .venv/.installed
}

# Reads the locks this machine asks for; `.venv/.installed` keeps what was installed last.
wanted="requirements.txt"
for part in "$@"; do
    case $part in
    dev) wanted="$wanted requirements-dev.txt" ;;
    mysql) wanted="$wanted requirements-mysql.txt" ;;
    node) has_node || wanted="$wanted requirements-node.txt" ;;
    *) fail "unknown part '$part'; there are: dev mysql node" ;;
    esac
done
case ${DATABASE_URL:-} in
mysql*) case $wanted in *mysql*) ;; *) wanted="$wanted requirements-mysql.txt" ;; esac ;;
esac

is_installed() { # is_installed LOCK: the very text of LOCK was installed here
    [ -f ".venv/.installed/$1" ] && cmp -s "$1" ".venv/.installed/$1"
}

install_locks() {
    local lock missing=""
    for lock in $wanted; do
        is_installed "$lock" || missing="$missing $lock"
    done
    [ -n "$missing" ] || return 0
    case $missing in
    *mysql*)
        .venv/bin/python -c 'import MySQLdb' 2>/dev/null || pkg-config --exists libmariadb 2>/dev/null ||
            pkg-config --exists mysqlclient 2>/dev/null ||
            fail "MySQL's driver (mysqlclient) is compiled here, and the client library's headers are missing." \
                "Debian/Ubuntu: apt-get install gcc pkg-config libmariadb-dev python3-dev" \
                "macOS: brew install mariadb-connector-c pkg-config" \
                "or leave DATABASE_URL unset to use SQLite."
        ;;
    esac
    echo "Installing$missing"
    # shellcheck disable=SC2046,SC2086  # names of our own, without spaces
    .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes \
        $(printf -- ' -r %s' $missing)
    mkdir -p .venv/.installed
    # shellcheck disable=SC2086
    cp $missing .venv/.installed/
}

compile_translations() {
    local catalog
    for catalog in portal/translations/*/LC_MESSAGES/messages.po; do
        [ -f "$catalog" ] || continue
        [ "${catalog%.po}.mo" -nt "$catalog" ] ||
            .venv/bin/pybabel --quiet compile -i "$catalog" -o "${catalog%.po}.mo"
    done
}

.venv/bin/python -c '' 2>/dev/null || make_venv
install_locks
compile_translations
