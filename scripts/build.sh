#!/usr/bin/env bash
# scripts/build.sh [PRESET]...: installs missing packages, configures and builds programs and tests in build/PRESET/
# (default: release).
# Presets: release, debug, asan, tsan, clang (CMakePresets.json). JOBS=n: parallel jobs.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh check
for preset in "${@:-release}"; do
    [ "$preset" != clang ] || scripts/deps.sh clang
    cmake --preset "$preset"
    cmake --build --preset "$preset" -j "${JOBS:-$(nproc)}"
done
