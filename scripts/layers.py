"""The work of scripts/layers.sh: the table of rooms, and the checks of every #include line against it."""
import os
import re
import sys
import tempfile

# room: the rooms and single headers of other rooms that it may include. A room is a folder below src/, include/ and
# tests/, of one level or two. A row is above all that it names; a room that is not named here is an error.
MAY_INCLUDE = {
    "base": "",
    "engine": "base",
    "wire": "base",
    "settings": "base",
    "loop": "base engine",
    "rpc": "base",
    "http": "base settings loop",
    "store": "base",
    "store/journal": "base settings store",
    "store/inbox": "base settings store store/journal",
    "store/commit": "base settings loop store store/journal store/inbox",
    "store/outbox": "base settings store store/inbox",
    "gateway": "base settings loop",
    "gateway_client": "base settings loop rpc store/inbox store/commit gateway",
    "peers": "base settings loop gateway",
    "transfer": "base settings loop store/journal/file.h store/journal/transfer_ids.h store/inbox store/commit "
                "store/outbox gateway",
    "tcp/session": "base engine wire loop gateway peers transfer tcp/automata.h tcp/directory.h tcp/home.h",
    "tcp": "base engine settings loop store/inbox store/commit gateway peers transfer tcp/session",
    "supervisor": "base engine settings loop gateway",
    "control": "base engine settings loop rpc http store/inbox store/commit store/outbox gateway gateway_client supervisor "
               "control/methods",
    "control/methods": "base settings loop rpc http store/inbox store/outbox gateway gateway_client supervisor "
                       "control/state.h control/reply.h control/waiters.h control/event_ring.h control/send_table.h "
                       "control/held.h",
    "daemon": "base engine wire settings loop http store/inbox store/commit store/outbox gateway gateway_client tcp "
              "supervisor control",
    "cli": "base engine settings loop rpc gateway/contact.h gateway/event.h gateway/gateway_ops.h",
    "loadgen": "base engine wire settings loop gateway/contact.h",
}

