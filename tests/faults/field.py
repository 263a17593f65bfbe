"""Shared by all kinds of faults: the book of sent files, peers that generate load, daemons with the
preloaded layer, and the checks that must hold after a fault."""
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

# Limits that would prevent a fault. Only those that the daemon has.
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
    """Every file begins with a unique token, a new one for each attempt, so each file in an inbox is
    identified, and a duplicate is distinguished from a second attempt."""

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
        """A copy of the book with only the oks seen before."""
        book = Book(random.Random(when_ns))
        for token, file in self._files.items():
            book._files[token] = File(token, file.content)
            if file.is_acknowledged and file.acknowledged_ns < when_ns:
                book._files[token].acknowledged_ns = file.acknowledged_ns
        return book

    def compare(self, paths):
        """Compares an inbox with the book: one message per loss."""
        losses, seen = [], set()
        with self._lock:
            for path in paths:
                with open(path, "rb") as stream:
                    content = stream.read()
                file = self._files.get(content[:TOKEN])
                if file is None or hashlib.sha256(content).digest() != hashlib.sha256(file.content).digest():
                    losses.append("%s of %d bytes is not a file that was sent" % (path, len(content)))
                elif file.token in seen:
                    losses.append("%s is duplicated" % path)
                seen.add(content[:TOKEN])
            losses += ["file %s was acknowledged and is missing" % f.token.decode().strip()
                       for f in self._files.values() if f.is_acknowledged and f.token not in seen]
        return losses

    def knows(self, content):
        file = self._files.get(content[:TOKEN])
        return file is not None and file.content == content

    def forget_missing(self, paths):
        """Files missing from the inbox were removed by the test."""
        present = set()
        for path in paths:
            with open(path, "rb") as stream:
                present.add(stream.read(TOKEN))
        for token in set(self._files) - present:
            self.acknowledged_before += self._files.pop(token).is_acknowledged
            self.forgotten += 1

    def forget(self):
        """Drops the compared files, to free memory."""
        with self._lock:
            self.acknowledged_before += sum(f.is_acknowledged for f in self._files.values())
            self.forgotten += len(self._files)
            self._files = {}


class FaultNode(harness.Node):
    """A node, with the preloaded layer if with_layer was called."""

    layer = None

    def with_layer(self, is_recorded=False):
        self.layer = Layer(self.folder, self.inbox if is_recorded else None)
        return self

    def spawn(self, **how):
        return super().spawn(env={**os.environ, **(self.layer.environment if self.layer else {})}, **how)


class Sender(threading.Thread):
    """A peer that sends until it is stopped or its session ends; records each ok in the book."""

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
            pass  # ended by the fault; files without an ok are undecided

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


def check_reported_once(node, are_events_lost=False):
    """Checks in the events of this run of the daemon that each transfer has one result. Events lost
    for want of memory are reported to followers."""
    events = node.follow().events

    def ids(kind):
        return [event["transfer_id"] for event in events.all(kind)]
    if not are_events_lost:
        harness.wait_until(lambda: set(ids("file-receiving-started")) <= set(ids("file-received")),
                           "each file that began has a result")
    told = ids("file-received")
    return [] if len(told) == len(set(told)) else ["a transfer was reported more than once"]


def sample_points(points, limit):
    """At most this many (0: all) of a shuffled list, spread evenly over the calls (the first item of
    each point)."""
    by_call, taken = {}, []
    for point in points:
        by_call.setdefault(point[0], []).append(point)
    limit = limit or len(points)
    while len(taken) < limit and any(by_call.values()):
        taken += [rest.pop() for rest in by_call.values() if rest]
    return taken[:limit]


class Field:
    """The run of one kind of fault: its nodes, its book, its results."""

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

    def end_run(self, what, losses):
        self.runs += 1
        if os.environ.get("DUSTWIRE_FAULTS_SHOW"):
            print("  %.2f %s" % (time.monotonic(), what), flush=True)
        for loss in losses:
            self.losses.append("%s: %s" % (what, loss))
            if not self.is_silent:
                print("  LOSS %s: %s" % (what, loss), flush=True)

    def promises(self, node, book=None):
        """The checks after a fault; returns what failed. Empties the inbox and its own book; a book that
        is passed is not changed."""
        is_emptied, book = book is None, book or self.book
        try:
            losses = self.serves(node, book)
            node.wait_no_partials()
            losses += book.compare(node.received()) + self._reports(node) + check_reported_once(
                node, self.are_events_lost)
        except (OSError, AssertionError) as e:
            losses = ["%s\n%s" % (str(e)[:600], node.log()[-1500:])]
        if is_emptied:
            for path in node.received():
                os.unlink(path)
            self.book.forget()
        return losses

    def serves(self, node, book=None):
        """Checks that it accepts files, one per worker."""
        book = book or self.book
        if node.process.poll() is not None:
            return ["the daemon ended with %d\n%s" % (node.process.returncode, node.log()[-1500:])]
        # Concurrent, so that each worker has one: unwritten records are written with its next write.
        peers = [raw.Raw.greet(node.port, idurl="http://127.0.0.1/after.xml") for _ in range(4)]
        for peer in peers:
            self.is_taken(peer, book)
        for peer in peers:
            peer.close()
        return []

    def is_taken(self, peer, book):
        """Retries for some seconds: the daemon recovers from a fault at intervals, not for each file."""
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
        """Each file in the inbox was reported, none is unreported, transfer ids are unique."""
        def all_reported():
            rows = harness.rows_of(node.command("received", "--json"), "received")
            return rows if all(row["is_reported"] for row in rows) else None
        rows = harness.wait_until(all_reported, "every received file is reported")
        ids = [row["transfer_id"] for row in rows]
        losses = [] if len(set(ids)) == len(ids) else ["two files have one transfer id"]
        listed = [row["path"] for row in rows]
        if len(set(listed)) != len(listed):
            losses.append("the journal lists a file twice")
        missing = set(node.received()) - set(listed)
        return losses + ["%s was never reported" % path for path in missing]

    def check(self, node, what):
        self.end_run(what, self.promises(node))

    def restart(self, node, what):
        """Kills it (kill -9), starts it, and runs the checks."""
        node.kill()
        try:
            node.start()
        except AssertionError as e:
            self.end_run(what, [str(e)[:2000]])
        else:
            self.check(node, what)

    def end(self, node):
        """Stops the node; a crash is a loss."""
        self._nodes.remove(node)
        problem = node.close()
        return [problem] if problem else []

    def close(self):
        for node in list(self._nodes):
            for problem in self.end(node):
                self.end_run("the end", [problem])
                self.runs -= 1
        shutil.rmtree(self.folder, ignore_errors=True)
