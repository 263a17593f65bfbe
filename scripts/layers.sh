#!/usr/bin/env bash
# scripts/layers.sh: checks that each file includes only what its room may see (the table in layers.py), that another
# room is entered by its public headers (include/<room>/), that a .c file includes its own header first, that no files
# include each other in a circle (x.c, x.h and x_internal.h count as one), and that the functions of a header begin with
# its room's name, or its own, and never with that of another file.
# scripts/layers.sh --self-test: plants one violation of each kind in a scratch folder and fails if one is not found.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
'' | --self-test) scripts/deps.sh layers && exec /usr/bin/python3 -B scripts/layers.py "$@" ;;
*) echo "usage: scripts/layers.sh [--self-test]" >&2; exit 2 ;;
esac
