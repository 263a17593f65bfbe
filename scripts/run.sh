#!/usr/bin/env bash
# scripts/run.sh: installs the packages to build a node, builds the two programs (no tests), and runs a node with
# etc/dustwired.ini in the foreground. Ctrl-C stops it. When it is up, the commands that send it a file are printed.
# Exit status 1: it did not start, or a node runs already.
# scripts/run.sh --second: runs a second node on this machine, on port 7772, with inbox and socket in a separate folder,
# to try a transfer with.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

usage()
{
    echo "usage: scripts/run.sh [--second] [-h]"
    echo "  (none)     a node with etc/dustwired.ini: port 7771, inbox in /var/lib/dustwire"
    echo "  --second   a second node on this machine, to send from: port 7772, all files below"
    echo "             \${DUSTWIRE_SECOND:-/tmp/dustwire-second-\$UID}"
}

# own_folder PATH: creates it, owned by the current user. An existing one is not changed.
own_folder()
{
    [ -d "$1" ] && return
    if [ "$(id -u)" -eq 0 ]; then
        install -d -m 0755 "$1"
    elif ! install -d -m 0755 "$1" 2>/dev/null; then
        echo "run.sh: creating $1 for $(id -un) (sudo)"
        as_root install -d -m 0755 -o "$(id -u)" -g "$(id -g)" "$1"
    fi
}

