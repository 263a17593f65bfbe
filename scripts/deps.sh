#!/usr/bin/env bash
# scripts/deps.sh [SET]...: installs what is missing of Debian's packages, and only that; what is installed is
# neither upgraded nor removed. A SET is what one purpose needs, or one script: see below. Default: build, what a
# node needs. --check: installs nothing. --list: names the sets.
# Exit status 1: something is missing still, named on stderr, package and command.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

# An entry is a package; `a|b` means that either will do, and the first is installed if none is there. `:command` is
# what has to be in PATH afterwards. What the linked programs need at run time comes with the -dev packages.
declare -A sets
sets[build]="gcc:gcc libc6-dev cmake:cmake ninja-build:ninja pkgconf|pkg-config:pkg-config
libiniparser-dev libmicrohttpd-dev libcurl4-openssl-dev|libcurl4-gnutls-dev|libcurl4-nss-dev
libsystemd-dev libcap-ng-dev libxmlrpc-core-c3-dev uthash-dev libjansson-dev zlib1g-dev"
# The presets build the tests too.
sets[check]="${sets[build]} libcriterion-dev python3"
# git has the release before, which the tests of an upgrade build.
sets[system]="${sets[check]} git:git python3-twisted strace:strace procps util-linux:unshare systemd:systemd-analyze"
sets[clang]="${sets[check]} clang:clang"
sets[layers]="python3"
sets[format]="clang-format:clang-format"
sets[tidy]="${sets[clang]} clang-tidy:clang-tidy"
sets[fuzz]="${sets[clang]} libclang-rt-14-dev"
# The file systems of the power cuts; without their mkfs those kinds are left out.
sets[faults]="util-linux:unshare iproute2:ip:tc nftables:nft strace:strace e2fsprogs xfsprogs btrfs-progs"
sets[soak]="util-linux:unshare"
sets[memcheck]="${sets[system]} valgrind:valgrind"
sets[coverage]="${sets[system]} lcov:lcov"
# rsync and nginx are measured beside dustwired where they are there, and installed for that by nobody.
sets[load]="${sets[check]} gnuplot-nox:gnuplot valgrind:valgrind util-linux:findmnt"
sets[builds]="${sets[build]} clang:clang python3"
sets[bare]="debootstrap:debootstrap git:git util-linux:unshare"
# All that scripts/test.sh needs, and what it needs with --all.
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

# missing_packages ENTRY...: the first name of each entry none of whose names is installed.
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

# missing_commands ENTRY...: a line for each command that is not in PATH.
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

# Another apt may be at work (a fresh machine upgrades itself): it is waited for. Lists that cannot be
# brought up to date may still do.
install_packages()
{
    local try
    for try in 1 2 3; do
        as_root apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update </dev/null && break
        [ "$try" -lt 3 ] || { echo "deps.sh: apt-get update failed: going on with the lists that are there" >&2; break; }
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
    echo "deps.sh: no Debian packages here; looking for commands only" >&2
fi
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$is_check" = yes ]; then
        echo "deps.sh: not installed: ${missing[*]}" >&2
        exit 1
    fi
    echo "deps.sh: installing ${missing[*]}"
    install_packages "${missing[@]}" || {
        echo "deps.sh: not installed: ${missing[*]}; see above why, and install them by hand" >&2
        exit 1
    }
fi
mapfile -t absent < <(missing_commands "${wanted[@]}")
[ ${#absent[@]} -eq 0 ] || {
    printf 'deps.sh: not in PATH: %s\n' "${absent[@]}" >&2
    exit 1
}
