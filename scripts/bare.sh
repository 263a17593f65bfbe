#!/usr/bin/env bash
# scripts/bare.sh [--folder DIR] [--fresh] [PART]...: runs the two commands of the README in a minimal Debian 12: a
# chroot made by debootstrap (minbase) with an empty environment and a clone of this tree's HEAD. The parts:
#   run     scripts/run.sh as root, then as a user with sudo: two nodes, a file from one to the other, the stop
#   short   a part of scripts/test.sh as root, in a clone below root's home: the build, unit tests, some system tests
#   test    all of scripts/test.sh, in the same place
# Default: run and test. DIR (build/bare) caches the base system and apt's packages; --fresh rebuilds them. Requires
# root (or sudo) and namespaces; without namespaces it is skipped with the reason. apt in the chroot has the host's
# configuration. The node uses port 7771 of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$PWD
. scripts/common.sh

release=bookworm
folder=$tree/build/bare
fresh=no
parts=()
while [ $# -gt 0 ]; do
    case $1 in
    --folder)
        [ $# -ge 2 ] || { echo "bare.sh: --folder requires a folder" >&2; exit 2; }
        folder=$(realpath -m "$2")
        shift
        ;;
    --fresh) fresh=yes ;;
    run | short | test) parts+=("$1") ;;
    *) sed -n '2,9s/^# //p' "$0"; exit 2 ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(run test)

say() { echo "bare.sh: $*"; }
fail() { say "$*" >&2; exit 1; }

# skip REASON: exits with 0, since nothing was tested.
skip() { say "skipped: $*"; exit 0; }

# ---- runs in new namespaces, so that its mounts and processes end with it

if [ -z "${DUSTWIRE_BARE_INSIDE-}" ]; then
    inside=(unshare --mount --propagation private --pid --fork --kill-child --)
    again=(env DUSTWIRE_BARE_INSIDE=yes bash scripts/bare.sh --folder "$folder" "${parts[@]}")
    [ "$fresh" = no ] || again+=(--fresh)
    scripts/deps.sh bare
    as_root "${inside[@]}" true 2>/dev/null || skip "cannot create namespaces here (a container?)"
    status=0
    as_root "${inside[@]}" "${again[@]}" || status=$?
    # Removes what a killed run left. Nothing is mounted there any more.
    as_root rm -rf --one-file-system "$folder"/root.*
    exit $status
fi

# ---- the base system

# The mirror of this release in the host's apt sources, in either format.
mirror()
{
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$release" '$2 == release && $3 == "main" { print $1; exit }'
}

# copy_to ROOT PATH...: copies the host's files that exist.
copy_to()
{
    local root=$1 path
    shift
    for path in "$@"; do
        [ -e "$path" ] || continue
        mkdir -p "$root$(dirname "$path")"
        rm -rf "${root:?}$path"
        cp -rL "$path" "$root$path"
    done
}

