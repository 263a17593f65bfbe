#!/usr/bin/env bash
# scripts/tidy.sh [FILE.c]...: runs clang-tidy on the given sources, or on all of src.
# Uses build/clang/compile_commands.json, so it configures that preset first.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh tidy
[ -f build/clang/compile_commands.json ] || cmake --preset clang >/dev/null
# Compiler warnings are checked by the build; "N warnings generated" counts suppressed ones.
if [ $# -gt 0 ]; then printf '%s\0' "$@"; else find src -name '*.c' -print0; fi |
    xargs -0 -r -n 4 -P "${JOBS:-$(nproc)}" \
        clang-tidy -p build/clang --quiet --warnings-as-errors='*' 2> >(grep -v ' generated\.$' >&2)
