#!/usr/bin/env bash
# scripts/coverage.sh [ctest argument]...: installs what is missing; what the unit and system tests execute of the library, by lines and
# branches (gcov, lcov), and a list of what they do not: build/coverage/uncovered.txt. Exit status 1:
# below 90 % of the lines. A daemon that a test kills leaves no count behind.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh coverage
scripts/build.sh coverage >/dev/null
lcov --quiet --zerocounters --directory build/coverage
DUSTWIRE_TEST_LOOSE=1 ctest --preset coverage -j 1 -LE planted "$@" >build/coverage/tests.log 2>&1 || echo "coverage.sh: tests failed: build/coverage/tests.log" >&2
# The library is compiled once; src/daemon, src/cli and src/loadgen are programs and not counted.
lcov --quiet --capture --rc lcov_branch_coverage=1 --directory build/coverage/CMakeFiles/dustwire_static.dir \
    --base-directory . --no-external --output-file build/coverage/library.info 2>/dev/null
/usr/bin/python3 -B tests/support/uncovered.py build/coverage/library.info >build/coverage/uncovered.txt
tail -n 40 build/coverage/uncovered.txt
awk '/^all / { exit !($2 + 0 >= 90) }' build/coverage/uncovered.txt
