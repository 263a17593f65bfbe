#!/usr/bin/env bash
# scripts/run.sh: installs what is missing, builds, and runs a node with etc/dustwired.ini in the
# foreground. Ctrl-C stops it. Once it answers, the lines that send it a file are printed.
# scripts/run.sh --second: a second node on this machine, on port 7772, with its own inbox and socket in
# a folder of its own: the other side to try a transfer with.
set -euo pipefail
cd "$(dirname "$0")/.."

usage()
{
    echo "usage: scripts/run.sh [--second] [-h]"
    echo "  (nothing)  a node with etc/dustwired.ini: port 7771, inbox in /var/lib/dustwire"
    echo "  --second   another node on this machine, to send from: port 7772, everything else below"
    echo "             \${DUSTWIRE_SECOND:-/tmp/dustwire-second-\$UID}"
}

# own_folder PATH: makes it, owned by whoever runs this, if it is not there. What is there stays as it is.
own_folder()
{
    [ -d "$1" ] && return
    if [ "$(id -u)" -eq 0 ]; then
        install -d -m 0755 "$1"
    elif ! install -d -m 0755 "$1" 2>/dev/null; then
        echo "run.sh: making $1 for $(id -un) (sudo)"
        sudo install -d -m 0755 -o "$(id -u)" -g "$(id -g)" "$1"
    fi
}

# setting SECTION KEY: of the settings in force, so that what is printed below is what holds.
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

# Waits for the daemon to answer, or to end, and tells what to do next. Runs beside the daemon.
greet()
{
    local tries is_up=no
    for ((tries = 0; tries < 20; tries++)); do
        "$bin/dustwire" --socket "$socket" status >/dev/null 2>&1 && { is_up=yes; break; }
        kill -0 "$1" 2>/dev/null || return
        sleep 0.1
    done
    # Not connected (a busy port), and that for longer than a start takes: the status says why.
    [ "$is_up" = yes ] || { "$bin/dustwire" --socket "$socket" status || true; return; }
    echo
    if [ "$second" = yes ]; then
        echo "The second node is up. From another shell, this sends a file from it to the first:"
        echo "    $bin/dustwire --socket $socket send FILE 127.0.0.1:$(first_port)"
    else
        echo "The node is up; what it receives goes to $(setting inbox path). A node cannot send to itself."
        echo "From another node, this sends a file here:"
        echo "    dustwire send FILE $(hostname -I 2>/dev/null | awk '{ print $1 }' | grep . || hostname):$port"
        echo "To try it on this machine: scripts/run.sh --second in another shell, then"
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

scripts/deps.sh build run
scripts/build.sh release
bin=build/release
[ "$second" = no ] || write_second_settings
"$bin/dustwired" --config "$ini" --check-config
port=$(setting services/tcp-connections tcp-port)
socket=$(setting control socket)
own_folder "$(dirname "$socket")"
own_folder "$(dirname "$(setting inbox path)")"

# The daemon takes the place of this script, so that signals reach it and its exit code is ours.
greet $$ &
exec "$bin/dustwired" --config "$ini"
