#!/usr/bin/env bash
# The client for the extension: types, unit tests, and its tests against the real portal and sandbox.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/node.sh
cd extension

# Installed anew only when the lock has changed.
stamp=node_modules/.installed
if ! cmp -s package-lock.json $stamp; then
    npm ci --no-audit --no-fund --loglevel=error
    cp package-lock.json $stamp
fi
npm test
