"""Each call fails in a running daemon: disk calls, allocations, descriptors. The same at its start, which
can then fail, but must report why."""
import errno
import os
import resource
import select
import threading
import time

import node as harness
import raw
from field import Book, sample_points
from kills import run_scenario
from layer import EVER, FAIL, SHORT

DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS)
DISK_CALLS = {
    "openat": DISK_ERRORS,
    "write": DISK_ERRORS + (SHORT,),
    "pwrite": DISK_ERRORS + (SHORT,),
    "sync_file_range": (errno.EIO, errno.ENOSPC),
    "fdatasync": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "fsync": (errno.EIO,),
    "syncfs": (errno.EIO,),
    "renameat2": DISK_ERRORS,
    "renameat": (errno.EIO,),
    "unlinkat": (errno.EIO, errno.EROFS),
    "ftruncate": (errno.EIO,),
}
DESCRIPTOR_CALLS = ("accept4", "openat", "open", "socket", "eventfd", "epoll_create1", "epoll_ctl",
                    "memfd_create")


def error_name(error):
    return "short" if error == SHORT else errno.errorcode[error]


def arm(node, point, under=""):
    call, at, error, times = point
    node.layer.arm(call, at, times, SHORT if error == SHORT else FAIL, error, under=under)


def count_calls(field, node, calls, scenario, under=""):
    seen = {}
    for call in calls:
        node.layer.count(call, under)
        scenario(field, node)
        seen[call] = node.layer.seen
    node.layer.disarm()
    return seen


def run_points(field, node, points, scenario, under=""):
    """Restarts after every tenth, so that the state on the disk is checked as well."""
    hits = 0
    for i, point in enumerate(points):
        arm(node, point, under)
        scenario(field, node)
        hits += node.layer.hits > 0
        node.layer.disarm()
        what = "%s %d fails with %s, %s" % (point[0], point[1], error_name(point[2]),
                                            "once" if point[3] == 1 else "from then on")
        if i % 10 == 9 or node.process.poll() is not None:
            if node.process.poll() is not None:
                field.end_run(what, ["the daemon ended with %d" % node.process.returncode])
            field.restart(node, what + ", and a restart")
        else:
            field.check(node, what)
    field.notes.append("%d of %d hit" % (hits, len(points)))


def with_a_large_file(field, node):
    senders = field.senders(node, 1, files=1, size=9 << 20)
    run_scenario(field, node)
    senders[0].join()


def disk(field, limit, settings=None):
    node = field.node(settings=settings, has_layer=True)
    seen = count_calls(field, node, DISK_CALLS, with_a_large_file, node.inbox)
    # Only caused by a failure: rewriting the journal.
    seen.update((call, max(1, seen[call])) for call in ("renameat", "ftruncate", "syncfs"))
    points = [(call, at, error, times) for call, errors in DISK_CALLS.items() for at in range(seen[call])
              for error in errors for times in (1, EVER)]
    field.source.shuffle(points)
    run_points(field, node, sample_points(points, limit), with_a_large_file, node.inbox)


def disk_none(field, limit):
    disk(field, limit, {"inbox/durability": "none"})


FAILING = {
    "syncs": "fdatasync fsync syncfs",
    "writes": "write pwrite ftruncate openat",
    "renames": "renameat2 renameat unlinkat",
    "the disk": "openat write pwrite sync_file_range fdatasync fsync syncfs renameat2 renameat unlinkat ftruncate",
}


def failing(field, limit):
    """Yields (node, what) while all calls of a set fail, from a random call on."""
    node = field.node(has_layer=True)
    for i in range(limit):
        names = list(FAILING)[i % len(FAILING)]
        at = field.source.choice((0, 1, 2, field.source.randrange(60)))
        node.layer.arm(FAILING[names], at, EVER, FAIL, field.source.choice(DISK_ERRORS), under=node.inbox)
        with_a_large_file(field, node)
        run_scenario(field, node)
        yield node, "%s from call %d on" % (names, at)


