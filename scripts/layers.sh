#!/usr/bin/env bash
# scripts/layers.sh: checks that each file includes only what its room is allowed to (the table in layers.py), that of
# another room only public headers (include/<room>/) are included, that a .c file includes its own header first, that
# files do not include each other in a circle (x.c, x.h and x_internal.h count as one), and that the functions of a
# header begin with the name of its room or file, not of another file.
# scripts/layers.sh --self-test: plants one violation of each kind in a scratch folder and fails if one is not found.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
'' | --self-test) scripts/deps.sh layers && exec /usr/bin/python3 -B scripts/layers.py "$@" ;;
*) echo "usage: scripts/layers.sh [--self-test]" >&2; exit 2 ;;
esac
