#!/usr/bin/env bash
# scripts/load.sh [OPTION]...: installs missing packages, builds release, starts nodes on loopback, measures them with
# dustwire-load and the yardstick alternately, and writes a report folder: report.md, results.json, plots. Prints the
# table of goals with the results.
# scripts/load.sh --help prints the options; docs/performance.md describes what is measured, and how.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
-h | --help) ;;
*)
    scripts/deps.sh load
    scripts/build.sh release >/dev/null
    ;;
esac
exec /usr/bin/python3 -B scripts/load/load.py "$@"
