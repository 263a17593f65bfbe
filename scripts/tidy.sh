#!/usr/bin/env bash
# scripts/tidy.sh [FILE.c]...: clang-tidy with .clang-tidy over the sources given, or over all of src.
# Reads build/clang/compile_commands.json, so it configures that preset first.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh tidy
[ -f build/clang/compile_commands.json ] || cmake --preset clang >/dev/null
# What the compiler says is the build's business; "N warnings generated" counts what was filtered.
if [ $# -gt 0 ]; then printf '%s\0' "$@"; else find src -name '*.c' -print0; fi |
    xargs -0 -r -n 4 -P "${JOBS:-$(nproc)}" \
        clang-tidy -p build/clang --quiet --warnings-as-errors='*' 2> >(grep -v ' generated\.$' >&2)
