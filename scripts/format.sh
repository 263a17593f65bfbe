#!/usr/bin/env bash
# scripts/format.sh: formats every C file by .clang-format. --check: changes nothing, lists the files that are not
# formatted and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh format
case ${1-} in
'') mode=(-i) ;;
--check) mode=(--dry-run --Werror) ;;
*) echo "usage: scripts/format.sh [--check]" >&2; exit 2 ;;
esac
find include src tests -name '*.[ch]' -print0 | xargs -0 -r clang-format "${mode[@]}"
