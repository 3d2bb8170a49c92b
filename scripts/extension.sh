#!/usr/bin/env bash
# The client for the extension: types, unit tests, and its tests against the real portal and sandbox.
set -euo pipefail
cd "$(dirname "$0")/../extension"

if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' 2>/dev/null; then
    echo "extension: needs Node.js 20 or newer and npm, here: $(node --version 2>/dev/null || echo none)." >&2
    echo "  Mend it with your system's package (nodejs npm) or a version manager, then run this again." >&2
    exit 1
fi
# Installed anew only when the lock has changed.
stamp=node_modules/.installed
if ! cmp -s package-lock.json $stamp; then
    npm ci --no-audit --no-fund --loglevel=error
    cp package-lock.json $stamp
fi
npm test
