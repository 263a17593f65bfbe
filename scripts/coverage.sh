#!/usr/bin/env bash
# scripts/coverage.sh [ctest argument]...: installs missing packages; measures the line and branch coverage of the
# library by the unit and system tests (gcov, lcov), and lists the lines not executed in build/coverage/uncovered.txt.
# Exit status 1: below 90 % of the lines. A daemon that a test kills writes no counts.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh coverage
scripts/build.sh coverage >/dev/null
lcov --quiet --zerocounters --directory build/coverage
DUSTWIRE_TEST_LOOSE=1 ctest --preset coverage -j 1 -LE planted "$@" >build/coverage/tests.log 2>&1 || echo "coverage.sh: tests failed: build/coverage/tests.log" >&2
# Only the library is counted, not the programs in src/daemon, src/cli and src/loadgen.
lcov --quiet --capture --rc lcov_branch_coverage=1 --directory build/coverage/CMakeFiles/dustwire_static.dir \
    --base-directory . --no-external --output-file build/coverage/library.info 2>/dev/null
/usr/bin/python3 -B tests/support/uncovered.py build/coverage/library.info >build/coverage/uncovered.txt
tail -n 40 build/coverage/uncovered.txt
awk '/^all / { exit !($2 + 0 >= 90) }' build/coverage/uncovered.txt
