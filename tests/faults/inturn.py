"""One call after the other fails in a living daemon: the disk's, an allocation, a descriptor. The same
at its start, which may then fail, but says why."""
import errno
import os
import resource
import select
import threading
import time

import node as harness
import raw
from field import Book, thinned
from kills import a_scenario
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


def told(error):
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


def hits_in_turn(field, node, points, scenario, under=""):
    """A restart after every tenth, so that what stands on the disk is looked at, too."""
    hits = 0
    for i, point in enumerate(points):
        arm(node, point, under)
        scenario(field, node)
        hits += node.layer.hits > 0
        node.layer.disarm()
        what = "%s %d fails with %s, %s" % (point[0], point[1], told(point[2]),
                                            "once" if point[3] == 1 else "from then on")
        if i % 10 == 9 or node.process.poll() is not None:
            if node.process.poll() is not None:
                field.run_is_over(what, ["the daemon ended with %d" % node.process.returncode])
            field.restart(node, what + ", and a restart")
        else:
            field.check(node, what)
    field.notes.append("%d of %d hit" % (hits, len(points)))


def with_a_large_file(field, node):
    senders = field.senders(node, 1, files=1, size=9 << 20)
    a_scenario(field, node)
    senders[0].join()


def disk(field, most, settings=None):
    node = field.node(settings=settings, has_layer=True)
    seen = count_calls(field, node, DISK_CALLS, with_a_large_file, node.inbox)
    # What only a failure leads to: mending the journal.
    seen.update((call, max(1, seen[call])) for call in ("renameat", "ftruncate", "syncfs"))
    points = [(call, at, error, times) for call, errors in DISK_CALLS.items() for at in range(seen[call])
              for error in errors for times in (1, EVER)]
    field.source.shuffle(points)
    hits_in_turn(field, node, thinned(points, most), with_a_large_file, node.inbox)


def disk_none(field, most):
    disk(field, most, {"inbox/durability": "none"})


DYING = {
    "syncs": "fdatasync fsync syncfs",
    "writes": "write pwrite ftruncate openat",
    "renames": "renameat2 renameat unlinkat",
    "the disk": "openat write pwrite sync_file_range fdatasync fsync syncfs renameat2 renameat unlinkat ftruncate",
}


def dying(field, most):
    """(node, what) when all calls of a set fail, from a call on that chance names."""
    node = field.node(has_layer=True)
    for i in range(most):
        names = list(DYING)[i % len(DYING)]
        at = field.source.choice((0, 1, 2, field.source.randrange(60)))
        node.layer.arm(DYING[names], at, EVER, FAIL, field.source.choice(DISK_ERRORS), under=node.inbox)
        with_a_large_file(field, node)
        a_scenario(field, node)
        yield node, "%s from call %d on" % (names, at)


def dying_disk(field, most):
    """Killed while nothing works, and started on a good disk."""
    for node, what in dying(field, most):
        if node.process.poll() is not None:
            field.run_is_over(what, ["the daemon ended with %d" % node.process.returncode])
        node.kill()
        node.layer.disarm()
        field.restart(node, what)


def returning_disk(field, most):
    """It works again, and so must the daemon. A partial file that could not be removed stays until the
    next start."""
    for node, what in dying(field, most):
        node.layer.disarm()
        losses = field.serves(node)
        if losses:
            field.run_is_over(what, losses)
        field.restart(node, what)


def descriptors(field, most):
    node = field.node(has_layer=True)
    seen = count_calls(field, node, DESCRIPTOR_CALLS, everything, "")
    points = [(call, at, error_of(call), times) for call in DESCRIPTOR_CALLS for at in range(seen[call])
              for times in (1, 5)]
    field.source.shuffle(points)
    hits_in_turn(field, node, thinned(points, most), everything)


def error_of(call):
    return errno.ENOSPC if call == "epoll_ctl" else errno.EMFILE


def memory(field, most):
    field.are_events_lost = True
    node = field.node(has_layer=True)
    seen = count_calls(field, node, ("alloc",), everything)["alloc"]
    points = [("alloc", at, errno.ENOMEM, 1) for at in range(seen)]
    field.source.shuffle(points)
    field.notes.append("%d allocations" % seen)
    hits_in_turn(field, node, thinned(points, most), everything)


def everything(field, node):
    """Files in and out, and the commands: each of what a daemon allocates and opens when it lives."""
    files, paths = Book(field.source), []
    taker = Taker(files)
    for k in range(3):
        paths.append(os.path.join(node.folder, "out%d" % k))
        with open(paths[-1], "wb") as out:
            out.write(files.new(50000).content)
    job = node.send_job(paths, taker.listener.contact)
    a_scenario(field, node)
    for command in ("status", "sessions", "streams", "received", "services"):
        node.command(command, "--json")
    finished = sum(row["status"] == "finished" for row in job.result().json())
    node.command("disconnect", taker.listener.contact)
    taker.end()
    if finished > len(taker.taken):
        field.run_is_over("sending", ["%d files finished, %d came" % (finished, len(taker.taken))])


