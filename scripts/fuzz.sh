#!/usr/bin/env bash
# scripts/fuzz.sh HOURS [TARGET]...: fuzzes each target (tests/fuzz/fuzz_TARGET.c) for that time, JOBS (default: the
# number of CPUs) in parallel, under the address and undefined-behaviour sanitizers, and prints the number of
# executions. `10s`, `15m` instead of HOURS are seconds and minutes; `--merge` adds new short inputs to
# tests/fuzz/corpus. Exit status 1: an input failed; it is in build/fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { echo "usage: scripts/fuzz.sh HOURS|Ns|Nm|--merge [TARGET]..." >&2; exit 2; }

case ${1-} in
--merge) seconds=0 ;;
*[!0-9smh]* | '') usage ;;
*s) seconds=${1%s} ;;
*m) seconds=$((${1%m} * 60)) ;;
*) seconds=$((${1%h} * 3600)) ;;
esac
shift
targets=("$@")
jobs=${JOBS:-$(nproc)}
if [ ${#targets[@]} -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        name=${source##*/fuzz_}
        targets+=("${name%.c}")
    done
fi

scripts/deps.sh fuzz
[ -f build/fuzz/build.ninja ] || cmake -G Ninja -B build/fuzz -D CMAKE_C_COMPILER=clang \
    -D CMAKE_BUILD_TYPE=Release -D DUSTWIRE_FUZZ=ON >/dev/null
cmake --build build/fuzz -j "$jobs" -t "${targets[@]/#/fuzz_}" >/dev/null
/usr/bin/python3 -B tests/fuzz/seed.py build/fuzz/corpus
mkdir -p build/fuzz/found

# Keeps short inputs with additional coverage.
merge()
{
    local kept=tests/fuzz/corpus/$1
    mkdir -p "$kept"
    build/fuzz/"fuzz_$1" -merge=1 -max_len=2000 "$kept" "build/fuzz/corpus/$1" >/dev/null 2>&1
    find "$kept" -type f -size +2k -delete
    echo "$1: $(find "$kept" -type f | wc -l) files"
}

fuzz()
{
    local kept=tests/fuzz/corpus/$1 log=build/fuzz/$1.log result=ok
    mkdir -p "build/fuzz/corpus/$1"
    [ ! -d "$kept" ] || cp -n "$kept"/* "build/fuzz/corpus/$1"
    build/fuzz/"fuzz_$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/found/$1-" "build/fuzz/corpus/$1" >"$log" 2>&1 || result=FAILED
    [ "$result" = ok ] || tail -40 "$log"
    printf '%-10s %-6s %12s executions in %s s\n' "$1" "$result" \
        "$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")" "$seconds"
    [ "$result" = ok ]
}

if [ "$seconds" -eq 0 ]; then
    for target in "${targets[@]}"; do
        merge "$target"
    done
    exit 0
fi
failures=0
for target in "${targets[@]}"; do
    [ "$(jobs -pr | wc -l)" -lt "$jobs" ] || wait -n || failures=1
    fuzz "$target" &
done
while [ -n "$(jobs -p)" ]; do
    wait -n || failures=1
done
exit $failures
