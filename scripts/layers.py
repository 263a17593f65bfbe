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
    "store": "base loop settings",
    "gateway": "base loop settings",
    "tcp": "base engine wire settings loop store gateway",
    "transport": "base engine wire settings loop store gateway",
    "control": "base engine wire settings loop store gateway transport",
    "daemon": "base engine wire settings loop store gateway tcp transport control",
    "tools": "base engine wire settings loop gateway/contact.h gateway/event.h gateway/gateway_ops.h control/xmlrpc.h",
}

# Within tcp a file includes only those to its left. A file belongs to the longest name here that it is, or continues
# after a `_`.
TCP_ORDER = ("tcp_message silence resolver access rate send_queue bandwidth source_table tcp_directory tcp_stream "
             "tcp_writer tcp_connection worker acceptor tcp_listener tcp_node tcp_interface").split()

# header of a library: the only top rooms that include it (tests aside).
ONLY_IN = {
    "iniparser": "settings",
    "microhttpd": "control",
    "xmlrpc-c": "control",
    "curl": "control tools",
    "systemd": "daemon",
    "cap-ng": "daemon",
    "sys/epoll": "loop tcp transport control daemon tools",
    "pthread": "base settings loop store gateway tcp transport control daemon tools",
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
        if not is_test and room == "tcp" and place(stem) is None:
            self.problem(path, "%s has no place in the order of tcp; give it one in scripts/layers.py" % stem)
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
                if "/" not in target and not is_test and self.header(room + "/" + target):
                    target = room + "/" + target
                if own and target != own:
                    self.problem(at, "the first include is not its own header, " + own)
                own = None
                self.check_include(at, room, stem, target, is_test)

    def check_include(self, at, room, stem, target, is_test):
        to_room, name = os.path.split(target)
        if to_room not in MAY_INCLUDE:
            if not is_test:
                self.problem(at, '"%s" does not name a room: "room/file.h"' % target)
            return
        is_private = not os.path.exists(os.path.join("include", target))
        if is_private and name == top(to_room) + "_priv.h" and top(room) != top(to_room):
            self.problem(at, "%s is for %s only" % (target, top(to_room)))
        if is_test:
            return
        allowed = MAY_INCLUDE[room].split()
        if to_room != room and to_room not in allowed and target not in allowed:
            self.problem(at, "%s may not include %s" % (room, target))
        if top(to_room) != top(room) and is_private:
            self.problem(at, "%s is private to %s: it is not in include/" % (target, top(to_room)))
        if room == "tcp" and to_room == "tcp":
            ours, theirs = place(stem), place(os.path.splitext(name)[0])
            if ours is not None and theirs is not None and theirs > ours:
                self.problem(at, "%s may not include %s, which is to its right" % (stem, name))

    def check_library(self, at, room, header):
        for library, rooms in ONLY_IN.items():
            if (header == library + ".h" or header.startswith(library + "/")) and top(room) not in rooms.split():
                self.problem(at, "%s may not include <%s>" % (room, header))


def place(stem):
    names = [name for name in TCP_ORDER if stem == name or stem.startswith(name + "_")]
    return TCP_ORDER.index(max(names, key=len)) if names else None


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
    ({"src/tcp/worker.c": '#include "tcp/worker.h"\n#include "transport/supervisor.h"'}, "tcp may not include"),
    ({"src/transport/x.c": '#include "tcp/tcp_interface.h"'}, "transport may not include"),
    ({"src/tcp/tcp_stream.c": '#include "tcp/tcp_stream.h"\n#include "tcp/worker.h"'}, "to its right"),
    ({"src/tcp/strange.c": '#include "base/err.h"'}, "has no place"),
    ({"src/daemon/main.c": '#include "tcp/worker.h"'}, "is private to tcp"),
    ({"src/tools/cli.c": '#include "gateway/gateway.h"'}, "tools may not include"),
    ({"src/tcp/worker.c": '#include "base/err.h"\n#include "tcp/worker.h"'}, "first include is not its own"),
    ({"tests/store/test_x.c": '#include "tcp/tcp_priv.h"'}, "is for tcp only"),
    ({"src/wire/frame.c": "#include <pthread.h>"}, "wire may not include <pthread.h>"),
    ({"src/tcp/worker.c": "#include <microhttpd.h>"}, "tcp may not include <microhttpd.h>"),
    ({"src/tcp/worker.c": '#include "no_such.h"'}, "does not name a room"),
    ({"src/stray/x.c": '#include "base/err.h"'}, "room stray is not"),
    ({"src/store/stray/x.c": '#include "base/err.h"'}, "room store/stray is not"),
)
CLEAN = ("include/base/err.h", "include/transport/supervisor.h", "include/loop/loop.h", "include/tcp/tcp_interface.h",
         "src/tcp/worker.h", "src/tcp/tcp_stream.h")


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
