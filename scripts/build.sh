#!/usr/bin/env bash
# scripts/build.sh [PRESET]...: configures and builds into build/PRESET/ (default: release).
# Presets: release, debug, asan, tsan, clang (CMakePresets.json). JOBS=n: so many at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
for preset in "${@:-release}"; do
    cmake --preset "$preset"
    cmake --build --preset "$preset" -j "${JOBS:-$(nproc)}"
done
