#!/usr/bin/env bash
# scripts/layers.sh: checks that each file includes only what its room may see (the table below), that
# another room is entered by its door (include/<room>/) and that a .c file includes its own header first.
# scripts/layers.sh --self-test: plants one violation of each kind in a scratch folder and fails if one
# is not found. The work is one awk program over all #include lines.
set -euo pipefail
cd "$(dirname "$0")/.."

# room: the rooms below it that it may include. daemon includes everything.
may_include='
base:
engine: base
wire: base
settings: base
loop: base engine
store: base loop settings
gateway: base loop settings
tcp: base engine wire settings loop store gateway
transport: base engine wire settings loop store gateway
control: base engine wire settings loop store gateway transport
daemon: base engine wire settings loop store gateway tcp transport control
tools: base engine wire settings loop gateway/contact.h gateway/event.h gateway/gateway_ops.h control/xmlrpc.h'

# Within tcp a file includes only those to its left. A file belongs to the longest name here that it is,
# or continues after a `_`.
tcp_order='tcp_message silence resolver access rate send_queue bandwidth source_table tcp_directory tcp_stream tcp_writer tcp_connection worker acceptor tcp_listener tcp_node tcp_interface'

# library header: the only rooms that meet it (tests aside).
only_in='
iniparser settings
microhttpd control
xmlrpc-c control
curl control tools
systemd daemon
cap-ng daemon
sys/epoll loop tcp transport control daemon tools
pthread base settings loop store gateway tcp transport control daemon tools'

check()
{
    local files
    mapfile -t files < <(find include src tests -name '*.[ch]' 2>/dev/null | sort)
    [ ${#files[@]} -gt 0 ] || { echo "layers.sh: no files" >&2; return 1; }
    awk -v may_include="$may_include" -v tcp_order="$tcp_order" -v only_in="$only_in" '
    function bad(why) { print FILENAME ":" FNR ": " why; failures++ }
    function exists(path) { if (!(path in seen)) { seen[path] = (getline junk < path) >= 0; close(path) } return seen[path] }
    function place(stem,   i, best, length_) {
        for (i in order) if ((stem == order[i] || index(stem, order[i] "_") == 1) && length(order[i]) > length_) {
            best = i; length_ = length(order[i])
        }
        return best + 0
    }
    BEGIN {
        n = split(may_include, lines, "\n")
        for (i = 1; i <= n; i++) {
            m = split(lines[i], words, /[: ]+/)
            if (words[1] == "") continue
            rooms[words[1]] = 1
            for (j = 2; j <= m; j++) may[words[1], words[j]] = 1
        }
        split(tcp_order, order, " ")
        n = split(only_in, lines, "\n")
        for (i = 1; i <= n; i++) {
            m = split(lines[i], words, " ")
            for (j = 2; j <= m; j++) meets[words[1], words[j]] = 1
            if (m) guarded[words[1]] = 1
        }
    }
    FNR == 1 {
        split(FILENAME, at, "/"); top = at[1]; room = at[2]; file = at[3]; own = 0
        stem = file; sub(/\.[ch]$/, "", stem)
        is_test = top == "tests"
        if (!is_test && !(room in rooms)) bad("room " room " is not in the table of scripts/layers.sh")
        if (room == "tcp" && !is_test && !place(stem))
            bad(stem " has no place in the order of tcp; give it one in scripts/layers.sh")
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\""); header = quoted[2]; count = split(header, to, "/")
        includes++
        # Without a folder it is a neighbour, found beside the file.
        if (count == 1 && !is_test && exists("src/" room "/" header)) {
            header = room "/" header; count = split(header, to, "/")
        }
        if (count != 2 || !(to[1] in rooms)) {
            if (!is_test) bad("\"" header "\" does not name a room: \"room/file.h\"")
            next
        }
        if (!is_test && FILENAME ~ /\.c$/ && !own++ && header != room "/" stem ".h" && \
            (exists("include/" room "/" stem ".h") || exists("src/" room "/" stem ".h")))
            bad("the first include is not its own header, " room "/" stem ".h")
        if (to[2] == to[1] "_priv.h" && to[1] != room) bad(header " is for " to[1] " only")
        if (is_test) next
        if (to[1] != room) {
            if (!((room, to[1]) in may) && !((room, header) in may)) bad(room " may not include " header)
            if (!exists("include/" header)) bad(header " is no door of " to[1] ": it is not in include/")
        } else if (room == "tcp") {
            target = to[2]; sub(/\.h$/, "", target)
            if (place(target) > place(stem)) bad(stem " may not include " target ", which is to its right")
        }
    }
    /^[ \t]*#[ \t]*include[ \t]*</ && !is_test {
        match($0, /<[^>]*>/); name = substr($0, RSTART + 1, RLENGTH - 2)
        for (g in guarded) if ((name == g ".h" || index(name, g "/") == 1) && !((g, room) in meets))
            bad(room " may not meet <" name ">")
    }
    END {
        if (failures) { print failures " violations of the layers"; exit 1 }
        print "layers hold: " includes " includes"
    }' "${files[@]}"
}

# plant PATH LINE REASON: with LINE in PATH the check must fail, and say REASON.
plant()
{
    mkdir -p "$(dirname "$1")"
    printf '%b\n' "$2" >"$1"
    local said
    if said=$(check) || [[ $said != *"$3"* ]]; then
        echo "layers.sh: planted '$2' in $1, expected '$3', got: $said" >&2
        return 1
    fi
    rm "$1"
}

self_test()
{
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch"
    mkdir -p include/base include/tcp include/transport include/loop src/tcp src/store
    touch include/base/err.h include/transport/supervisor.h include/loop/loop.h include/tcp/tcp_interface.h
    touch src/tcp/worker.h src/tcp/tcp_stream.h src/tcp/tcp_priv.h
    check >/dev/null
    plant src/base/err.c '#include "loop/loop.h"' 'base may not include loop/loop.h'
    plant include/engine/x.h '#include "loop/loop.h"' 'engine may not include'
    plant src/tcp/worker.c '#include "tcp/worker.h"\n#include "transport/supervisor.h"' 'tcp may not include'
    plant src/transport/x.c '#include "tcp/tcp_interface.h"' 'transport may not include'
    plant src/tcp/tcp_stream.c '#include "tcp/tcp_stream.h"\n#include "tcp/worker.h"' 'to its right'
    plant src/tcp/strange.c '#include "base/err.h"' 'has no place'
    plant src/daemon/main.c '#include "tcp/worker.h"' 'is no door of tcp'
    plant src/tools/cli.c '#include "gateway/gateway.h"' 'tools may not include'
    plant src/tcp/worker.c '#include "base/err.h"\n#include "tcp/worker.h"' 'first include is not its own'
    plant tests/store/test_x.c '#include "tcp/tcp_priv.h"' 'is for tcp only'
    plant src/wire/frame.c '#include <pthread.h>' 'wire may not meet'
    plant src/tcp/worker.c '#include <microhttpd.h>' 'tcp may not meet'
    plant src/tcp/worker.c '#include "no_such.h"' 'does not name a room'
    plant src/stray/x.c '#include "base/err.h"' 'room stray is not'
    check >/dev/null
    echo "layers.sh: each planted violation was found"
}

case ${1-} in
'') check ;;
--self-test) self_test ;;
*) echo "usage: scripts/layers.sh [--self-test]" >&2; exit 2 ;;
esac
