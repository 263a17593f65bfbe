#!/usr/bin/env bash
# scripts/soak.sh MINUTES [SEED]: mixed load, reloads and faults so long (tests/faults/soak.py); at the end
# nothing that was acknowledged is missing, and memory, descriptors and partial files have not grown.
# Installs what is missing; runs in a network namespace of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: scripts/soak.sh MINUTES [SEED]" >&2; exit 2; }
scripts/deps.sh soak
JOBS=${JOBS:-$(nproc)} scripts/build.sh release >/dev/null
mapped=(--map-root-user)
[ "$(id -u)" -ne 0 ] || mapped=()
exec unshare "${mapped[@]}" --mount --net -- /usr/bin/python3 -B tests/faults/soak.py "$@"