def failing_disk(field, limit):
    """Kills it while the disk fails, and starts it on a working disk."""
    for node, what in failing(field, limit):
        if node.process.poll() is not None:
            field.end_run(what, ["the daemon ended with %d" % node.process.returncode])
        node.kill()
        node.layer.disarm()
        field.restart(node, what)


def recovering_disk(field, limit):
    """The disk recovers, and the daemon must as well. A partial file that could not be removed stays until
    the next start."""
    for node, what in failing(field, limit):
        node.layer.disarm()
        losses = field.serves(node)
        if losses:
            field.end_run(what, losses)
        field.restart(node, what)


def descriptors(field, limit):
    node = field.node(has_layer=True)
    seen = count_calls(field, node, DESCRIPTOR_CALLS, full_scenario, "")
    points = [(call, at, error_of(call), times) for call in DESCRIPTOR_CALLS for at in range(seen[call])
              for times in (1, 5)]
    field.source.shuffle(points)
    run_points(field, node, sample_points(points, limit), full_scenario)


def error_of(call):
    return errno.ENOSPC if call == "epoll_ctl" else errno.EMFILE


def memory(field, limit):
    field.are_events_lost = True
    node = field.node(has_layer=True)
    seen = count_calls(field, node, ("alloc",), full_scenario)["alloc"]
    points = [("alloc", at, errno.ENOMEM, 1) for at in range(seen)]
    field.source.shuffle(points)
    field.notes.append("%d allocations" % seen)
    run_points(field, node, sample_points(points, limit), full_scenario)


def full_scenario(field, node):
    """Incoming and outgoing files, and the commands: what a running daemon allocates and opens."""
    files, paths = Book(field.source), []
    receiver = Receiver(files)
    for k in range(3):
        paths.append(os.path.join(node.folder, "out%d" % k))
        with open(paths[-1], "wb") as out:
            out.write(files.new(50000).content)
    job = node.send_job(paths, receiver.listener.contact)
    run_scenario(field, node)
    for command in ("status", "sessions", "streams", "received", "services"):
        node.command(command, "--json")
    finished = sum(row["status"] == "finished" for row in job.result().json())
    node.command("disconnect", receiver.listener.contact)
    receiver.end()
    if finished > len(receiver.received):
        field.end_run("sending", ["%d files finished, %d arrived" % (finished, len(receiver.received))])


class Receiver(threading.Thread):
    """A listening peer that accepts files of the book until it is stopped; complete files are in
    `received`."""

    def __init__(self, files):
        super().__init__(daemon=True)
        self.listener, self._files, self.received = raw.Listener(), files, []
        self._is_ended = threading.Event()
        self.start()

    def run(self):
        while not self._is_ended.is_set():
            if select.select([self.listener.socket], [], [], 0.05)[0]:
                try:
                    serve_session(self.listener.accept(), self._files, self.received)
                except (OSError, AssertionError):
                    pass  # ended by the fault

    def end(self):
        self._is_ended.set()
        self.join()
        self.listener.close()


def serve_session(peer, files, received):
    while True:
        got = peer.next()
        if got is None:
            return peer.close()
        if got.command == raw.DATA and got.file_id not in peer.check.open:
            content = peer.check.done[got.file_id][-1]
            assert files.knows(content), "a file arrived that was not sent"
            received.append(content)
            peer.send(raw.ok(got.file_id))


# ---- at the start

def start_with(field, node, point, under):
    """Starts with that fault: the daemon serves, or exits with a status and a message."""
    before = len(node.log())
    arm(node, point, under)
    node.spawn()
    try:
        harness.wait_until(lambda: node.process.poll() is not None or node.is_serving() or
                           "cannot serve control" in node.log()[before:],  # the control socket alone
                           lambda: "serves or ends:\n" + node.log()[before:][-2000:], limit=15)
        code = node.process.poll()
        losses = [] if code is None or (code > 0 and node.log()[before:].strip()) else [
            "the start ended with %s and the log %r" % (code, node.log()[before:][-1000:])]
    except AssertionError as e:
        losses = [str(e)]
    hits = node.layer.hits
    node.layer.disarm()
    what = "at start %s %d fails with %s" % (point[0], point[1], error_name(point[2]))
    if losses:
        field.end_run(what, losses)
    field.restart(node, what)
    return hits > 0


