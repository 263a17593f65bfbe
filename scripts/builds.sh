#!/usr/bin/env bash
# scripts/builds.sh [NAME]...: installs missing packages, and builds the programs as packagers do, once for each row
# of scripts/builds.py: compilers, build types, link-time optimisation, the flags of distributions, paths with a
# space; then installs with various prefixes. Each build must have no warning, must use the requested flags instead of
# ours, and must send a file from one node to another. --list prints the rows.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh builds || echo "builds.sh: going on: rows that need what is missing are skipped" >&2
exec /usr/bin/python3 -B scripts/builds.py "$@"
