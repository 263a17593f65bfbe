#!/usr/bin/env bash
# scripts/soak.sh MINUTES [SEED]: runs mixed load, reloads and faults for that time (tests/faults/soak.py); checks at
# the end that every acknowledged file exists, and that memory, descriptors and partial files have not grown.
# Installs missing packages; runs in a new network namespace.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: scripts/soak.sh MINUTES [SEED]" >&2; exit 2; }
scripts/deps.sh soak
JOBS=${JOBS:-$(nproc)} scripts/build.sh release >/dev/null
mapped=(--map-root-user)
[ "$(id -u)" -ne 0 ] || mapped=()
exec unshare "${mapped[@]}" --mount --net -- /usr/bin/python3 -B tests/faults/soak.py "$@"