# setting SECTION KEY: prints the effective value.
setting()
{
    "$bin/dustwired" --config "$ini" --dump-config |
        awk -F ' *= *' -v section="[$1]" -v key="$2" '
            /^\[/ { here = $0 == section }
            here && $1 == key { value = $2; gsub(/"/, "", value); sub(/[ \t]*;.*/, "", value); print value }'
}

write_second_settings()
{
    own_folder "$folder"
    # The name below /tmp is predictable: does not write to a folder of another user, or to a link.
    if [ -L "$folder" ] || [ ! -O "$folder" ]; then
        echo "run.sh: $folder belongs to another user; set DUSTWIRE_SECOND to another folder" >&2
        exit 1
    fi
    chmod 700 "$folder"
    cat >"$ini" <<EOT
; A second node on this machine, written by scripts/run.sh --second.
[services/tcp-connections]
tcp-port = 7772
listen = "127.0.0.1"
[node]
host = "127.0.0.1"
[inbox]
path = "$folder/inbox"
[control]
socket = "$folder/control.sock"
EOT
}

# Builds the programs without tests. A build folder configured with the tests stays so.
build_node()
{
    [ -f build/release/build.ninja ] || cmake --preset release -D BUILD_TESTING=OFF
    cmake --build --preset release -j "${JOBS:-$(nproc)}" --target dustwired dustwire
}

# pid_at_socket: the process that answers on the control socket, if any.
pid_at_socket()
{
    [ -S "$socket" ] && timeout 5 "$bin/dustwire" --socket "$socket" --json status 2>/dev/null |
        sed -n 's/.*"pid": *\([0-9][0-9]*\).*/\1/p'
}

# name_of PID: its name and number.
name_of()
{
    echo "$(cat "/proc/$1/comm" 2>/dev/null || echo a process) (process $1)"
}

# The inode of a listening socket (state 0A in the kernel's table) that conflicts with ours: same port, on all
# addresses or on one of ours. Empty if the node does not listen.
port_inode()
{
    local hex
    [ "$(setting services/tcp-transport receiving-enabled)" = true ] || return 0
    hex=$(printf '%04X' "$port")
    awk -v port="$hex" -v listen="$(setting services/tcp-connections listen)" '
        BEGIN {
            count = split(listen, ours, /[ ,]+/)
            for (i = 1; i <= count; i++) {
                if (split(ours[i], byte, ".") == 4)
                    at[sprintf("%02X%02X%02X%02X", byte[4], byte[3], byte[2], byte[1])]
                if (ours[i] ~ /^(\*|0\.0\.0\.0|::|\[::\])$/) is_all = 1
            }
        }
        $4 == "0A" && split($2, local, ":") == 2 && local[2] == port &&
            (is_all || listen == "" || local[1] in at || local[1] ~ /^0+$/) { print $10; exit }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null || true
}

# holder_of INODE: the process that has this socket open, if visible to this user.
holder_of()
{
    local fd
    fd=$(find /proc/[0-9]*/fd -lname "socket:\\[$1\\]" -print -quit 2>/dev/null || true)
    fd=${fd#/proc/}
    if [ -n "$fd" ]; then name_of "${fd%%/*}"; else echo "a program of another user"; fi
}

# Exits with an error if the control socket or the port is in use, since two daemons cannot share one. The daemon
# itself locks its inbox.
refuse_if_in_use()
{
    local pid inode
    pid=$(pid_at_socket || true)
    if [ -n "$pid" ]; then
        echo "run.sh: a node runs already: $(name_of "$pid") answers on $socket." >&2
        echo "  Status:  $bin/dustwire --socket $socket status" >&2
        echo "  Stop:    $bin/dustwire --socket $socket stop" >&2
        [ "$second" = yes ] || echo "  Second node: scripts/run.sh --second" >&2
        exit 1
    fi
    inode=$(port_inode)
    if [ -n "$inode" ]; then
        echo "run.sh: port $port is in use by $(holder_of "$inode"); stop it, or set another" >&2
        echo "  [services/tcp-connections] tcp-port in $ini" >&2
        exit 1
    fi
}

# Waits until the daemon (process $1) answers or exits, and prints the next steps. Runs in parallel to the daemon.
print_next_steps()
{
    local tries=0
    until [ "$(pid_at_socket)" = "$1" ]; do
        # The daemon has logged why it exited, or that its port is in use.
        kill -0 "$1" 2>/dev/null && ((++tries < 300)) || return 0
        sleep 0.1
    done
    echo
    if [[ $("$bin/dustwire" --socket "$socket" status 2>&1) == *"network: DISCONNECTED"* ]]; then
        "$bin/dustwire" --socket "$socket" status || true
    elif [ "$second" = yes ]; then
        echo "The second node is up. To send a file from it to the first, in another shell:"
        echo "    $bin/dustwire --socket $socket send FILE 127.0.0.1:$(first_port)"
    else
        echo "The node is up; received files are in $(setting inbox path). A node cannot send to itself."
        echo "To send a file to it from another node:"
        echo "    dustwire send FILE $(hostname -I 2>/dev/null | awk '{ print $1 }' | grep . || hostname):$port"
        echo "To try it on this machine: run scripts/run.sh --second in another shell, then"
        echo "    $bin/dustwire --socket ${DUSTWIRE_SECOND:-/tmp/dustwire-second-$UID}/control.sock send FILE 127.0.0.1:$port"
    fi
    echo "Ctrl-C stops the node."
    echo
}

first_port()
{
    local ini=etc/dustwired.ini
    setting services/tcp-connections tcp-port
}

second=no
ini=etc/dustwired.ini
case ${1-} in
'') ;;
--second)
    second=yes
    folder=${DUSTWIRE_SECOND:-/tmp/dustwire-second-$UID}
    ini=$folder/dustwired.ini
    ;;
-h | --help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac

scripts/deps.sh build
build_node
bin=build/release
[ "$second" = no ] || write_second_settings
"$bin/dustwired" --config "$ini" --check-config
port=$(setting services/tcp-connections tcp-port)
socket=$(setting control socket)
refuse_if_in_use
own_folder "$(dirname "$socket")"
own_folder "$(dirname "$(setting inbox path)")"

# The daemon replaces this script, so that it receives the signals and its exit code is ours.
print_next_steps $$ &
exec "$bin/dustwired" --config "$ini"
