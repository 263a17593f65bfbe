#!/usr/bin/env bash
# scripts/layers.sh: checks that each file includes only what its room may see (the table in layers.py), that another
# room is entered by its public headers (include/<room>/) and that a .c file includes its own header first.
# scripts/layers.sh --self-test: plants one violation of each kind in a scratch folder and fails if one is not found.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
'' | --self-test) scripts/deps.sh layers && exec /usr/bin/python3 -B scripts/layers.py "$@" ;;
*) echo "usage: scripts/layers.sh [--self-test]" >&2; exit 2 ;;
esac
