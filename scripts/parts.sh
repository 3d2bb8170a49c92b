# shellcheck shell=bash
# Sourced by check.sh and test.sh: runs named parts, stops at the first that fails, and sums up.

parts_done=()

part() { # part NAME COMMAND...
    local name=$1 began=$SECONDS
    shift
    printf '\n=== %s\n' "$name"
    if "$@"; then
        parts_done+=("ok      $name ($((SECONDS - began)) s)")
    else
        parts_done+=("FAILED  $name ($((SECONDS - began)) s)")
        exit 1 # the summary is printed on the way out
    fi
}

note() { # note TEXT: something the reader of the summary must know
    printf '\n!!! %s\n' "$1"
    parts_done+=("!!!     $1")
}

summary() {
    local code=$?
    printf '\n=== Summary\n'
    [ ${#parts_done[@]} -eq 0 ] || printf '  %s\n' "${parts_done[@]}"
    [ $code -eq 0 ] && echo "All passed in $SECONDS s." || echo "Failed after $SECONDS s."
    exit $code
}

trap summary EXIT
