"""Hostile peers: many of them, slow ones, and ones that send invalid data. Meanwhile a bystander with half
a file must complete it, and good peers must keep their throughput."""
import os
import resource
import struct
import subprocess
import sys
import time

import node as harness
import raw

HERE = os.path.dirname(os.path.abspath(__file__))
SPEED_S, SHARE, ATTEMPTS = 2.0, 0.8, 3


class Flood:
    def __init__(self, kind, port, count):
        self._process = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "flood.py"), kind,
                                          str(port), str(count)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        if self._process.stdout.readline() != "ready\n":
            raise AssertionError("the flood ended early")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def speed(field, bob):
    """Files per second of good peers."""
    before = field.book.acknowledged
    senders = field.senders(bob, 3, largest=20000)
    time.sleep(SPEED_S)
    for sender in senders:
        sender.is_stopped.set()
    for sender in senders:
        sender.join()
    return (field.book.acknowledged - before) / SPEED_S


def under_flood(field, limit, kind, count, descriptors):
    """Measures the speed before, during and after the flood, until an attempt passes: other load on the
    machine can affect one of the three; a daemon slowed down by the flood fails every attempt. Measuring
    starts when each peer of the flood has its descriptors: the cost of beginning 1,000 files is excluded."""
    if 0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[1] < count * descriptors + 200:
        field.notes.append("the descriptor limit here is too low for %d peers" % count)
        return
    for i in range(limit):
        bob = field.node(settings={"sessions/limit": 20000, "sessions/handshake-timeout-s": 60})
        attempts = []
        for _ in range(ATTEMPTS):
            first = speed(field, bob)
            with Flood(kind, bob.port, count):
                harness.wait_until(lambda: len(os.listdir("/proc/%d/fd" % bob.process.pid)) > count * descriptors,
                                   "all %d are connected" % count, limit=30)
                flooded = speed(field, bob)
            harness.wait_until(lambda: len(os.listdir("/proc/%d/fd" % bob.process.pid)) < 100,
                               "all %d are disconnected" % count, limit=30)
            usual = min(first, speed(field, bob))
            attempts.append("%.0f of %.0f files/s" % (flooded, usual))
            losses = field.promises(bob)
            if losses or flooded >= SHARE * usual:
                break
        else:
            losses = ["good peers lost too much speed: " + "; ".join(attempts)]
        field.notes.append("%d peers: %s" % (count, attempts[-1]))
        field.end_run("%d %s peers" % (count, kind), losses)


def half_open(field, limit):
    under_flood(field, 1, "half-open", 10000 if limit > 1 else 2000, 1)


def drip(field, limit):
    under_flood(field, 1, "drip", 1000 if limit > 1 else 300, 2)


class Bystander:
    """A session with half a file."""

    def __init__(self, field, bob):
        self._file = field.book.new(80000)
        self._peer = raw.Raw.greet(bob.port, idurl="http://127.0.0.1/bystander.xml")
        self._peer.send(raw.data(1, 80000, self._file.content[:40000]))

    def finish(self):
        try:
            self._peer.send(raw.data(1, 80000, self._file.content[40000:]))
            self._peer.expect_ok(1)
        except (OSError, AssertionError) as e:
            return ["the bystander's file failed: %s" % e]
        self._file.acknowledge()
        self._peer.close()
        return []


def attack(field, cases, per_run=1):
    """Each case: (name, frames, is_greeted). System tests check the daemon's exact reaction; here it must
    stay alive, pass the checks and accept no incomplete file."""
    bob = field.node()
    for start in range(0, len(cases), per_run):
        bystander = Bystander(field, bob)
        for name, frames, is_greeted in cases[start:start + per_run]:
            frames = [f() if callable(f) else f for f in frames]
            peer = raw.Raw.greet(bob.port) if is_greeted else raw.Raw.dial(bob.port)
            if peer.send_unless_closed(*frames):
                try:
                    peer.half_close()
                except OSError:
                    pass  # closed by the daemon
            peer.expect_end()
            peer.close()
        field.end_run("%s ..." % cases[start][0], bystander.finish() + field.promises(bob))
    if bob.memory_kib("VmRSS") > 64 * 1024:
        field.end_run("memory", ["%d KiB" % bob.memory_kib("VmRSS")])


def whole(field, file_id):
    """A file of the book that can arrive; created when it is sent."""
    return lambda: raw.data(file_id, 500, field.book.new(500).content)


