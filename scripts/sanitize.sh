#!/usr/bin/env bash
# scripts/sanitize.sh asan|tsan [ctest argument]...: builds that preset and runs its tests.
# asan: addresses, leaks and undefined behaviour. tsan: data races and lock order.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
asan | tsan) preset=$1; shift ;;
*) echo "usage: scripts/sanitize.sh asan|tsan [ctest argument]..." >&2; exit 2 ;;
esac
scripts/build.sh "$preset"
ctest --preset "$preset" -j "${JOBS:-$(nproc)}" "$@"
