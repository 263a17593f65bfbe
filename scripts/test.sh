#!/usr/bin/env bash
# scripts/test.sh: installs missing packages, builds everything and tests it; takes some minutes.
# scripts/test.sh --all: also the long tests (system tests under both sanitizers, load under tsan, the builds of
# packagers, and both commands of the README in a minimal Debian 12).
# Every step runs, even if an earlier one failed; the exit code is 0 only if all passed.
set -uo pipefail
cd "$(dirname "$0")/.."

case ${1-} in
'') is_all=false sanitized=(-LE system) needed=test ;;
--all) is_all=true sanitized=() needed=all ;;
*) echo "usage: scripts/test.sh [--all]" >&2; exit 2 ;;
esac
jobs=${JOBS:-$(nproc)}
export JOBS=$jobs CTEST_OUTPUT_ON_FAILURE=1
table=
failures=0
runs=0

# step NAME COMMAND...: runs it and records result and time.
step()
{
    local name=$1 start=$SECONDS result=ok
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" </dev/null || { result=FAILED; failures=$((failures + 1)); }
    table+=$(printf '%-34s %-6s %4d s' "$name" "$result" $((SECONDS - start)))$'\n'
    [ "$result" = ok ]
}

# run_tests PRESET JOBS [ARGUMENT]...: runs ctest; a copy of its log is used for the final count.
run_tests()
{
    local preset=$1 parallel=$2 status=0
    shift 2
    ctest --preset "$preset" -j "$parallel" "$@" || status=$?
    runs=$((runs + 1))
    mv "build/$preset/Testing/Temporary/LastTest.log" "build/$preset/Testing/Temporary/Run$runs.log"
    return "$status"
}

step "dependencies" scripts/deps.sh "$needed" || { echo "$table"; exit 1; }
timeout 5 getent ahosts localhost >/dev/null ||
    echo "test.sh: cannot resolve localhost (add it to /etc/hosts): tests that need it are skipped"
rm -f build/*/Testing/Temporary/Run*.log
step "format" scripts/format.sh --check
step "layers" scripts/layers.sh
step "layers: planted violations" scripts/layers.sh --self-test
if step "build release (gcc)" scripts/build.sh release; then
    step "test release" run_tests release "$jobs" -LE system
    # Most of them wait more than they compute: three for each CPU.
    step "test release, system" run_tests release $((3 * jobs)) -L system
fi
step "load, quick" scripts/load.sh --quick
step "build clang" scripts/build.sh clang && step "clang-tidy" scripts/tidy.sh
step "build debug" scripts/build.sh debug && step "test debug" run_tests debug "$jobs" -LE system
step "build asan" scripts/build.sh asan && step "test asan" run_tests asan "$jobs" "${sanitized[@]}"
step "build tsan" scripts/build.sh tsan && step "test tsan" run_tests tsan "$jobs" "${sanitized[@]}"
! $is_all || step "load under tsan" scripts/sanitize.sh tsan --load
step "fuzz, 10 s each" scripts/fuzz.sh 10s
step "faults: planted losses" scripts/faults.sh --self-test
step "faults, a share" scripts/faults.sh --quick --jobs "$jobs"
! $is_all || step "builds" scripts/builds.sh
! $is_all || step "a bare Debian 12" scripts/bare.sh

shopt -s nullglob
logs=(build/{release,debug,asan,tsan}/Testing/Temporary/Run*.log)
read -r passed failed < <(awk -f scripts/count_tests.awk "${logs[@]:-/dev/null}")
# The sum over all presets, in ctest's format; a failed step without a failed test counts as one failure.
[ "$failures" -eq 0 ] || [ "$failed" -gt 0 ] || failed=$failures
total=$((passed + failed))
[ "$total" -gt 0 ] || { echo "no test ran"; failures=1; }
printf '\n%s\n' "$table"
echo "$((total > 0 ? passed * 100 / total : 0))% tests passed, $failed tests failed out of $total"
printf 'Total Test time (real) = %d sec\n' "$SECONDS"
echo "$passed passed, $failed failed"
[ "$failures" -eq 0 ]
