"""What every kind of fault stands on: the book of files that were sent, peers that send under load,
daemons with the layer under them, and the promises that must hold after a fault."""
import hashlib
import itertools
import os
import random
import shutil
import tempfile
import threading
import time

import node as harness
import raw
from layer import Layer

TOKEN = 24

# What would stop a fault before it is one. Only those that the daemon has.
LOOSE = {"sessions/half-open-limit": 20000, "inbox/min-free-mib": 0, "node/confined": False}


def known_settings():
    section, known = "", set()
    with open(os.path.join(os.path.dirname(os.path.dirname(harness.HERE)), "etc", "dustwired.ini")) as stream:
        for line in stream:
            if line.startswith("["):
                section = line.strip()[1:-1]
            elif "=" in line and not line.startswith("#"):
                known.add("%s/%s" % (section, line.split("=")[0].strip()))
    return known


class File:
    def __init__(self, token, content):
        self.token, self.content, self.acknowledged_ns = token, content, None

    @property
    def is_acknowledged(self):
        return self.acknowledged_ns is not None

    def acknowledge(self):
        self.acknowledged_ns = time.monotonic_ns()


class Book:
    """Every file begins with a token of its own, a new one for each attempt: so each file in an inbox
    is known, and twice is told from two."""

    def __init__(self, source):
        self._source, self._lock, self._files = source, threading.Lock(), {}
        self.forgotten = self.acknowledged_before = 0

    def new(self, size):
        with self._lock:
            token = b"%023x\n" % (len(self._files) + self.forgotten + (self._source.getrandbits(60) << 32))
            file = File(token, token + self._source.randbytes(max(0, size - TOKEN)))
            self._files[token] = file
        return file

    @property
    def count(self):
        return len(self._files) + self.forgotten

    @property
    def acknowledged(self):
        with self._lock:
            return self.acknowledged_before + sum(f.is_acknowledged for f in self._files.values())

    def as_of(self, when_ns):
        """A book of its own that knows only the oks seen before."""
        book = Book(random.Random(when_ns))
        for token, file in self._files.items():
            book._files[token] = File(token, file.content)
            if file.is_acknowledged and file.acknowledged_ns < when_ns:
                book._files[token].acknowledged_ns = file.acknowledged_ns
        return book

    def compare(self, paths):
        """What is wrong with an inbox: one sentence each."""
        losses, seen = [], set()
        with self._lock:
            for path in paths:
                with open(path, "rb") as stream:
                    content = stream.read()
                file = self._files.get(content[:TOKEN])
                if file is None or hashlib.sha256(content).digest() != hashlib.sha256(file.content).digest():
                    losses.append("%s of %d bytes is no file that was sent" % (path, len(content)))
                elif file.token in seen:
                    losses.append("%s is there twice" % path)
                seen.add(content[:TOKEN])
            losses += ["file %s was acknowledged and is gone" % f.token.decode().strip()
                       for f in self._files.values() if f.is_acknowledged and f.token not in seen]
        return losses

    def knows(self, content):
        file = self._files.get(content[:TOKEN])
        return file is not None and file.content == content

    def forget_missing(self, paths):
        """What is no longer in the inbox was taken away by the test."""
        present = set()
        for path in paths:
            with open(path, "rb") as stream:
                present.add(stream.read(TOKEN))
        for token in set(self._files) - present:
            self.acknowledged_before += self._files.pop(token).is_acknowledged
            self.forgotten += 1

    def forget(self):
        """What was compared is done with, and the memory free."""
        with self._lock:
            self.acknowledged_before += sum(f.is_acknowledged for f in self._files.values())
            self.forgotten += len(self._files)
            self._files = {}


class FaultNode(harness.Node):
    """A node with the layer under it, if it was given one."""

    layer = None

    def with_layer(self, is_recorded=False):
        self.layer = Layer(self.folder, self.inbox if is_recorded else None)
        return self

    def spawn(self, **how):
        return super().spawn(env={**os.environ, **(self.layer.environment if self.layer else {})}, **how)


class Sender(threading.Thread):
    """A peer that sends until it is told to stop or its session ends; notes each ok in the book."""

    def __init__(self, port, book, source, window=20, largest=60000, files=None, size=None, **more):
        super().__init__(daemon=True)
        self._port, self._book, self._more = port, book, more
        self._source = random.Random(source.random())
        self._window, self._largest, self._left = window, largest, files
        self._size_of_all, self._under_way, self._next_id = size, {}, 1
        self.is_stopped, self.failed = threading.Event(), 0

    @property
    def files_left(self):
        return (self._left or 0) + len(self._under_way)

    def run(self):
        try:
            self._session()
        except (OSError, AssertionError):
            pass  # the fault ended it; what had no ok is undecided

    def _session(self):
        peer = raw.Raw.greet(self._port, **self._more)
        try:
            while self._left is None or self._left > 0:
                if self.is_stopped.is_set():
                    break
                self._send_one(peer)
                while len(self._under_way) >= self._window:
                    self._take_answer(peer)
            while self._under_way:
                self._take_answer(peer)
        finally:
            peer.close()

    def _size(self):
        return self._size_of_all or self._source.choice((TOKEN, 1000, 20000, self._source.randrange(TOKEN, self._largest)))

    def _send_one(self, peer):
        file = self._book.new(self._size())
        self._under_way[self._next_id] = file
        peer.send(*raw.file_frames(self._next_id, file.content))
        self._next_id += 1
        if self._left is not None:
            self._left -= 1

    def _take_answer(self, peer):
        got = peer.expect_any(raw.OK, raw.ABORT, raw.WAZAP, limit=60)
        if got.command == raw.WAZAP:
            return
        file = self._under_way.pop(got.file_id)
        if got.command == raw.OK:
            file.acknowledge()
        else:
            self.failed += 1


