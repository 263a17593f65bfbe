#!/usr/bin/env bash
# scripts/sanitize.sh asan|tsan [ctest argument]...: builds that preset and runs its tests.
# scripts/sanitize.sh asan|tsan --load [OPTION]...: runs the load of scripts/load.sh --quick with that preset's daemon
# instead; fails on a report of the sanitizer. Speeds are not checked.
# asan: addresses, leaks and undefined behaviour. tsan: data races and lock order.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
asan | tsan) preset=$1; shift ;;
*) echo "usage: scripts/sanitize.sh asan|tsan [ctest argument]... | --load [OPTION]..." >&2; exit 2 ;;
esac
scripts/build.sh "$preset"
if [ "${1-}" = --load ]; then
    shift
    export DUSTWIRE_BUILD=$PWD/build/$preset
    exec /usr/bin/python3 -B scripts/load/load.py --quick --out "build/load-$preset" "$@"
fi
ctest --preset "$preset" -j "${JOBS:-$(nproc)}" "$@"
