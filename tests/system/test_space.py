"""Limits on the inbox's disk usage and on the file rate of an address (docs/limits.md), on each file system
that is available here."""
import os
import shutil
import subprocess
import time
import unittest

import node as harness
import raw

MIB = 1 << 20


def has_loop():
    return os.geteuid() == 0 and os.path.exists("/dev/loop-control")


# name, mkfs command (None: mount only), mount options
FILE_SYSTEMS = [
    ("tmpfs", None, ["-t", "tmpfs", "-o", "size=64m"]),
    ("ext4", ["mkfs.ext4", "-q", "-F"], ["-o", "loop"]),
    ("ext4 with blocks of 1 KiB", ["mkfs.ext4", "-q", "-F", "-b", "1024"], ["-o", "loop"]),
    ("XFS", ["mkfs.xfs", "-q", "-f"], ["-o", "loop"]),
    ("btrfs", ["mkfs.btrfs", "-q", "-f"], ["-o", "loop"]),
]


class OnFileSystem(harness.SystemTest):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can mount")
        self.next_id = 0

    def mounted(self, make, options):
        """A folder with that file system mounted, or None if it is not available here."""
        folder = self.folder()
        source, where = "none", folder + "/disk"
        os.mkdir(where)
        if make is not None:
            if not has_loop() or shutil.which(make[0]) is None:
                return None
            source = folder + "/image"
            with open(source, "wb") as image:
                image.truncate(320 * MIB)
            subprocess.run(make + [source], check=True, capture_output=True)
        if subprocess.run(["mount", *options, source, where], capture_output=True).returncode != 0:
            return None
        self.addCleanup(subprocess.run, ["umount", where], check=True)
        return where

    def filled(self, bob, size):
        """The number of files of that size accepted before one is refused, and the reason."""
        peer = raw.Raw.greet(bob.port)
        for count in range(3000):
            self.next_id += 1
            peer.send(*raw.file_frames(self.next_id, harness.pattern(size)))
            got = peer.expect_any(raw.OK, raw.ABORT)
            if got.command == raw.ABORT:
                peer.close()
                return count, got.text
        self.fail("3000 files of %d bytes" % size)

    def emptied(self, bob):
        """Empties the inbox and recounts it by setting a new quota."""
        for path in bob.received():
            os.unlink(path)
        for quota_mib in (0, 1):
            bob.change({"inbox/quota-mib": quota_mib})
            self.assertEqual(bob.command("reload").code, 0)
        self.assertEqual(bob.status()["inbox"]["files"], 0)

    def check_quota(self, name, bob):
        for size, least, most in ((0, 250, 1024), (1, 250, 1024), (4096, 250, 256), (4097, 120, 205),
                                  (300000, 3, 3), (MIB, 1, 1), (MIB + 1, 0, 0)):
            with self.subTest(file_system=name, size=size):
                count, text = self.filled(bob, size)
                taken = sum(os.stat(path).st_blocks * 512 for path in bob.received())
                self.assertIn("quota", text)
                self.assertTrue(least <= count <= most, count)
                self.assertLessEqual(taken, MIB)
                self.emptied(bob)

    def test_the_quota_counts_allocated_blocks(self):
        left_out = []
        for name, make, options in FILE_SYSTEMS:
            where = self.mounted(make, options)
            if where is None:
                left_out.append(name)
                continue
            bob = self.node("bob", {"inbox/path": where + "/in", "inbox/quota-mib": 1,
                                    "inbox/min-free-mib": 0, "inbox/durability": "none",
                                    "workers/threads": 1})
            bob.inbox = where + "/in"
            self.check_quota(name, bob)
            bob.change({"inbox/quota-mib": 0, "inbox/files-limit": 7})
            self.assertEqual(bob.command("reload").code, 0)
            count, text = self.filled(bob, 1)
            self.assertEqual(count, 7, name)
            self.assertIn("inbox file limit reached", text)
            self.assertIn("7 of 7 files", bob.command("status").out)
            self._close(bob)
        self.assertNotIn("tmpfs", left_out)
        if left_out:
            print("left out, not available here: " + ", ".join(left_out))

    def test_inodes_stay_free(self):
        where = self.mounted(None, ["-t", "tmpfs", "-o", "size=200m,nr_inodes=80"])
        bob = self.node("bob", {"inbox/path": where + "/in", "workers/threads": 1})
        bob.inbox = where + "/in"
        count, text = self.filled(bob, 0)
        self.assertTrue(30 <= count <= 64, count)
        self.assertIn("free inodes would drop below the limit", text)
        self.assertGreaterEqual(os.statvfs(where).f_favail, 15)
        self.assertEqual(bob.status()["metrics"]["files_no_inodes"], 1)
        os.unlink(bob.received()[0])
        self.assertEqual(self.filled(bob, 0)[0], 1)

    def test_empty_files_are_refused_below_min_free(self):
        where = self.mounted(None, ["-t", "tmpfs", "-o", "size=16m"])
        bob = self.node("bob", {"inbox/path": where + "/in", "inbox/min-free-mib": 64})
        self.assertEqual(self.filled(bob, 0)[0], 0)
        self.assertEqual(bob.status()["metrics"]["files_no_room"], 1)


