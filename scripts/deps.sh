#!/usr/bin/env bash
# scripts/deps.sh [SET]...: installs missing Debian packages; installed ones are neither upgraded nor removed. A SET
# is the packages for one purpose or one script: see below. Default: build, to build a node. --check: installs
# nothing. --list: prints the sets.
# Exit status 1: packages or commands are still missing, listed on stderr.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

# An entry is a package; `a|b`: either is sufficient, and the first is installed if none is. `:command` must be in
# PATH afterwards. Run-time libraries are installed with the -dev packages.
declare -A sets
sets[build]="gcc:gcc libc6-dev cmake:cmake ninja-build:ninja pkgconf|pkg-config:pkg-config
libiniparser-dev libmicrohttpd-dev libcurl4-openssl-dev|libcurl4-gnutls-dev|libcurl4-nss-dev
libsystemd-dev libcap-ng-dev libxmlrpc-core-c3-dev uthash-dev libjansson-dev zlib1g-dev"
# The presets also build the tests.
sets[check]="${sets[build]} libcriterion-dev python3"
# git: the upgrade tests build the previous release.
sets[system]="${sets[check]} git:git python3-twisted strace:strace procps util-linux:unshare systemd:systemd-analyze"
sets[clang]="${sets[check]} clang:clang"
sets[layers]="python3"
sets[format]="clang-format:clang-format"
sets[tidy]="${sets[clang]} clang-tidy:clang-tidy"
sets[fuzz]="${sets[clang]} libclang-rt-14-dev"
# The file systems of the power cut tests; without their mkfs these kinds are skipped.
sets[faults]="util-linux:unshare iproute2:ip:tc nftables:nft strace:strace e2fsprogs xfsprogs btrfs-progs"
sets[soak]="util-linux:unshare"
sets[memcheck]="${sets[system]} valgrind:valgrind"
sets[coverage]="${sets[system]} lcov:lcov"
# rsync and nginx are compared with dustwired if they are installed, but not installed for that.
sets[load]="${sets[check]} gnuplot-nox:gnuplot valgrind:valgrind util-linux:findmnt"
sets[builds]="${sets[build]} clang:clang python3"
sets[bare]="debootstrap:debootstrap git:git util-linux:unshare"
# For scripts/test.sh, and for scripts/test.sh --all.
sets[test]="${sets[system]} ${sets[format]} ${sets[tidy]} ${sets[fuzz]} ${sets[faults]} ${sets[load]}"
sets[all]="${sets[test]} ${sets[builds]} ${sets[bare]}"

declare -A installed

read_installed()
{
    local name state
    while read -r name state; do
        [ "$state" != installed ] || installed[$name]=yes
    done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null)
}

# missing_packages ENTRY...: prints the first name of each entry without an installed package.
missing_packages()
{
    local entry name names
    read_installed
    for entry in "$@"; do
        names=${entry%%:*}
        for name in ${names//|/ }; do
            [ -z "${installed[$name]-}" ] || continue 2
        done
        echo "${names%%|*}"
    done | sort -u
}

# missing_commands ENTRY...: prints a line for each command that is not in PATH.
missing_commands()
{
    local entry command commands
    for entry in "$@"; do
        [[ $entry == *:* ]] || continue
        commands=${entry#*:}
        for command in ${commands//:/ }; do
            command -v "$command" >/dev/null || echo "$command, of the package ${entry%%[|:]*}"
        done
    done | sort -u
}

# Waits if another apt runs (a fresh machine upgrades itself). If the package lists cannot be updated, the existing
# ones are tried.
install_packages()
{
    local try
    for try in 1 2 3; do
        as_root apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update </dev/null && break
        [ "$try" -lt 3 ] || { echo "deps.sh: apt-get update failed: using the existing lists" >&2; break; }
        sleep $((try * 5))
    done
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
        install --no-install-recommends --no-upgrade --no-remove "$@" </dev/null
}

is_check=no
case ${1-} in
--check) is_check=yes; shift ;;
--list) printf '%s\n' "${!sets[@]}" | sort; exit 0 ;;
esac
entries=
for name in "${@:-build}"; do
    [ -n "${sets[$name]-}" ] || {
        echo "usage: scripts/deps.sh [--check] [SET]...; a SET is one of:" $(printf '%s\n' "${!sets[@]}" | sort) >&2
        exit 2
    }
    entries+=" ${sets[$name]}"
done
read -r -d '' -a wanted <<<"$entries" || true

missing=()
if command -v dpkg-query >/dev/null; then
    mapfile -t missing < <(missing_packages "${wanted[@]}")
else
    echo "deps.sh: dpkg-query not found: checking commands only" >&2
fi
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$is_check" = yes ]; then
        echo "deps.sh: not installed: ${missing[*]}" >&2
        exit 1
    fi
    echo "deps.sh: installing ${missing[*]}"
    install_packages "${missing[@]}" || {
        echo "deps.sh: not installed: ${missing[*]}; see the errors above, and install them manually" >&2
        exit 1
    }
fi
mapfile -t absent < <(missing_commands "${wanted[@]}")
[ ${#absent[@]} -eq 0 ] || {
    printf 'deps.sh: not in PATH: %s\n' "${absent[@]}" >&2
    exit 1
}
