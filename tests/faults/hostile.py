"""Peers that want to harm: many of them, slow ones, and ones that say what nobody should. Beside them
a bystander with half a file, which must come through, and good peers, which must keep their speed."""
import os
import resource
import struct
import subprocess
import sys
import time

import node as harness
import raw

HERE = os.path.dirname(os.path.abspath(__file__))
SPEED_S, SHARE, TRIES = 2.0, 0.8, 3


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
    """Files a second that good peers get through."""
    before = field.book.acknowledged
    senders = field.senders(bob, 3, largest=20000)
    time.sleep(SPEED_S)
    for sender in senders:
        sender.is_stopped.set()
    for sender in senders:
        sender.join()
    return (field.book.acknowledged - before) / SPEED_S


def under_flood(field, most, kind, count, descriptors):
    """Speed without, with and without the flood, until a try is good: others use the machine, too, and may do
    so in one of the three only; a daemon that the flood holds up is held up in every try. The flood
    is in when each of its peers has its descriptors: what it costs to begin 1,000 files is not asked here."""
    if 0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[1] < count * descriptors + 200:
        field.notes.append("a process may not have the descriptors of %d peers here" % count)
        return
    for i in range(most):
        bob = field.node(settings={"sessions/limit": 20000, "sessions/handshake-timeout-s": 60})
        tried = []
        for _ in range(TRIES):
            first = speed(field, bob)
            with Flood(kind, bob.port, count):
                harness.wait_until(lambda: len(os.listdir("/proc/%d/fd" % bob.process.pid)) > count * descriptors,
                                   "all %d are in" % count, limit=30)
                flooded = speed(field, bob)
            harness.wait_until(lambda: len(os.listdir("/proc/%d/fd" % bob.process.pid)) < 100,
                               "all %d are out" % count, limit=30)
            usual = min(first, speed(field, bob))
            tried.append("%.0f of %.0f files/s" % (flooded, usual))
            losses = field.promises(bob)
            if losses or flooded >= SHARE * usual:
                break
        else:
            losses = ["good peers kept too little: " + "; ".join(tried)]
        field.notes.append("%d peers: %s" % (count, tried[-1]))
        field.run_is_over("%d %s peers" % (count, kind), losses)


def half_open(field, most):
    under_flood(field, 1, "half-open", 10000 if most > 1 else 2000, 1)


def drip(field, most):
    under_flood(field, 1, "drip", 1000 if most > 1 else 300, 2)


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
            return ["the bystander's file did not come through: %s" % e]
        self._file.acknowledge()
        self._peer.close()
        return []


def attack(field, cases, per_run=1):
    """Each case: (name, frames, is_greeted). What the daemon does with it is the system tests'
    business; here it must live, keep its promises and let nothing in that was not sent whole."""
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
        field.run_is_over("%s ..." % cases[start][0], bystander.finish() + field.promises(bob))
    if bob.memory_kib("VmRSS") > 64 * 1024:
        field.run_is_over("memory", ["%d KiB" % bob.memory_kib("VmRSS")])


def whole(field, file_id):
    """A file of the book that is allowed to arrive; made when it is sent."""
    return lambda: raw.data(file_id, 500, field.book.new(500).content)


def sizes(field, most):
    head = raw.data
    cases = [
        ("negative", [head(1, -1, b"x" * 10)], True),
        ("the least", [head(1, -2147483648, b"x" * 10)], True),
        ("the most", [head(1, 2147483647, b"x" * 10)], True),
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
    for i in range(most):
        attack(field, cases, len(cases) if i else 1)


def frames(field, most):
    """Every length from 0 to the limit + 1, with every command."""
    lengths = list(range(100000 + 2))
    if most < len(lengths):
        lengths = field.source.sample(lengths, most) + [0, 1, 2, 99998, 99999, 100000, 100001]
    commands = (raw.HELLO, raw.WAZAP, raw.DATA, raw.OK, raw.ABORT, b"x")
    cases = []
    for n, length in enumerate(lengths):
        body = (b"1" + commands[n % len(commands)] + bytes([1 + n % 255]) * length)[:length]
        cases.append(("length %d" % length, [struct.pack(">I", length) + body], n % 3 > 0))
    attack(field, cases, 100 if most < 10000 else 2000)


HOSTS = (b"", b"127.0.0.1", b"999.1.1.1", b"::1", b"[::1]", b"[::1", b"[fe80::1%eth0]", b"[zz]", b"a" * 300,
         b"\xff\xfe", b"\0", b"-", b".", b"127.0.0.1:1", b"%s%n", b"\x1b[2J", b" ")
PORTS = (b"", b"0", b"-1", b"7771", b"65535", b"65536", b"9" * 40, b"+7", b"0x50", b"7 7", b"\t7", b"7_7", b"__",
         b"\xd9\xa1", b"1e3", b"7\0")
IDURLS = (b"", b"None", b"x" * 5000, b"\0\0", b"\xff" * 100, b"a b", b"%00%0a")


def hellos(field, most):
    every = [b"%s:%s %s" % (host, port, idurl) for host in HOSTS for port in PORTS for idurl in IDURLS]
    every += [host + port for host in HOSTS for port in PORTS]
    if most < len(every):
        every = field.source.sample(every, most)
    attack(field, [("%r" % hello[:60], [raw.frame(raw.HELLO, hello)], False) for hello in every], 100)


IDS_AT_ONCE = 100


def ids_at_once(field, peer, first):
    """Each begun and aborted, and then a whole file, whose ok tells that all before it were looked at."""
    file, last = field.book.new(24), first + IDS_AT_ONCE
    peer.send(*(raw.data(i, 1000, b"x") + raw.abort(i) for i in range(first, last)),
              raw.data(last, 24, file.content))
    peer.expect_ok(last)
    file.acknowledge()


def some_ids(field, bob, first, end):
    """Returns how many sessions were thrown out, as those are that bring too little, and what is wrong."""
    bystander, peer, thrown_out = Bystander(field, bob), raw.Raw.greet(bob.port), 0
    for at in range(first, end, IDS_AT_ONCE + 1):
        try:
            ids_at_once(field, peer, at)
        except (OSError, AssertionError):
            thrown_out += 1
            peer.close()
            peer = raw.Raw.greet(bob.port)
    peer.close()
    return thrown_out, bystander.finish()


def many_ids(field, most):
    """Distinct file ids, in parts, each beside a bystander. What the first part costs (what the daemon
    keeps for people: the last events, the last lines) is its own; from then on neither memory nor
    descriptors nor partial files grow."""
    bob = field.node(settings={"inbox/durability": "none"})
    cost, thrown_out, losses = [], 0, []
    parts = max(10, most // 10000)
    for part in range(parts):
        out, problems = some_ids(field, bob, most * part // parts, most * (part + 1) // parts)
        thrown_out, losses = thrown_out + out, losses + problems
        if part % (parts // 10) < parts // 10 - 1:
            continue
        harness.wait_until(lambda: not bob.sessions(), "no session is left")
        cost.append((bob.memory_kib("VmRSS"), len(os.listdir("/proc/%d/fd" % bob.process.pid))))
    losses += field.promises(bob)
    if cost[-1][0] - cost[0][0] > 8192 or cost[-1][1] > cost[0][1] + 4:
        losses.append("KiB and descriptors after each tenth: %r" % cost)
    field.notes.append("%d ids, %d sessions thrown out, RSS after each tenth %s KiB" % (
        most, thrown_out, " ".join(str(kib) for kib, _ in cost)))
    field.run_is_over("ids", losses)
