"""Power cuts of real file systems. The inbox is on an image of the file system, mounted through a loop
device; the image is on an XFS, which copies it atomically (FICLONE) while the daemon is running. Such a
copy is the disk after a power cut: without the data that the kernel had not written yet. Each copy is
mounted, which replays the file system's journal, and a daemon is started on it.

Not covered: data lost from the disk's own cache (powercut.py drops everything that was not synced)."""
import contextlib
import fcntl
import os
import shutil
import subprocess
import time

from powercut import missing_received

FICLONE = 0x40049409
SIZE_MIB = 400
MAKE = {"ext4": ["-q", "-F"], "xfs": ["-q", "-f"], "btrfs": ["-q", "-f"]}
MOUNT = {"ext4": "loop", "xfs": "loop,nouuid", "btrfs": "loop"}
COPIES_PER_LOAD = 20  # copies made during one load


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def unavailable_reason(kind):
    """The reason why it cannot run here, or None."""
    if os.getuid() != 0:
        return "only root can mount"
    missing = [name for name in ("mkfs.xfs", "mkfs." + kind, "mount", "losetup") if not shutil.which(name)]
    if missing:
        return "not installed: %s" % ", ".join(missing)
    if not os.path.exists("/dev/loop-control"):
        return "no loop devices"
    return None


class Images(contextlib.ExitStack):
    """A folder for images that can be copied atomically, and the mounts, undone in reverse order."""

    def __init__(self, folder, kind):
        super().__init__()
        self._kind, self._count = kind, 0
        self.folder = os.path.join(folder, "images")
        try:
            image = os.path.join(folder, "images.xfs")
            self._make(image, "xfs", 16000)
            self.callback(os.unlink, image)
            self.enter_context(self.mounted(image, self.folder, "loop"))
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _make(path, kind, mib):
        with open(path, "wb") as out:
            out.truncate(mib << 20)
        run("mkfs." + kind, *MAKE[kind], path)

    @staticmethod
    @contextlib.contextmanager
    def mounted(image, folder, options):
        os.makedirs(folder, exist_ok=True)
        run("mount", "-o", options, image, folder)
        try:
            yield folder
        finally:
            run("umount", folder)

    def new(self):
        path = os.path.join(self.folder, "disk")
        self._make(path, self._kind, SIZE_MIB)
        return path

    def copy(self, path):
        self._count += 1
        name = "%s-%d" % (path, self._count)
        with open(path, "rb") as source, open(name, "wb") as out:
            fcntl.ioctl(out, FICLONE, source.fileno())
        return name


def forget_devices(kind):
    """btrfs identifies a file system by its UUID, which the copies share."""
    if kind == "btrfs" and shutil.which("btrfs"):
        subprocess.run(["btrfs", "device", "scan", "--forget"], check=False, capture_output=True)


def record(field, images, image, mount, settings, count):
    """Runs a daemon under load on it; returns [(copy, time before it was made)]."""
    copies = []
    with images.mounted(image, mount, "loop"):
        node = field.node("bob", dict(settings, **{"inbox/path": os.path.join(mount, "in")}))
        node.inbox = os.path.join(mount, "in")
        senders = field.senders(node, 2, largest=40000) + field.senders(node, 1, window=1)
        senders += field.senders(node, 4, size=1024, window=40)
        for _ in range(count):
            time.sleep(field.source.uniform(0.02, 0.2))
            when_ns = time.monotonic_ns()
            copies.append((images.copy(image), when_ns))
        for sender in senders:
            sender.is_stopped.set()
        for sender in senders:
            sender.join()
        node.kill()
        field.end(node)
    return copies


def verify_copy(field, images, kind, copy, when_ns, mount, settings):
    """Starts a daemon on the copy and runs the checks."""
    with images.mounted(copy, mount, MOUNT[kind]):
        node = field.node("cut", dict(settings, **{"inbox/path": os.path.join(mount, "in")}), is_started=False)
        node.inbox = os.path.join(mount, "in")
        try:
            node.start()
            losses = field.promises(node, field.book.as_of(when_ns)) + missing_received(node)
        except AssertionError as e:
            losses = [str(e)[-2000:]]
        node.kill()
        field.end(node)
    return losses


def cuts(field, limit, kind, settings=None):
    reason = unavailable_reason(kind)
    if reason:
        field.notes.append(reason)
        return
    try:
        images = Images(field.folder, kind)
    except subprocess.CalledProcessError as e:
        field.notes.append("no image can be mounted here: %s" % (e.stderr or "").strip())
        return
    mount = os.path.join(field.folder, "disk")
    with images:
        for first in range(0, limit, COPIES_PER_LOAD):
            forget_devices(kind)
            image = images.new()
            copies = record(field, images, image, mount, settings or {}, min(COPIES_PER_LOAD, limit - first))
            os.unlink(image)
            forget_devices(kind)
            for i, (copy, when_ns) in enumerate(copies):
                losses = verify_copy(field, images, kind, copy, when_ns, mount, settings or {})
                field.end_run("%s, cut %d" % (kind, first + i), losses)
                os.unlink(copy)
                forget_devices(kind)
            field.book.forget()


def ext4(field, limit):
    cuts(field, limit, "ext4")


def xfs(field, limit):
    cuts(field, limit, "xfs")


def btrfs(field, limit):
    cuts(field, limit, "btrfs")
