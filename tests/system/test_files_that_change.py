"""Files whose content does not match stat, or that are modified while they are sent: they arrive correctly or
fail; never with mixed content, and without losing the session. And the acknowledged bytes on a slow link."""
import os
import unittest

import node as harness

MIB = 1 << 20


def write(path, offset, text, flags=0):
    fd = os.open(path, os.O_WRONLY | flags)
    try:
        if flags & os.O_APPEND:
            os.write(fd, text)
        else:
            os.pwrite(fd, text, offset)
    finally:
        os.close(fd)


def rewrite_and_restore_mtime(path):
    seen = os.stat(path)
    write(path, 0, b"secret")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replace(path):
    with open(path + ".new", "wb") as new:
        new.write(b"another")
    os.rename(path + ".new", path)


def truncate_and_extend(path):
    size = os.path.getsize(path)
    os.truncate(path, 0)
    os.truncate(path, size)


def rewrite(path):
    size = os.path.getsize(path)
    with open(path, "wb") as new:
        new.write(b"x" * size)


def replace_by_folder(path):
    os.unlink(path)
    os.mkdir(path)


CHANGES = [  # what, how, whether it is still sent
    ("written at the beginning", lambda path: write(path, 0, b"changed"), False),
    ("written at the end", lambda path: write(path, os.path.getsize(path) - 7, b"changed"), False),
    ("written, its time set back", rewrite_and_restore_mtime, False),
    ("appended", lambda path: write(path, 0, b"more", os.O_APPEND), False),
    ("truncated", lambda path: os.truncate(path, 10), False),
    ("truncated and extended", truncate_and_extend, False),
    ("rewritten", rewrite, False),
    ("grown beyond the limit", lambda path: os.truncate(path, 1 << 31), False),
    ("an older time", lambda path: os.utime(path, (1, 1)), False),
    ("removed", os.unlink, True),
    ("replaced", replace, True),
    ("renamed", lambda path: os.rename(path, path + ".old"), True),
    ("mode", lambda path: os.chmod(path, 0), True),
    ("linked", lambda path: os.link(path, path + ".link"), True),
    ("replaced by a folder", replace_by_folder, True),
]


class FilesThatChange(harness.SystemTest):
    def setUp(self):
        self.files = self.folder()

    def pair(self, sender=None, receiver=None):
        self.b = self.node("bob", settings=receiver)
        self.a = self.node("alice", settings=sender)

    def make(self, name, size):
        return harness.make_file(os.path.join(self.files, name), size, seed=name)

    def test_only_files_modified_while_they_are_sent_fail(self):
        self.pair(sender={"bandwidth/out-kib-per-s": 4096})
        paths = [self.make(what.replace(" ", "-"), MIB) for what, _, _ in CHANGES]
        sums = {path: harness.sha256(path) for path in paths}
        job = self.job(self.a.send_job(paths, self.b.contact))
        harness.wait_until(lambda: len([row for row in self.a.streams() if row["bytes_current"] > 0]) == len(paths),
                           "every file has begun", every=0.02)
        for path, (what, change, _) in zip(paths, CHANGES):
            change(path)
        rows = {row["file"]: row for row in job.result().json()}
        for path, (what, _, is_sent) in zip(paths, CHANGES):
            self.assertEqual(rows[path]["status"], "finished" if is_sent else "failed", (what, rows[path]))
            if not is_sent:
                self.assertRegex(rows[path]["error"], "changed while|became shorter while|truncated while", what)
        self.assertEqual(self.b.received_sums(),
                         sorted(sums[path] for path, (_, _, is_sent) in zip(paths, CHANGES) if is_sent))
        self.assertEqual(len(self.a.sessions()), 1)
        self.b.wait_no_partials()

    def test_files_of_unknown_size_arrive_completely_or_are_refused(self):
        names = ["/proc/version", "/proc/filesystems", "/proc/cmdline", "/proc/sys/kernel/ostype",
                 "/proc/sys/kernel/osrelease", "/sys/devices/system/cpu/possible", "/sys/kernel/mm/transparent_hugepage/enabled",
                 "/proc/self/mounts", "/proc/kallsyms"]
        names = [name for name in names if os.path.exists(name)]
        self.pair()
        sparse = self.make("sparse", 0)
        os.truncate(sparse, 3 * MIB)
        names += [sparse, self.make("empty", 0)]
        rows = {row["file"]: row for row in self.a.send(names, self.b.contact).json()}
        expected = []
        for name in names:
            with open(name, "rb") as file:
                data = file.read()
            if name == "/proc/kallsyms" and len(data) > MIB:
                self.assertIn("not known in advance", rows[name]["error"])
                continue
            self.assertEqual(rows[name]["status"], "finished", rows[name])
            self.assertEqual(rows[name]["bytes"], len(data), name)
            if not name.startswith("/proc/self"):
                expected.append(harness.sha256_bytes(data))
        self.assertLessEqual(set(expected), set(self.b.received_sums()))
        self.assertEqual(len(self.a.sessions()), 1)

    def test_uploaded_files_are_checked_in_the_same_way(self):
        self.pair(sender={"outbox/roots": self.folder()})
        names = ["/proc/version", "/proc/filesystems", self.make("plain", 3 * MIB), self.make("empty", 0)]
        rows = self.assert_sent(self.a.send(names, self.b.contact), len(names))
        self.assertEqual({row["status"] for row in rows}, {"finished"})
        sums = []
        for name in names:
            with open(name, "rb") as file:
                sums.append(harness.sha256_bytes(file.read()))
        self.assertEqual(self.b.received_sums(), sorted(sums))

    def test_acknowledged_bytes_are_reported_on_a_slow_link(self):
        self.pair(receiver={"bandwidth/in-kib-per-s": 2048})
        path = self.make("long", 8 * MIB)
        job = self.job(self.a.send_job([path], self.b.contact))
        seen = []

        def is_ended():
            seen.extend((row["acknowledged"], row["bytes_current"]) for row in self.a.streams())
            return not job.is_running()
        harness.wait_until(is_ended, "the end of the send", limit=30.0, every=0.05)
        self.assertEqual([row["status"] for row in job.result().json()], ["finished"])
        reported = [acknowledged for acknowledged, _ in seen]
        self.assertEqual(reported, sorted(reported))
        self.assertTrue(all(acknowledged <= current <= 8 * MIB for acknowledged, current in seen), seen)
        self.assertTrue(any(0 < acknowledged < current for acknowledged, current in seen), seen)
        sent = self.a.events.wait("file-sent")
        self.assertEqual(sent[0]["acknowledged"], 8 * MIB)


if __name__ == "__main__":
    harness.main()
