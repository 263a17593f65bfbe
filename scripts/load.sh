#!/usr/bin/env bash
# scripts/load.sh [OPTION]...: installs what is missing, builds release, starts nodes on loopback, puts
# load on them with dustwire-load, measures the yardstick in the same minute, and writes a report
# folder: report.md, results.json, plots. Prints the table of goals with the figures reached.
# scripts/load.sh --help names the options; docs/performance.md says what is measured, and how.
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
