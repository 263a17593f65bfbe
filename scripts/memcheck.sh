#!/usr/bin/env bash
# scripts/memcheck.sh [TEST.py [TESTCASE]...]: the system tests (default: all) with every daemon under
# valgrind memcheck. Exit status 1: an invalid access, a use of what was not set, or a leak. A daemon
# that a test kills has no leak check. There are no suppressions.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "memcheck.sh: valgrind is missing: scripts/deps.sh test" >&2; exit 1; }
JOBS=${JOBS:-$(nproc)} scripts/build.sh debug >/dev/null
folder=$PWD/build/memcheck
mkdir -p "$folder/logs"
rm -f "$folder"/logs/*
cat >"$folder/dustwired" <<END
#!/bin/sh
exec valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=definite,indirect,possible \\
    --num-callers=25 --log-file='$folder/logs/%p' '$PWD/build/debug/dustwired' "\$@"
END
chmod +x "$folder/dustwired"
ln -sf ../debug/dustwire "$folder/dustwire"

if [ $# -gt 0 ]; then tests=("$1"); shift; else tests=(tests/system/test_*.py); fi
failures=0
for test in "${tests[@]}"; do
    DUSTWIRE_TEST_LOOSE=1 DUSTWIRE_BUILD=$folder DUSTWIRE_TEST_SLOW=${DUSTWIRE_TEST_SLOW:-15} /usr/bin/python3 -B "$test" "$@" ||
        { echo "memcheck.sh: $test failed" >&2; failures=1; }
done
daemons=$(find "$folder/logs" -type f | wc -l)
[ "$daemons" -gt 0 ] || { echo "memcheck.sh: no daemon ran" >&2; exit 1; }
if find "$folder/logs" -type f -size +0 | grep -q .; then
    find "$folder/logs" -type f -size +0 -exec head -40 {} +
    failures=1
fi
echo "$daemons daemons under valgrind, $(find "$folder/logs" -type f -size +0 | wc -l) with something said"
exit $failures