class Counted(harness.SystemTest):
    """Other programs add and remove files in the inbox."""

    def test_changes_by_other_programs_are_counted(self):
        bob = self.node("bob", {"inbox/files-limit": 100, "inbox/quota-mib": 10})
        inbox = lambda: bob.status()["inbox"]
        for name in "abc":
            harness.make_file(os.path.join(bob.inbox, name), 5000)
        os.mkdir(bob.inbox + "/folder")
        harness.wait_until(lambda: inbox()["files"] == 3, inbox, every=0.1)
        self.assertEqual(inbox()["bytes"], 3 * 8192)
        self.assertIn("3 of 100 files, 24.0 KiB of 10.0 MiB", bob.command("status").out)
        os.unlink(bob.inbox + "/a")
        os.rename(bob.inbox + "/b", bob.inbox + "/folder/b")
        harness.wait_until(lambda: inbox()["files"] == 1, inbox, every=0.1)
        self.assertEqual(inbox()["bytes"], 8192)


LIMITED = "127.0.0.2"


class Rate(harness.SystemTest):
    PER_S = 50

    def setUp(self):
        self.bob = self.node("bob", {"access/exempt-networks": "127.0.0.1/32", "workers/threads": 2,
                                     "access/files-per-s": self.PER_S, "sessions/stall-window-s": 1,
                                     "inbox/durability": "none"})

    def greet(self, source):
        peer = raw.Raw.greet(self.bob.port, source=source)
        self.addCleanup(peer.close)
        return peer

    @staticmethod
    def send_empty(peers, count):
        """Sends `count` files, 30 at a time on each session; returns the seconds it took."""
        start, file_id = time.monotonic(), 0
        while file_id < count:
            for peer in peers:
                peer.send(*[raw.data(file_id + i, 0) for i in range(30)])
            for peer in peers:
                for _ in range(30):
                    peer.expect(raw.OK, limit=30.0)
            file_id += 30 * len(peers)
        return time.monotonic() - start

    def waits(self):
        return self.bob.status()["metrics"]["files_rate_waits"]

    def test_an_address_above_the_rate_is_delayed_and_loses_nothing(self):
        took = self.send_empty([self.greet(LIMITED)], 150)
        self.assertGreater(took, (150 - 2 * self.PER_S) / self.PER_S * 0.9)
        self.assertGreater(self.waits(), 0)
        metrics = self.bob.status()["metrics"]
        self.assertEqual((metrics["files_received"], metrics["files_receive_failed"]), (150, 0))

    def test_its_sessions_share_the_rate(self):
        took = self.send_empty([self.greet(LIMITED) for _ in range(4)], 240)
        self.assertGreater(took, (240 - 4 * 30 - self.PER_S) / self.PER_S * 0.9)
        self.assertEqual(self.bob.status()["metrics"]["files_received"], 240)

    def test_other_and_exempt_addresses_are_not_delayed(self):
        limited = self.greet(LIMITED)
        limited.send(*[raw.data(i, 0) for i in range(39)], *[raw.data(100, 0)])
        self.send_empty([self.greet("127.0.0.1")], 600)
        self.assertEqual(self.waits(), 0)
        self.send_empty([self.greet("127.0.0.3")], 30)
        self.assertEqual(self.waits(), 0)

    def test_no_limit(self):
        self.bob.change({"access/files-per-s": 0})
        self.assertEqual(self.bob.command("reload").code, 0)
        self.send_empty([self.greet(LIMITED)], 300)
        self.assertEqual(self.waits(), 0)

    def test_a_delayed_session_is_neither_stalled_nor_idle(self):
        """At one file per second: an incomplete file has not stalled, the session is not idle."""
        self.bob.change({"access/files-per-s": 1, "sessions/idle-limit-s": 1})
        self.assertEqual(self.bob.command("reload").code, 0)
        peer = self.greet(LIMITED)
        peer.send(raw.data(1, 4, b"ab"), *[raw.data(i, 0) for i in range(2, 5)])
        seen = [peer.expect(raw.OK, limit=30.0).file_id for _ in range(3)]
        start = time.monotonic()
        peer.send(raw.data(1, 4, b"cd"))
        seen.append(peer.expect(raw.OK, limit=30.0).file_id)
        self.assertEqual(sorted(seen), [1, 2, 3, 4])
        self.assertGreater(time.monotonic() - start, 1.5)
        self.assertEqual(self.bob.status()["metrics"]["sessions_idle"], 0)


if __name__ == "__main__":
    harness.main()