def sizes(field, limit):
    head = raw.data
    cases = [
        ("negative", [head(1, -1, b"x" * 10)], True),
        ("the least", [head(1, -2147483648, b"x" * 10)], True),
        ("the limit", [head(1, 2147483647, b"x" * 10)], True),
        ("no bytes of a file of some", [head(1, 10)], True),
        ("more than announced", [head(1, 10, b"x" * 11)], True),
        ("more in a second frame", [head(1, 20, b"x" * 15), head(1, 20, b"x" * 6)], True),
        ("another size", [head(1, 20, b"x" * 5), head(1, 30, b"x" * 5)], True),
        ("41 files", [head(i, 100, b"x") for i in range(41)], True),
        ("an id in use by a whole file again", [whole(field, 5), whole(field, 5), whole(field, 5)], True),
        ("an id while its file is open", [head(5, 100, b"x"), head(5, 500, b"y")], True),
        ("an abort, then the id again", [head(5, 100, b"x"), raw.abort(5), whole(field, 5)], True),
        ("an abort after the end", [whole(field, 5), raw.abort(5)], True),
    ]
    for i in range(limit):
        attack(field, cases, len(cases) if i else 1)


def frames(field, limit):
    """Every length from 0 to the limit + 1, with every command."""
    lengths = list(range(100000 + 2))
    if limit < len(lengths):
        lengths = field.source.sample(lengths, limit) + [0, 1, 2, 99998, 99999, 100000, 100001]
    commands = (raw.HELLO, raw.WAZAP, raw.DATA, raw.OK, raw.ABORT, b"x")
    cases = []
    for n, length in enumerate(lengths):
        body = (b"1" + commands[n % len(commands)] + bytes([1 + n % 255]) * length)[:length]
        cases.append(("length %d" % length, [struct.pack(">I", length) + body], n % 3 > 0))
    attack(field, cases, 100 if limit < 10000 else 2000)


HOSTS = (b"", b"127.0.0.1", b"999.1.1.1", b"::1", b"[::1]", b"[::1", b"[fe80::1%eth0]", b"[zz]", b"a" * 300,
         b"\xff\xfe", b"\0", b"-", b".", b"127.0.0.1:1", b"%s%n", b"\x1b[2J", b" ")
PORTS = (b"", b"0", b"-1", b"7771", b"65535", b"65536", b"9" * 40, b"+7", b"0x50", b"7 7", b"\t7", b"7_7", b"__",
         b"\xd9\xa1", b"1e3", b"7\0")
IDURLS = (b"", b"None", b"x" * 5000, b"\0\0", b"\xff" * 100, b"a b", b"%00%0a")


def hellos(field, limit):
    every = [b"%s:%s %s" % (host, port, idurl) for host in HOSTS for port in PORTS for idurl in IDURLS]
    every += [host + port for host in HOSTS for port in PORTS]
    if limit < len(every):
        every = field.source.sample(every, limit)
    attack(field, [("%r" % hello[:60], [raw.frame(raw.HELLO, hello)], False) for hello in every], 100)


IDS_AT_ONCE = 100


def ids_at_once(field, peer, first):
    """Begins and aborts each id, then sends a complete file, whose ok shows that all were processed."""
    file, last = field.book.new(24), first + IDS_AT_ONCE
    peer.send(*(raw.data(i, 1000, b"x") + raw.abort(i) for i in range(first, last)),
              raw.data(last, 24, file.content))
    peer.expect_ok(last)
    file.acknowledge()


def some_ids(field, bob, first, end):
    """Returns the number of sessions disconnected for low throughput, and the losses."""
    bystander, peer, disconnected = Bystander(field, bob), raw.Raw.greet(bob.port), 0
    for at in range(first, end, IDS_AT_ONCE + 1):
        try:
            ids_at_once(field, peer, at)
        except (OSError, AssertionError):
            disconnected += 1
            peer.close()
            peer = raw.Raw.greet(bob.port)
    peer.close()
    return disconnected, bystander.finish()


def many_ids(field, limit):
    """Distinct file ids, in parts, each with a bystander. The first part can increase memory (stored events
    and log lines); after it neither memory nor descriptors nor partial files may grow."""
    bob = field.node(settings={"inbox/durability": "none"})
    cost, disconnected, losses = [], 0, []
    parts = max(10, limit // 10000)
    for part in range(parts):
        out, problems = some_ids(field, bob, limit * part // parts, limit * (part + 1) // parts)
        disconnected, losses = disconnected + out, losses + problems
        if part % (parts // 10) < parts // 10 - 1:
            continue
        harness.wait_until(lambda: not bob.sessions(), "no session is left")
        cost.append((bob.memory_kib("VmRSS"), len(os.listdir("/proc/%d/fd" % bob.process.pid))))
    losses += field.promises(bob)
    if cost[-1][0] - cost[0][0] > 8192 or cost[-1][1] > cost[0][1] + 4:
        losses.append("KiB and descriptors after each tenth: %r" % cost)
    field.notes.append("%d ids, %d sessions disconnected, RSS after each tenth %s KiB" % (
        limit, disconnected, " ".join(str(kib) for kib, _ in cost)))
    field.end_run("ids", losses)
