#!/usr/bin/env bash
# Regenerates the lock files from pyproject.toml: for every platform, with hashes, and only with
# releases that have been public for a week, so that a poisoned one has had time to be found.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh dev

compile() { # compile OUTPUT HEADER [uv options]
    local output=$1 header=$2
    shift 2
    echo "# $header Made by \`make lock\` from pyproject.toml; do not edit." >"$output.new"
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
        --exclude-newer "${LOCK_NEWEST:-7 days}" --no-header --no-emit-index-url --no-annotate "$@" pyproject.toml >>"$output.new"
    mv "$output.new" "$output"
}

compile requirements.txt "What the portal needs to run."

# The others stand on top: the same versions, and only what is not in requirements.txt already.
on_top=(--constraint requirements.txt)
while read -r name; do
    on_top+=(--no-emit-package "$name")
done < <(sed -nE 's/^([A-Za-z0-9._-]+)==.*/\1/p' requirements.txt | sort -u)

compile requirements-dev.txt "What tests and checks need, on top of requirements.txt." --extra dev "${on_top[@]}"
compile requirements-node.txt "Node.js for tests, where the system has none of 20 or newer." --extra node "${on_top[@]}"
compile requirements-mysql.txt "What MySQL needs, on top of requirements.txt; built with a C compiler." --extra mysql "${on_top[@]}"
