"""The checks of scripts/layers.sh: the table of rooms, which every #include line and function name is checked
against."""
import os
import re
import sys
import tempfile

# room: the rooms and single headers of other rooms that it may include. A room is a folder below src/, include/ and
# tests/, of one level or two; a room without a row is an error. The lowest is first: a row names only rooms above it in
# the table, and of the folders of its own top room also single headers, which the check for circles of files covers.
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
    "tcp/session": "base engine wire loop gateway peers transfer tcp/automata.h tcp/directory.h tcp/context.h",
    "tcp": "base engine settings loop store/inbox store/commit gateway peers transfer tcp/session",
    "supervisor": "base engine settings loop gateway",
    "control/methods": "base settings loop rpc http store/inbox store/outbox gateway gateway_client supervisor "
                       "control/state.h control/reply.h control/waiters.h control/event_ring.h control/send_table.h "
                       "control/quota.h",
    "control": "base engine settings loop rpc http store/inbox store/commit store/outbox gateway gateway_client supervisor "
               "control/methods",
    "daemon": "base engine wire settings loop http store/inbox store/commit store/outbox gateway gateway_client tcp "
              "supervisor control",
    "cli": "base engine settings loop rpc gateway/contact.h gateway/event.h gateway/gateway_ops.h",
    "loadgen": "base engine wire settings loop gateway/contact.h",
}

# header of a library: the only top rooms that include it (except tests).
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