def told_once(node, are_events_lost=False):
    """By the events of this life: each transfer has one result. Without memory for an event it is lost,
    and those who follow are told so."""
    events = node.follow().events

    def ids(kind):
        return [event["transfer_id"] for event in events.all(kind)]
    if not are_events_lost:
        harness.wait_until(lambda: set(ids("file-receiving-started")) <= set(ids("file-received")),
                           "each file that began has a result")
    told = ids("file-received")
    return [] if len(told) == len(set(told)) else ["a transfer was reported more than once"]


def thinned(points, most):
    """At most so many (0: all) of a shuffled list, each kind of call (its first word) among them as
    long as that goes."""
    by_call, taken = {}, []
    for point in points:
        by_call.setdefault(point[0], []).append(point)
    most = most or len(points)
    while len(taken) < most and any(by_call.values()):
        taken += [rest.pop() for rest in by_call.values() if rest]
    return taken[:most]


class Field:
    """One kind of fault being run: its nodes, its book, its tally."""

    def __init__(self, seed, kind):
        self.source = random.Random("%s/%s" % (seed, kind))
        self.book = Book(self.source)
        self.runs, self.losses, self._nodes = 0, [], []
        self.folder = tempfile.mkdtemp(prefix="dw-faults-")
        self.notes, self.are_events_lost, self.is_silent = [], False, False

    def node(self, name="bob", settings=None, has_layer=False, is_recorded=False, is_started=True, **more):
        known = known_settings()
        wanted = {key: value for key, value in LOOSE.items() if key in known}
        wanted["log/level"] = "warning"
        wanted.update(settings or {})
        node = FaultNode(name, wanted, **more)
        if has_layer or is_recorded:
            node.with_layer(is_recorded)
        self._nodes.append(node)
        return node.start() if is_started else node

    def senders(self, node, count=2, **more):
        senders = [Sender(node.port, self.book, self.source, idurl="http://127.0.0.1/%d.xml" % i, **more)
                   for i in range(count)]
        for sender in senders:
            sender.start()
        return senders

    def run_is_over(self, what, losses):
        self.runs += 1
        if os.environ.get("DUSTWIRE_FAULTS_SHOW"):
            print("  %.2f %s" % (time.monotonic(), what), flush=True)
        for loss in losses:
            self.losses.append("%s: %s" % (what, loss))
            if not self.is_silent:
                print("  LOSS %s: %s" % (what, loss), flush=True)

    def promises(self, node, book=None):
        """After a fault is over: what does not hold. Its own book is begun anew, with the inbox
        emptied; a given one is left alone."""
        is_emptied, book = book is None, book or self.book
        try:
            losses = self.serves(node, book)
            node.wait_no_partials()
            losses += book.compare(node.received()) + self._reports(node) + told_once(
                node, self.are_events_lost)
        except (OSError, AssertionError) as e:
            losses = ["%s\n%s" % (str(e)[:600], node.log()[-1500:])]
        if is_emptied:
            for path in node.received():
                os.unlink(path)
            self.book.forget()
        return losses

    def serves(self, node, book=None):
        """It takes files, each worker one."""
        book = book or self.book
        if node.process.poll() is not None:
            return ["the daemon ended with %d\n%s" % (node.process.returncode, node.log()[-1500:])]
        # At once, so that each worker has one: what could not be written goes out with its next write.
        peers = [raw.Raw.greet(node.port, idurl="http://127.0.0.1/after.xml") for _ in range(4)]
        for peer in peers:
            self.is_taken(peer, book)
        for peer in peers:
            peer.close()
        return []

    def is_taken(self, peer, book):
        """Within seconds: what a fault broke is mended at intervals, not for each file."""
        deadline = time.monotonic() + harness.seconds(3)
        for file_id in itertools.count(1):
            file = book.new(500)
            peer.send(*raw.file_frames(file_id, file.content))
            try:
                peer.expect_ok(file_id)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                file.acknowledge()
                return

    def _reports(self, node):
        """Each file in the inbox was reported, none is owed, no transfer id stands for two."""
        def all_reported():
            rows = harness.rows_of(node.command("received", "--json"), "received")
            return rows if all(row["is_reported"] for row in rows) else None
        rows = harness.wait_until(all_reported, "every received file is reported")
        ids = [row["transfer_id"] for row in rows]
        losses = [] if len(set(ids)) == len(ids) else ["a transfer id stands for two files"]
        listed = [row["path"] for row in rows]
        if len(set(listed)) != len(listed):
            losses.append("a file was received twice by the journal")
        missing = set(node.received()) - set(listed)
        return losses + ["%s was never reported" % path for path in missing]

    def check(self, node, what):
        self.run_is_over(what, self.promises(node))

    def restart(self, node, what):
        """Ends it by kill -9, starts it, and checks."""
        node.kill()
        try:
            node.start()
        except AssertionError as e:
            self.run_is_over(what, [str(e)[:2000]])
        else:
            self.check(node, what)

    def end(self, node):
        """The node's own end; a crash is a loss."""
        self._nodes.remove(node)
        problem = node.close()
        return [problem] if problem else []

    def close(self):
        for node in list(self._nodes):
            for problem in self.end(node):
                self.run_is_over("the end", [problem])
                self.runs -= 1
        shutil.rmtree(self.folder, ignore_errors=True)