# header of a library: the only top rooms that include it (tests aside).
ONLY_IN = {
    "iniparser": "settings",
    "microhttpd": "http",
    "xmlrpc-c": "rpc control gateway_client cli",
    "curl": "gateway_client cli",
    "systemd": "daemon",
    "cap-ng": "daemon",
    "sys/epoll": "loop http tcp gateway_client supervisor daemon loadgen",
    "pthread": "base settings loop store gateway gateway_client peers tcp supervisor control daemon cli loadgen",
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]*)[>"]')


def top(room):
    return room.split("/")[0]


class Tree:
    """Every .c and .h of the tree with its #include lines."""

    def __init__(self):
        self.files = sorted(
            os.path.join(folder, name)
            for root in ("include", "src", "tests") for folder, _, names in os.walk(root)
            for name in names if name.endswith((".c", ".h")))
        self.known = set(self.files)
        self.problems, self.includes = [], 0

    def problem(self, at, why):
        self.problems.append("%s: %s" % (at, why))

    def header(self, name):
        """Where "room/x.h" is: its path, or None."""
        for root in ("include", "src"):
            if os.path.join(root, name) in self.known:
                return os.path.join(root, name)
        return None

    def check(self):
        for path in self.files:
            self.check_file(path)
        return self.problems

    def check_file(self, path):
        root, _, inner = path.partition("/")
        room, name = os.path.split(inner)
        stem = os.path.splitext(name)[0]
        is_test = root == "tests"
        if not is_test and room not in MAY_INCLUDE:
            self.problem(path, "room %s is not in the table of scripts/layers.py" % room)
            return
        own = path.endswith(".c") and not is_test and self.header("%s/%s.h" % (room, stem)) and "%s/%s.h" % (room, stem)
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                at = "%s:%d" % (path, number)
                if found[1] == "<":
                    if not is_test:
                        self.check_library(at, room, found[2])
                    continue
                self.includes += 1
                target = found[2]
                if own and target != own:
                    self.problem(at, "the first include is not its own header, " + own)
                own = None
                self.check_include(at, room, target, is_test)

    def check_include(self, at, room, target, is_test):
        to_room, name = os.path.split(target)
        if to_room not in MAY_INCLUDE:
            if not is_test:
                self.problem(at, '"%s" does not name a room: "room/file.h"' % target)
            return
        is_private = not os.path.exists(os.path.join("include", target))
        if is_test:
            if name.endswith("_internal.h") and top(room) != top(to_room) and top(room) != "fuzz":
                self.problem(at, "%s is for %s only" % (target, top(to_room)))
            return
        allowed = MAY_INCLUDE[room].split()
        if to_room != room and to_room not in allowed and target not in allowed:
            self.problem(at, "%s may not include %s" % (room, target))
        if top(to_room) != top(room) and is_private:
            self.problem(at, "%s is private to %s: it is not in include/" % (target, top(to_room)))

    def check_library(self, at, room, header):
        for library, rooms in ONLY_IN.items():
            if (header == library + ".h" or header.startswith(library + "/")) and top(room) not in rooms.split():
                self.problem(at, "%s may not include <%s>" % (room, header))


def check():
    """The exit code."""
    tree = Tree()
    if not tree.files:
        print("layers.sh: no files", file=sys.stderr)
        return 1
    problems = tree.check()
    print("\n".join(problems + ["%d violations of the layers" % len(problems)]) if problems
          else "layers hold: %d includes" % tree.includes)
    return 1 if problems else 0


# Each must be found: the files {path: text}, what has to be said.
PLANTED = (
    ({"src/base/err.c": '#include "loop/loop.h"'}, "base may not include loop/loop.h"),
    ({"include/engine/x.h": '#include "loop/loop.h"'}, "engine may not include"),
    ({"src/tcp/worker.c": '#include "tcp/worker.h"\n#include "supervisor/supervisor.h"'}, "tcp may not include"),
    ({"src/supervisor/x.c": '#include "tcp/transport.h"'}, "supervisor may not include"),
    ({"src/store/journal/x.c": '#include "store/inbox/inbox.h"'}, "store/journal may not include"),
    ({"src/daemon/main.c": '#include "tcp/worker.h"'}, "is private to tcp"),
    ({"src/cli/main.c": '#include "gateway/gateway.h"'}, "cli may not include"),
    ({"src/tcp/worker.c": '#include "base/err.h"\n#include "tcp/worker.h"'}, "first include is not its own"),
    ({"tests/store/test_x.c": '#include "tcp/x_internal.h"'}, "is for tcp only"),
    ({"src/wire/frame.c": "#include <pthread.h>"}, "wire may not include <pthread.h>"),
    ({"src/tcp/worker.c": "#include <microhttpd.h>"}, "tcp may not include <microhttpd.h>"),
    ({"src/tcp/worker.c": '#include "no_such.h"'}, "does not name a room"),
    ({"src/stray/x.c": '#include "base/err.h"'}, "room stray is not"),
    ({"src/store/stray/x.c": '#include "base/err.h"'}, "room store/stray is not"),
)
CLEAN = ("include/base/err.h", "include/supervisor/supervisor.h", "include/loop/loop.h", "include/tcp/transport.h",
         "include/store/inbox/inbox.h", "src/tcp/worker.h")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text + "\n")


def self_test():
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for path in CLEAN:
            write(path, "")
        assert not Tree().check()
        for files, said in PLANTED:
            for path, text in files.items():
                write(path, text)
            problems = "\n".join(Tree().check())
            if said not in problems:
                print("layers.sh: planted %s, expected '%s', got: %s" % (files, said, problems), file=sys.stderr)
                return 1
            for path in files:
                os.remove(path)
                if path in CLEAN:
                    write(path, "")
        assert not Tree().check()
    print("layers.sh: each planted violation was found")
    return 0


sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else check())
