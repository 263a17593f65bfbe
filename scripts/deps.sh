#!/usr/bin/env bash
# scripts/deps.sh [build|test|run|load]...: installs what is missing of Debian's packages, and only that.
# A line names a package; `a|b` means that either will do, and the first is installed if none is there.
# What is installed already is neither upgraded nor removed. Without arguments: build and run.
set -euo pipefail

build_packages="
gcc libc6-dev cmake ninja-build pkgconf|pkg-config
libiniparser-dev libmicrohttpd-dev libcurl4-openssl-dev|libcurl4-gnutls-dev|libcurl4-nss-dev
libsystemd-dev libcap-ng-dev libxmlrpc-core-c3-dev uthash-dev libjansson-dev zlib1g-dev libcriterion-dev"
# What the linked programs need at run time comes with the -dev packages above.
run_packages="$build_packages"
test_packages="
$build_packages
clang clang-format clang-tidy libclang-rt-14-dev
python3 python3-twisted strace iproute2 nftables procps util-linux valgrind lcov systemd"
# scripts/load.sh: python3 runs the measurements, the others draw and count. rsync and nginx are measured
# beside dustwired where they are there, and installed for that by nobody.
load_packages="python3 gnuplot-nox valgrind util-linux"

is_installed()
{
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Prints the first name of each entry none of whose names is installed.
missing_of()
{
    local entry name
    for entry in "$@"; do
        for name in ${entry//|/ }; do
            is_installed "$name" && continue 2
        done
        echo "${entry%%|*}"
    done
}

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "deps.sh: installing needs root; run this script as root, or install sudo" >&2
        exit 1
    fi
}

wanted=
for set in "${@:-build}"; do
    case $set in
    build) wanted+=" $build_packages" ;;
    run) wanted+=" $run_packages" ;;
    test) wanted+=" $test_packages" ;;
    load) wanted+=" $load_packages" ;;
    *) echo "usage: scripts/deps.sh [build|test|run|load]..." >&2; exit 2 ;;
    esac
done
command -v dpkg-query >/dev/null ||
    { echo "deps.sh: this is no Debian; install these yourself:$wanted" >&2; exit 1; }

# shellcheck disable=SC2086 # a list of words
missing=$(missing_of $wanted | sort -u)
[ -n "$missing" ] || exit 0
echo "deps.sh: installing" $missing
as_root apt-get update -q
# shellcheck disable=SC2086
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    --no-upgrade --no-remove $missing </dev/null
