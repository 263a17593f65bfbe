"""kill -9 at random times under load, and at each system call of the receive path."""
import os
import shutil
import subprocess
import threading

import node as harness
from field import TOKEN, sample_points
from layer import KILL_AFTER, KILL_BEFORE

# Calls of the receive path, in the order in which a file causes them.
CALLS = ("accept4", "epoll_ctl", "recv", "openat", "write", "sync_file_range", "pwrite", "fdatasync",
         "syncfs", "renameat2", "fsync", "send", "unlinkat")
SYSCALLS = ("accept4", "epoll_ctl", "recvfrom", "openat", "getrandom", "write", "sync_file_range",
            "pwrite64", "fdatasync", "syncfs", "renameat2", "fsync", "sendto", "shutdown", "close",
            "futex", "epoll_wait")


NONE = {"inbox/durability": "none"}


def receiver(field, limit, settings=None):
    """Kills the receiver after 5 to 400 ms of load."""
    node = field.node(settings=settings)
    for i in range(limit):
        if i % 25 == 24:
            field.end(node)
            node = field.node(settings=settings)
        delay = field.source.uniform(0.005, 0.4)
        senders = field.senders(node, 3)
        threading.Event().wait(delay)
        node.process.kill()
        for sender in senders:
            sender.join()
        field.restart(node, "run %d, killed after %.3f s" % (i, delay))


def sender(field, limit):
    """Kills the sending daemon while `dustwire send` waits: acknowledged files must be there."""
    bob = field.node()
    for i in range(limit):
        alice = field.node("alice")
        files, paths = [], []
        for k in range(60):
            files.append(field.book.new(field.source.choice((TOKEN, 3000, 300000))))
            paths.append(os.path.join(alice.folder, "f%d" % k))
            with open(paths[-1], "wb") as out:
                out.write(files[-1].content)
        job = alice.send_job(paths, bob.contact)
        delay = field.source.uniform(0.01, 0.3)
        threading.Event().wait(delay)
        alice.process.kill()
        told = {row["file"]: row["status"] for row in job.result().json()}
        for file, path in zip(files, paths):
            if told.get(path) == "finished":
                file.acknowledge()
        losses = field.promises(bob)
        alice.process.wait()
        alice.start()
        field.end_run("run %d, killed after %.3f s" % (i, delay), losses + field.end(alice))


def run_scenario(field, node):
    """A few small and larger files over two sessions: the scenario in which calls are counted."""
    senders = field.senders(node, 1, files=6, largest=30000, window=2)
    senders += field.senders(node, 1, files=12, largest=100, window=12)
    for sender in senders:
        sender.join()
    return senders


def each_call(field, limit, settings=None):
    """Layer: kills the process before, or right after, the n-th call of each kind."""
    node = field.node(settings=settings, has_layer=True)
    points = []
    for call in CALLS:
        node.layer.count(call)
        run_scenario(field, node)
        seen = node.layer.seen
        points += [(call, at, mode) for at in range(seen) for mode in (KILL_BEFORE, KILL_AFTER)]
    node.layer.disarm()
    field.check(node, "counting")
    field.source.shuffle(points)
    if limit:
        points = sample_points(points, limit)
    killed = 0
    for i, (call, at, mode) in enumerate(points):
        if i % 25 == 24:
            field.end(node)
            node = field.node(settings=settings, has_layer=True)
        node.layer.arm(call, at, mode=mode)
        run_scenario(field, node)
        killed += node.layer.hits
        node.layer.disarm()
        field.restart(node, "killed %s %s %d" % (
            "before" if mode == KILL_BEFORE else "after", call, at))
    field.notes.append("%d killed by it" % killed)


def receiver_none(field, limit):
    """A kill loses nothing: the kernel has all written data."""
    receiver(field, limit, NONE)


def each_call_none(field, limit):
    each_call(field, limit, NONE)


def syscalls(field, limit):
    """strace: SIGKILL on entering the n-th call of a thread, for n = 1, 2, ... until the scenario
    completes."""
    if not shutil.which("strace"):
        field.notes.append("strace is missing")
        return
    node = field.node()
    turn, killed = {call: 1 for call in SYSCALLS}, 0
    while turn and (not limit or field.runs < limit):
        for call in list(turn):
            when = turn[call]
            turn[call] += 1 if not limit else field.source.randrange(1, 4)
            with tracer(node, call, when):
                run_scenario(field, node)
                is_alive = node.process.poll() is None
            killed += not is_alive
            field.restart(node, "killed at %s, when=%d" % (call, when))
            if is_alive or (not limit and when >= 40):
                del turn[call]
            if limit and field.runs >= limit:
                break
    field.notes.append("%d killed by it" % killed)


class tracer:
    """strace on all threads of a running daemon, attached when the block begins."""

    def __init__(self, node, call, when):
        self._node, self._call, self._when = node, call, when

    def __enter__(self):
        node = self._node
        self._log = os.path.join(node.folder, "strace.log")
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                ["strace", "-f", "-p", str(node.process.pid), "-o", "/dev/null", "-e", "trace=" + self._call,
                 "-e", "inject=%s:signal=SIGKILL:when=%d" % (self._call, self._when)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        harness.wait_until(lambda: self._is_attached() or self._process.poll() is not None,
                           lambda: "strace attaches: " + open(self._log).read())

    def _is_attached(self):
        with open(self._log) as stream:
            return "attached with" in stream.read()  # printed when all threads are

    def __exit__(self, *_):
        """strace can hang if its process was killed inside an injected call."""
        self._process.terminate()
        try:
            self._process.wait(harness.seconds(0.5))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
