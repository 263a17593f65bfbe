#!/usr/bin/env bash
# scripts/faults.sh [--quick] [--seed N] [--jobs N] [KIND]...: makes faults of every kind (tests/faults/kinds.py) around
# real daemons and looks after each whether what was acknowledged is there, once and whole. Prints a table
# of runs, files and losses; exits with 1 if there was a loss. Runs in namespaces of its own.
# Installs what is missing; a kind whose program cannot be had is left out, and no loss.
# --quick: a share of each, within four minutes. --jobs: so many kinds at a time. --list names the kinds,
# --seed repeats runs, --self-test plants losses, each of which must be found.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
scripts/deps.sh faults || echo "faults.sh: going on: what needs that is left out" >&2
JOBS=${JOBS:-$(nproc)} scripts/build.sh release >/dev/null
namespaces=(unshare --mount --net --)
[ "$(id -u)" -eq 0 ] || namespaces=(unshare --map-root-user --mount --net --)
faults='ulimit -n "$(ulimit -Hn)" && exec /usr/bin/python3 -B tests/faults/faults.py "$@"'
if "${namespaces[@]}" true 2>/dev/null; then
    exec "${namespaces[@]}" bash -c "$faults" faults "$@"
fi
echo "faults.sh: no namespaces can be made here: what changes the network or mounts is left out" >&2
exec bash -c "$faults" faults "$@"
