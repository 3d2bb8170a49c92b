# shellcheck shell=bash
# Sourced: finds a Node.js of 20 or newer, the system's or the one that install.sh puts into .venv.

has_node() {
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' 2>/dev/null &&
        command -v npm >/dev/null
}

has_node || PATH=$PWD/.venv/bin:$PATH