# Rooms whose functions are named by file, as log_to_file in base/log.h: those up to loop, the gateway, and the daemon,
# which no other room includes. In every other room a header's functions begin with the last folder's name and the
# file's: session_io_ in tcp/session/io.h.
NAMED_BY_FILE = "base engine wire settings loop gateway daemon".split()
# Except these folders and files, and a file whose name begins with the folder's, as committer.h in store/commit.
BEGINS_WITH = {"control/methods": "method"}
FOLDER_ALONE = "rpc control/methods cli loadgen gateway_client/client control/reply http/peer http/routes tcp/node".split()
STANDS_ALONE = "supervisor/network_connector supervisor/network_transport".split()

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]*)[>"]')


def top(room):
    return room.split("/")[0]


def unit(path):
    """x.c, x.h and x_internal.h of a room are one unit: "room/x"."""
    stem = os.path.splitext(path.partition("/")[2])[0]
    return stem[:-len("_internal")] if stem.endswith("_internal") else stem


def functions(text):
    """The functions that a header declares or defines."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:.*\\\n)*.*", "", text, flags=re.M)
    text = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)", "", text)
    flat, depth = [], 0
    for char in text:
        depth -= char == "}"
        if depth == 0:
            flat.append(";" if char == "}" else "" if char == "{" else char)
        depth += char == "{"
    for statement in "".join(flat).split(";"):
        found = re.search(r"\w[\s*]+(\w+)\s*\(", statement)
        if found and not statement.split()[0] == "typedef" and not found[1].isupper():
            yield found[1]


def first_word(room):
    """The first word of its functions' names."""
    return BEGINS_WITH.get(room, os.path.basename(room))


class Circles:
    """Circles of units: `edges` has the location of an #include line for each (from, to)."""

    def __init__(self, edges):
        self.edges, self.next = edges, {}
        for at, to in edges:
            self.next.setdefault(at, []).append(to)

    def shortest_circle(self, start):
        """The shortest path from `start` to itself, as units; None if there is none."""
        before, queue = {}, [start]
        while queue:
            at = queue.pop(0)
            for to in sorted(self.next.get(at, ())):
                if to == start:
                    way = [start]
                    while at != start:
                        way.append(at)
                        at = before[at]
                    return way[:1] + way[:0:-1] + [start]
                if to not in before:
                    before[to] = at
                    queue.append(to)
        return None

    def each(self):
        """A circle for every unit that is in one, except those in an earlier circle."""
        named = set()
        for start in sorted(self.next):
            way = None if start in named else self.shortest_circle(start)
            if way:
                named.update(way)
                yield [(a, b, self.edges[a, b]) for a, b in zip(way, way[1:])]


class Tree:
    """Every .c and .h of the tree with its #include lines."""

    def __init__(self):
        self.files = sorted(
            os.path.join(folder, name)
            for root in ("include", "src", "tests") for folder, _, names in os.walk(root)
            for name in names if name.endswith((".c", ".h")))
        self.known = set(self.files)
        self.problems, self.includes = [], 0
        self.wanted = set()  # headers that another top room or a public header includes
        self.edges = {}   # (unit, unit): where the first includes the second
        self.claims = {}  # what functions begin with: the unit that they belong to

    def problem(self, at, why):
        self.problems.append("%s: %s" % (at, why))

    def header(self, name):
        """Where "room/x.h" is: its path, or None."""
        for root in ("include", "src"):
            if os.path.join(root, name) in self.known:
                return os.path.join(root, name)
        return None

    def check(self):
        self.check_table()
        for path in self.files:
            self.check_file(path)
        self.check_public()
        for circle in Circles(self.edges).each():
            self.problem(circle[0][2], "circle of files: " + ", ".join("%s includes %s (%s)" % (a, b, at)
                                                                       for a, b, at in circle))
        for path in self.headers():
            for claim in self.claims_of(path):
                self.claims[claim] = unit(path)
        for path in self.headers():
            self.check_names(path)
        return self.problems

    def check_table(self, table=MAY_INCLUDE):
        """No row names a room below its own in the table, or itself."""
        below = set()
        for room, row in table.items():
            for name in row.split():
                to_room = os.path.dirname(name) if name.endswith(".h") else name
                if to_room not in below and not (name.endswith(".h") and top(to_room) == top(room)):
                    self.problem("scripts/layers.py", "%s is not below %s" % (name, room))
            below.add(room)

    def check_public(self):
        """include/ has what another top room includes, and what such a header includes."""
        for header in self.headers():
            name = header.partition("/")[2]
            if header.startswith("include/") and name not in self.wanted:
                self.problem(header, "no other room includes it: it belongs beside its .c")

    def headers(self):
        return [path for path in self.files if path.endswith(".h") and not path.startswith("tests/")]

    def claims_of(self, path):
        room, stem = os.path.split(unit(path))
        by_file = room in NAMED_BY_FILE or unit(path) in STANDS_ALONE or stem.startswith(os.path.basename(room))
        return ["%s_%s_" % (first_word(room), stem)] + ([stem + "_"] if by_file else [])

    def check_names(self, path):
        """Each function of a header begins with the name of its room or file, not with that of another file."""
        room = os.path.dirname(unit(path))
        if room not in MAY_INCLUDE:
            return
        own = self.claims_of(path)
        if room in NAMED_BY_FILE + FOLDER_ALONE or unit(path) in FOLDER_ALONE:
            own = [first_word(room) + "_"] + own
        with open(path, encoding="utf-8") as text:
            names = list(functions(text.read()))
        for name in names:
            known = max((len(start) for start in own if (name + "_").startswith(start)), default=0)
            if known == 0 and room not in NAMED_BY_FILE:
                self.problem(path, "%s() does not begin with %s" % (name, " or ".join(own)))
            for claim, other in self.claims.items():
                if name.startswith(claim) and len(claim) > known and other != unit(path):
                    self.problem(path, "%s() begins as the functions of %s" % (name, other))

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
                if not is_test:
                    self.note_edge(at, path, target)
                    if top(os.path.dirname(target)) != top(room) or root == "include":
                        self.wanted.add(target)
                self.check_include(at, room, target, is_test)

    def note_edge(self, at, path, target):
        """Records an #include for the circles."""
        here, there = unit(path), unit("/" + target)
        if here != there and self.header(target):
            self.edges.setdefault((here, there), at)

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


# Each must be found: the files {path: text}, the expected message.
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
    ({"include/base/x.h": ""}, "include/base/x.h: no other room includes it"),
    ({"include/base/x.h": "", "src/base/y.c": '#include "base/x.h"'}, "no other room includes it"),
    # Circles of files: in a room of one level, in a sub-room, across two, through headers only, by way of _internal.h,
    # of three files.
    ({"src/tcp/a.c": '#include "tcp/a.h"\n#include "tcp/b.h"', "src/tcp/a.h": "",
      "src/tcp/b.c": '#include "tcp/b.h"\n#include "tcp/a.h"', "src/tcp/b.h": ""},
     "circle of files: tcp/a includes tcp/b (src/tcp/a.c:2), tcp/b includes tcp/a (src/tcp/b.c:2)"),
    ({"src/store/inbox/a.c": '#include "store/inbox/a.h"\n#include "store/inbox/b.h"', "src/store/inbox/a.h": "",
      "src/store/inbox/b.h": '#include "store/inbox/a.h"'},
     "circle of files: store/inbox/a includes store/inbox/b"),
    ({"src/tcp/a.c": '#include "tcp/a.h"\n#include "tcp/session/b.h"', "src/tcp/a.h": "",
      "src/tcp/session/b.c": '#include "tcp/session/b.h"\n#include "tcp/a.h"', "src/tcp/session/b.h": ""},
     "tcp/session/b includes tcp/a (src/tcp/session/b.c:2)"),
    ({"include/loop/a.h": '#include "loop/b.h"', "include/loop/b.h": '#include "loop/a.h"'},
     "circle of files: loop/a includes loop/b (include/loop/a.h:1), loop/b includes loop/a (include/loop/b.h:1)"),
    ({"src/tcp/a.h": '#include "tcp/b_internal.h"', "src/tcp/b_internal.h": "", "src/tcp/b.c": '#include "tcp/a.h"'},
     "circle of files: tcp/a includes tcp/b (src/tcp/a.h:1), tcp/b includes tcp/a (src/tcp/b.c:1)"),
    ({"src/wire/a.h": '#include "wire/b.h"', "src/wire/b.h": '#include "wire/c.h"',
      "src/wire/c.h": '#include "wire/a.h"'},
     "wire/b includes wire/c (src/wire/b.h:1), wire/c includes wire/a (src/wire/c.h:1)"),
    # Names: not the room's, another file's, a file's that is named by its own name, in a sub-room and in a definition.
    ({"src/tcp/a.h": "void worker_go(void);"}, "worker_go() does not begin with tcp_a_"),
    ({"src/tcp/a.h": "void tcp_go(void);"}, "tcp_go() does not begin with tcp_a_"),
    ({"src/tcp/a.h": "void tcp_b_go(int x);", "src/tcp/b.h": ""}, "tcp_b_go() begins as the functions of tcp/b"),
    ({"src/supervisor/a.h": "struct x *\nnetwork_connector_go(void);", "src/supervisor/network_connector.h": ""},
     "network_connector_go() begins as the functions of supervisor/network_connector"),
    ({"src/control/methods/a.h": "void control_go(void);"}, "control_go() does not begin with"),
    ({"include/base/a.h": "int log_go(void);", "include/base/log.h": ""},
     "log_go() begins as the functions of base/log"),
    ({"src/tcp/session/a.h": "static inline int go(void)\n{\n    return tcp_go(1);\n}"}, "go() does not begin with"),
)
PUBLIC = ("base/err.h", "supervisor/supervisor.h", "loop/loop.h", "tcp/transport.h", "store/inbox/inbox.h")
CLEAN = {"src/tcp/worker.h": "", "src/daemon/x.c": "\n".join('#include "%s"' % name for name in PUBLIC),
         **{"include/" + name: "" for name in PUBLIC}}


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text + "\n")


def self_test():
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for path, text in CLEAN.items():
            write(path, text)
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
                    write(path, CLEAN[path])
        assert not Tree().check()
        for table in ({"base": "loop", "loop": "base"}, {"base": "", "loop": "base loop"}, {"base": "loop/x.h", "loop": ""}):
            tree = Tree()
            tree.check_table(table)
            assert tree.problems, table
    print("layers.sh: each planted violation was found")
    return 0


sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else check())
