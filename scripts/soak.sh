#!/usr/bin/env bash
# scripts/soak.sh MINUTES [SEED]: mixed load, reloads and faults so long (tests/faults/soak.py); at the end
# nothing that was acknowledged is missing, and memory, descriptors and partial files have not grown.
# Runs in a network namespace of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: scripts/soak.sh MINUTES [SEED]" >&2; exit 2; }
JOBS=${JOBS:-$(nproc)} scripts/build.sh release >/dev/null
as_root=(--map-root-user)
[ "$(id -u)" -ne 0 ] || as_root=()
exec unshare "${as_root[@]}" --mount --net -- bash -c '
    ip link set lo up && exec /usr/bin/python3 -B tests/faults/soak.py "$@"' soak "$@"