class Taker(threading.Thread):
    """A listening peer that takes what it knows, until it is told to end; what came whole is in
    `taken`."""

    def __init__(self, files):
        super().__init__(daemon=True)
        self.listener, self._files, self.taken = raw.Listener(), files, []
        self._is_ended = threading.Event()
        self.start()

    def run(self):
        while not self._is_ended.is_set():
            if select.select([self.listener.socket], [], [], 0.05)[0]:
                try:
                    take_session(self.listener.accept(), self._files, self.taken)
                except (OSError, AssertionError):
                    pass  # the fault ended it

    def end(self):
        self._is_ended.set()
        self.join()
        self.listener.close()


def take_session(peer, files, taken):
    while True:
        got = peer.next()
        if got is None:
            return peer.close()
        if got.command == raw.DATA and got.file_id not in peer.check.open:
            content = peer.check.done[got.file_id][-1]
            assert files.knows(content), "a file came that nobody sent"
            taken.append(content)
            peer.send(raw.ok(got.file_id))


# ---- at the start

def start_with(field, node, point, under):
    """The start with that fault: it serves, or it ends with a status and a sentence."""
    before = len(node.log())
    arm(node, point, under)
    node.spawn()
    try:
        harness.wait_until(lambda: node.process.poll() is not None or node.is_serving() or
                           "cannot serve control" in node.log()[before:],  # the control socket alone
                           lambda: "serves or ends:\n" + node.log()[before:][-2000:], limit=15)
        code = node.process.poll()
        losses = [] if code is None or (code > 0 and node.log()[before:].strip()) else [
            "the start ended with %s, saying %r" % (code, node.log()[before:][-1000:])]
    except AssertionError as e:
        losses = [str(e)]
    hits = node.layer.hits
    node.layer.disarm()
    what = "at start %s %d fails with %s" % (point[0], point[1], told(point[2]))
    if losses:
        field.run_is_over(what, losses)
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


def starts(field, most, calls, errors, is_inbox_only=False):
    node = field.node(has_layer=True)
    under = node.inbox if is_inbox_only else ""
    a_scenario(field, node)
    seen = count_start(node, calls, under)
    points = [(call, at, error, 1) for call in calls for at in range(seen[call]) for error in errors]
    field.source.shuffle(points)
    points = thinned(points, most)
    hits = 0
    for point in points:
        a_scenario(field, node)
        node.kill()
        hits += start_with(field, node, point, under)
    field.notes.append("%d of %d hit" % (hits, len(points)))


def start_disk(field, most):
    starts(field, most, tuple(DISK_CALLS), (errno.EIO, errno.ENOSPC), is_inbox_only=True)


def start_memory(field, most):
    starts(field, most, ("alloc",), (errno.ENOMEM,))


def start_descriptors(field, most):
    starts(field, most, DESCRIPTOR_CALLS, (errno.EMFILE,))


# ---- really none left

def starved(field, most):
    """The limit of descriptors lowered to what is in use: nobody gets in, no processor time is spent on
    it, files of open sessions fail one by one, commands wait; raised again, all is well, also for those
    who waited."""
    node = field.node().follow()  # a connection to the control socket that stays
    for i in range(most):
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
            losses.append("%.0f %% of a processor spent on waiting for descriptors" % (share * 100))
        resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, usual)
        losses += [str(result) for result in (job.result(5) for job in commands) if result.code != 0]
        for caller in callers:
            caller.close()
        peer.close()
        field.run_is_over("run %d" % i, losses + field.promises(node))


def processor_s(node):
    with open("/proc/%d/stat" % node.process.pid) as stream:
        fields = stream.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- a really full disk

def full_disk(field, most):
    """An inbox on a tmpfs of 2 MiB: some files fit, some do not."""
    folder = os.path.join(field.folder, "small")
    os.makedirs(folder)
    if os.system("mount -t tmpfs -o size=2m tmpfs '%s'" % folder) != 0:
        field.notes.append("no tmpfs can be mounted here")
        return
    try:
        node = field.node(settings={"inbox/path": folder})
        node.inbox = folder
        for i in range(most):
            senders = field.senders(node, 3, files=30, largest=400000, window=8)
            for sender in senders:
                sender.join()
            full = sum(sender.failed for sender in senders)
            field.run_is_over("run %d" % i, promises_when_full(field, node) +
                              ([] if full else ["nothing was refused"]))
        field.end(node)
    finally:
        os.system("umount '%s'" % folder)


def promises_when_full(field, node):
    """Nothing more fits, so that it serves is looked at when there is room."""
    losses = field.book.compare(node.received())
    for path in node.received()[:5]:
        os.unlink(path)
    field.book.forget_missing(node.received())
    return losses + field.promises(node)
