#!/usr/bin/env bash
# scripts/builds.sh [NAME]...: installs what is missing, and builds the programs as packagers do, once for each row of
# scripts/builds.py: compilers, build types, link-time optimisation, the flags of distributions, paths with a blank;
# then installs with prefixes of all kinds. Of each build: no warning, the flags that were asked for and not ours
# instead, and a file sent from one node to another. --list names the rows.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh builds || echo "builds.sh: going on: the rows that need what is missing are left out" >&2
exec /usr/bin/python3 -B scripts/builds.py "$@"