# Uses the host's configuration to reach the mirrors: sources, proxies, keys, certificates.
copy_apt_settings()
{
    copy_to "$1" /etc/apt /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt
    mkdir -p "$1/usr/share/keyrings"
    cp -n /usr/share/keyrings/* "$1/usr/share/keyrings/"
}

make_base()
{
    local from
    [ "$fresh" = no ] || rm -rf --one-file-system "$folder/base" "$folder/archives"
    [ ! -d "$folder/base" ] || return 0
    from=$(mirror)
    [ -n "$from" ] || skip "apt has no source for Debian $release here"
    say "debootstrap from $from"
    mkdir -p "$folder/archives/partial"
    rm -rf --one-file-system "$folder/base.part"
    timeout 1200 debootstrap --variant=minbase "$release" "$folder/base.part" "$from" >"$folder/debootstrap.log" 2>&1 ||
        { tail -n 20 "$folder/debootstrap.log" >&2; fail "debootstrap failed: $folder/debootstrap.log"; }
    copy_apt_settings "$folder/base.part"
    mv "$folder/base.part" "$folder/base"
}

# open_root NAME: copies the base system to $root and mounts the kernel's file systems.
open_root()
{
    root=$folder/root.$1
    rm -rf --one-file-system "$root"
    cp -a --reflink=auto "$folder/base" "$root"
    mount --bind "$root" "$root" # a mount point, so that namespaces can be created inside
    mount --bind "$folder/archives" "$root/var/cache/apt/archives"
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mkdir -p "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
    rm -f "$root/dev/ptmx"
    ln -s pts/ptmx "$root/dev/ptmx"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
}

close_root()
{
    local place
    for place in dev/shm dev/pts sys proc var/cache/apt/archives .; do
        umount -l "$root/$place"
    done
    rm -rf --one-file-system "$root"
}

# clone_to PATH: clones HEAD, below the root.
clone_to()
{
    git clone --quiet --no-hardlinks "$tree" "$root$1"
}

# within SECONDS USER SCRIPT: runs bash in the root with the environment of a login.
within()
{
    local home path
    home=$(awk -F : -v user="$2" '$1 == user { print $6 }' "$root/etc/passwd")
    path=/usr/local/bin:/usr/bin:/bin
    [ "$2" != root ] || path=/usr/local/sbin:/usr/sbin:/sbin:$path
    timeout --kill-after=30 "$1" chroot --userspec="$2" "$root" \
        /usr/bin/env -i HOME="$home" USER="$2" PATH="$path" /bin/bash -c "cd && $3" </dev/null
}

# ---- the parts

# Runs in the root, with the commands that run.sh prints.
try_nodes()
{
    set -euo pipefail
    cd dustwire
    local limit=900 command

    up() # LOG PROCESS: waits until the node is up
    {
        local began=$SECONDS
        until grep -q 'Ctrl-C stops the node' "$1"; do
            if ! kill -0 "$2" 2>/dev/null || [ $((SECONDS - began)) -gt $limit ]; then
                cat "$1"
                echo "bare.sh: no node started" >&2
                return 1
            fi
            sleep 0.2
        done
    }

    scripts/run.sh >~/first.log 2>&1 &
    local first=$!
    up ~/first.log $first
    scripts/run.sh --second >~/second.log 2>&1 &
    local other=$!
    up ~/second.log $other
    echo "two nodes after $SECONDS s"

    head -c 3000001 /dev/urandom >~/a-file
    command=$(grep -o 'build/release/dustwire --socket .* send FILE .*' ~/second.log)
    bash -c "${command/FILE/~/a-file}"
    cmp ~/a-file /var/lib/dustwire/inbox/*
    echo "the file arrived"

    if scripts/run.sh >~/again.log 2>&1; then
        cat ~/again.log
        echo "bare.sh: a second node of the same settings started" >&2
        return 1
    fi
    grep -q "runs already: dustwired (process $first)" ~/again.log || { cat ~/again.log; return 1; }
    ! grep -q 'node is up' ~/again.log || { cat ~/again.log; return 1; }

    kill "$other" && wait "$other"
    build/release/dustwire stop
    wait "$first"
    echo "both nodes stopped cleanly"
}

part_run()
{
    local user
    for user in root person; do
        open_root "run-$user"
        if [ "$user" = person ]; then
            within 600 root 'apt-get -q update && apt-get -q -y install --no-install-recommends sudo &&
                useradd --create-home --shell /bin/bash person &&
                echo "person ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/person' >"$folder/prepare.log" 2>&1 ||
                { cat "$folder/prepare.log"; fail "cannot install sudo in the chroot"; }
            clone_to /home/person/dustwire
            chown -R --reference="$root/home/person" "$root/home/person/dustwire"
        else
            clone_to /root/dustwire
        fi
        say "scripts/run.sh as $user"
        within 2400 "$user" "$(declare -f try_nodes); try_nodes" || {
            cat "$root$([ "$user" = root ] && echo /root || echo /home/person)"/first.log >&2 || true
            fail "scripts/run.sh as $user failed"
        }
        close_root
    done
}

# in_roots_home NAME SECONDS SCRIPT: in a clone below root's home.
in_roots_home()
{
    local status=0
    open_root test
    clone_to /root/dustwire
    chmod 0700 "$root/root"
    say "$1 as root"
    within "$2" root "cd dustwire && { $3; } 2>&1" | tee "$folder/test.log" || status=$?
    close_root
    [ "$status" -eq 0 ] || fail "$1 failed: $folder/test.log"
}

part_short()
{
    in_roots_home 'a part of scripts/test.sh' 3600 'scripts/deps.sh test && scripts/build.sh release || exit 1
        failed=0
        ctest --preset release -LE system || failed=1
        ctest --preset release -R "^system_(privilege|edges|two_nodes|gateway|scripts|install|service)$" || failed=1
        exit $failed'
}

part_test()
{
    in_roots_home scripts/test.sh 10800 scripts/test.sh
    tail -n 1 "$folder/test.log" | grep -Eq '^[0-9]+ passed, 0 failed$' || fail "scripts/test.sh failed"
}

mkdir -p "$folder"
exec 8>"$folder/lock"
flock -n 8 || fail "another bare.sh uses $folder; wait for it, or use another with --folder"
make_base
for part in "${parts[@]}"; do
    "part_$part"
done
say "${parts[*]}: passed"
