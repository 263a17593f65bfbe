#!/usr/bin/env bash
# scripts/build.sh [PRESET]...: installs what is missing, configures and builds into build/PRESET/ (default: release),
# programs and tests.
# Presets: release, debug, asan, tsan, clang (CMakePresets.json). JOBS=n: so many at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh check
for preset in "${@:-release}"; do
    [ "$preset" != clang ] || scripts/deps.sh clang
    cmake --preset "$preset"
    cmake --build --preset "$preset" -j "${JOBS:-$(nproc)}"
done
