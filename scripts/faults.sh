#!/usr/bin/env bash
# scripts/faults.sh [--quick] [--seed N] [--jobs N] [KIND]...: injects faults of every kind (tests/faults/kinds.py)
# into real daemons and checks after each that every acknowledged file exists once and is complete. Prints a table of
# runs, files and losses; exits with 1 if there was a loss. Runs in new namespaces.
# Installs missing packages; a kind whose program is not available is skipped, and not a loss. --quick: a part of
# each, within four minutes. --jobs: kinds in parallel. --list prints the kinds, --seed repeats runs, --self-test
# plants losses, each of which must be found.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
scripts/deps.sh faults || echo "faults.sh: going on: kinds that need them are skipped" >&2
JOBS=${JOBS:-$(nproc)} scripts/build.sh release >/dev/null
namespaces=(unshare --mount --net --)
[ "$(id -u)" -eq 0 ] || namespaces=(unshare --map-root-user --mount --net --)
faults='ulimit -n "$(ulimit -Hn)" && exec /usr/bin/python3 -B tests/faults/faults.py "$@"'
if "${namespaces[@]}" true 2>/dev/null; then
    exec "${namespaces[@]}" bash -c "$faults" faults "$@"
fi
echo "faults.sh: cannot create namespaces here: kinds that change the network or mounts are skipped" >&2
exec bash -c "$faults" faults "$@"