def count_start(node, calls, under):
    seen = {}
    for call in calls:
        node.kill()
        node.layer.count(call, under)
        node.start()
        seen[call] = node.layer.seen
    node.layer.disarm()
    return seen


def starts(field, limit, calls, errors, is_inbox_only=False):
    node = field.node(has_layer=True)
    under = node.inbox if is_inbox_only else ""
    run_scenario(field, node)
    seen = count_start(node, calls, under)
    points = [(call, at, error, 1) for call in calls for at in range(seen[call]) for error in errors]
    field.source.shuffle(points)
    points = sample_points(points, limit)
    hits = 0
    for point in points:
        run_scenario(field, node)
        node.kill()
        hits += start_with(field, node, point, under)
    field.notes.append("%d of %d hit" % (hits, len(points)))


def start_disk(field, limit):
    starts(field, limit, tuple(DISK_CALLS), (errno.EIO, errno.ENOSPC), is_inbox_only=True)


def start_memory(field, limit):
    starts(field, limit, ("alloc",), (errno.ENOMEM,))


def start_descriptors(field, limit):
    starts(field, limit, DESCRIPTOR_CALLS, (errno.EMFILE,))


# ---- the descriptor limit

def low_descriptors(field, limit):
    """Lowers the descriptor limit to the number in use: no connection is accepted, no busy loop, files of
    open sessions fail one by one, commands wait. When it is raised again everything works, also the
    waiting commands."""
    node = field.node().follow()  # a persistent connection to the control socket
    for i in range(limit):
        peer = raw.Raw.greet(node.port)
        used = len(os.listdir("/proc/%d/fd" % node.process.pid))
        usual = resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, (used, usual[1]))
        callers = [raw.Raw.dial(node.port) for _ in range(20)]
        commands = [node.job("status") for _ in range(3)]
        peer.send(*raw.file_frames(1, b"refused"))
        losses = [] if peer.next().command == raw.ABORT else ["no abort without a descriptor"]
        before, began = processor_s(node), time.monotonic()
        time.sleep(1)
        share = (processor_s(node) - before) / (time.monotonic() - began)
        if share > 0.2:
            losses.append("%.0f %% of a processor used while waiting for descriptors" % (share * 100))
        resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, usual)
        losses += [str(result) for result in (job.result(5) for job in commands) if result.code != 0]
        for caller in callers:
            caller.close()
        peer.close()
        field.end_run("run %d" % i, losses + field.promises(node))


def processor_s(node):
    with open("/proc/%d/stat" % node.process.pid) as stream:
        fields = stream.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- a full disk

def full_disk(field, limit):
    """An inbox on a tmpfs of 2 MiB: some files fit, others are refused."""
    folder = os.path.join(field.folder, "small")
    os.makedirs(folder)
    if os.system("mount -t tmpfs -o size=2m tmpfs '%s'" % folder) != 0:
        field.notes.append("no tmpfs can be mounted here")
        return
    try:
        node = field.node(settings={"inbox/path": folder})
        node.inbox = folder
        for i in range(limit):
            senders = field.senders(node, 3, files=30, largest=400000, window=8)
            for sender in senders:
                sender.join()
            full = sum(sender.failed for sender in senders)
            field.end_run("run %d" % i, promises_when_full(field, node) +
                          ([] if full else ["nothing was refused"]))
        field.end(node)
    finally:
        os.system("umount '%s'" % folder)


def promises_when_full(field, node):
    """The disk is full: makes room before checking that it accepts files."""
    losses = field.book.compare(node.received())
    for path in node.received()[:5]:
        os.unlink(path)
    field.book.forget_missing(node.received())
    return losses + field.promises(node)
