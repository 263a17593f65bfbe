#!/usr/bin/env bash
# scripts/sanitize.sh asan|tsan [ctest argument]...: builds that preset and runs its tests.
# scripts/sanitize.sh asan|tsan --load [OPTION]...: puts the load of scripts/load.sh --quick on that preset's daemon
# instead; fails if one reports something. Its speeds are a sanitizer's: nothing judges them.
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
