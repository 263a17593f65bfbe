#!/usr/bin/env bash
# scripts/memcheck.sh [TEST.py [TESTCASE]...]: installs missing packages; runs the system tests (default: all) with
# every daemon under valgrind memcheck. Exit status 1: an invalid access, a use of uninitialised memory, a leak, or a
# failed test. A daemon that a test kills has no leak check. No errors are suppressed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh memcheck
JOBS=${JOBS:-$(nproc)} scripts/build.sh debug >/dev/null
folder=$PWD/build/memcheck
rm -rf "$folder"
mkdir -p "$folder/logs"
chmod 1777 "$folder/logs" # some daemons run as other users
cat >"$folder/dustwired" <<END
#!/bin/sh
log=\$(mktemp '$folder/logs/XXXXXXXX')
exec valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=definite,indirect,possible \\
    --num-callers=25 --log-file="\$log" '$PWD/build/debug/dustwired' "\$@"
END
chmod +x "$folder/dustwired"
ln -s ../debug/dustwire ../debug/dustwire-load "$folder"
export DUSTWIRE_BUILD=$folder DUSTWIRE_TEST_TOOL=valgrind DUSTWIRE_TEST_SLOW=${DUSTWIRE_TEST_SLOW:-15}

daemons() { find "$folder/logs" -type f "$@" | wc -l; }

if [ $# -gt 0 ]; then tests=("$1"); shift; else tests=(tests/system/test_*.py); fi
failed=()
table=
for test in "${tests[@]}"; do
    start=$SECONDS before=$(daemons) result=ok
    /usr/bin/python3 -B "$test" "$@" 2>&1 | tee -a "$folder/tests.log" || { result=FAILED; failed+=("$test"); }
    table+=$(printf '%-42s %-6s %4d s %4d daemons' "$test" $result $((SECONDS - start)) $(($(daemons) - before)))$'\n'
done
# valgrind 3.19 does not support the system calls of Landlock: it returns ENOSYS with a warning of five lines, and the
# daemon continues as on a kernel without Landlock.
find "$folder/logs" -type f -exec sed -i '/^--[0-9]*-- WARNING: unhandled amd64-linux syscall: 444$/,+4d' {} +
find "$folder/logs" -type f -size +0 -exec head -60 {} +
reported=$(daemons -size +0)
printf '\n%s\n' "$table"
grep ' \.\.\. skipped ' "$folder/tests.log" || true
echo "$(daemons) daemons under valgrind, $reported with errors; ${#failed[@]} of ${#tests[@]} tests failed: ${failed[*]:-none}"
[ "$(daemons)" -gt 0 ] || { echo "memcheck.sh: no daemon ran" >&2; exit 1; }
[ "$reported" -eq 0 ] && [ ${#failed[@]} -eq 0 ]
