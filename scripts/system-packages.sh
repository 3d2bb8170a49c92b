#!/usr/bin/env bash
# Installs what `make test` needs from the system: database servers, the client library's headers, a browser.
# On Debian and Ubuntu, as root or with sudo. Elsewhere it names the command. With all there, it does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Servers live in sbin, which is not on everybody's PATH.
PATH=$PATH:/usr/sbin:/usr/local/sbin

has() { command -v "$1" >/dev/null 2>&1; }

has_any() { for name in "$@"; do if has "$name"; then return; fi; done; return 1; }

has_chinese_font() {
    # Not `grep -q`: it would end fc-list early, which pipefail takes for a failure.
    case $(uname) in Darwin) return ;; esac
    has fc-list && [ -n "$(fc-list :lang=zh-cn family)" ]
}

# Headers of the Python that .venv is, or will be, made of; a version manager brings its own.
python=.venv/bin/python
[ -x $python ] || python=python3
has_python_headers() {
    has $python && [ -f "$($python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]
}
has_venv() { has $python && $python -c 'import ensurepip, venv' 2>/dev/null; }

case $(. /etc/os-release 2>/dev/null && echo "${ID:-} ${ID_LIKE:-}" || uname) in
*ubuntu*) system=apt chromium=chromium-browser ;;
*debian*) system=apt chromium=chromium ;;
Darwin) system=brew ;;
*) system=other ;;
esac

missing=()
need() { missing+=("$1"); } # need DEBIAN_PACKAGE
has gcc || need gcc
has pkg-config || need pkg-config
pkg-config --exists libmariadb 2>/dev/null || pkg-config --exists mysqlclient 2>/dev/null || need libmariadb-dev
has_venv || need python3-venv
has_python_headers || need python3-dev
{ has mariadbd && has mariadb-install-db; } || need mariadb-server
has redis-server || need redis-server
has_any chromium chromium-browser google-chrome || need "${chromium:-chromium}"
has_chinese_font || need fonts-noto-cjk

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

install="apt-get install -y --no-install-recommends ${missing[*]}"
case $system in
apt)
    if [ "$(id -u)" -eq 0 ]; then
        run=(env DEBIAN_FRONTEND=noninteractive)
    elif has sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        run=(sudo env DEBIAN_FRONTEND=noninteractive)
    else
        echo "system-packages: missing: ${missing[*]}. As root: apt-get update && $install" >&2
        exit 1
    fi
    echo "Installing ${missing[*]}"
    "${run[@]}" apt-get update -qq
    # shellcheck disable=SC2086  # package names of our own
    "${run[@]}" $install >/dev/null
    ;;
brew)
    echo "system-packages: something is missing (Debian's names: ${missing[*]}). Mend it with:" >&2
    echo "  brew install mariadb mariadb-connector-c pkg-config redis && brew install --cask chromium" >&2
    exit 1
    ;;
other)
    echo "system-packages: missing, by Debian's names: ${missing[*]}. Install what your system calls them." >&2
    exit 1
    ;;
esac
