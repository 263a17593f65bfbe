"""An upgrade loses nothing: the previous release, built from the history, fills an inbox, and this release
is started on it. Its build is kept beside ours, so that it is built only once.

Update with each release: RELEASE is the commit of the previous one."""
import os
import re
import shutil
import subprocess
import unittest
import zlib

import node as harness
import raw

RELEASE = "f82e112"  # 0.1
ROOT = os.path.dirname(os.path.dirname(harness.HERE))
OLD = os.path.join(os.path.dirname(harness.BUILD), "release-" + RELEASE)


def build_old():
    """The folder of its programs; SkipTest with the reason if it cannot be built."""
    program = os.path.join(OLD, "build", "dustwired")
    if os.path.exists(program):
        return os.path.dirname(program)
    source = os.path.join(OLD, "source")
    shutil.rmtree(OLD, ignore_errors=True)
    if shutil.which("git") is None:
        raise unittest.SkipTest("git is not installed; it is needed to build the previous release")
    os.makedirs(source)
    archive = subprocess.run(["git", "-C", ROOT, "archive", RELEASE], capture_output=True)
    if archive.returncode != 0:
        raise unittest.SkipTest("the history is not available: " + archive.stderr.decode().strip())
    subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True)
    for command in (["cmake", "-G", "Ninja", "-S", source, "-B", os.path.dirname(program), "-DBUILD_TESTING=OFF",
                     "-DCMAKE_BUILD_TYPE=None"],
                    ["cmake", "--build", os.path.dirname(program), "--target", "dustwired"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(OLD, ignore_errors=True)
            raise unittest.SkipTest("the previous release cannot be built here: %s" % done.stdout[-1000:])
    return os.path.dirname(program)


class OldOrNew(harness.Node):
    """A node that first runs the previous release."""
    is_old = True

    @property
    def program(self):
        return os.path.join(OLD, "build", "dustwired") if self.is_old else super().program

    def upgrade(self):
        self.is_old = False
        return self.start()


class Upgrade(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build_old()

    def node(self, **settings):
        node = OldOrNew("up", {key.replace("__", "/").replace("_", "-"): value
                               for key, value in settings.items()}).start()
        self.addCleanup(node.close)
        return node

    def fill(self, node, count=60):
        """Sends files; returns the contents of those that were acknowledged."""
        contents = [os.urandom(16) + harness.pattern(300 + 137 * i % 9000) for i in range(count)]
        peer = raw.Raw.greet(node.port)
        for first in range(0, count, 20):
            batch = contents[first:first + 20]
            for i, content in enumerate(batch):
                peer.send(*raw.file_frames(first + i + 1, content))
            for _ in batch:
                peer.expect(raw.OK)
        peer.close()
        return set(contents)

    def fill_log(self, node):
        """The redo log is created after the first files, which are synced individually."""
        first = self.fill(node, 3)
        self.synced = set(node.received())
        self.synced_bytes = os.path.getsize(self.inside(node, "journal"))
        harness.wait_until(lambda: os.path.exists(self.inside(node, "redo")), "the log is created")
        return first | self.fill(node)

    def logged(self, node):
        """The names of the files in the log: it settles them after some seconds."""
        with open(self.inside(node, "redo"), "rb") as stream:
            log = stream.read()
        found, size = set(), len(log) // 2
        for half in (log[:size], log[size:]):
            at = 4096
            while half[at + 8:at + 16] == b"dwredo1\n" and half[at + 16:at + 24] == half[8:16]:
                length = 72 + int.from_bytes(half[at + 4:at + 8], "little")
                found |= {name.decode() for name in re.findall(rb"[0-9TZ]{16}-[0-9a-f]{16}\.in", half[at:at + length])}
                at += (length + 4095) // 4096 * 4096
        return found

    @staticmethod
    def inside(node, name):
        return os.path.join(node.inbox, ".dustwire", name)

    def parts(self, node):
        return [name for name in os.listdir(self.inside(node, "")) if name.startswith("journal-")]

    def check(self, node, contents):
        """Every acknowledged file is there once, and listed; no old files are left."""
        found = []
        for path in node.received():
            with open(path, "rb") as stream:
                found.append(stream.read())
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual(set(found), contents)
        rows = harness.rows_of(node.command("received", "--json"), "received")
        self.assertEqual({row["path"] for row in rows}, set(node.received()))
        self.assertEqual(len(rows), len(found), "each once")
        self.assertFalse(os.path.exists(self.inside(node, "redo")))
        self.assertEqual(self.parts(node), [])
        with open(self.inside(node, "journal"), "rb") as journal:
            self.assertTrue(journal.readline().startswith(b"H\tdustwire-journal\t3\t"))

    def damage_logged_files(self, node):
        """Damages the inbox as a power cut can while the log is complete: files empty, truncated, missing."""
        logged = self.logged(node)
        for i, path in enumerate(path for path in sorted(node.received()) if os.path.basename(path) in logged):
            if i % 3 == 0:
                os.truncate(path, 0)
            elif i % 3 == 1:
                os.truncate(path, os.path.getsize(path) // 2)
            else:
                os.unlink(path)

    def test_a_filled_log_after_a_kill(self):
        node = self.node(inbox__durability="full", inbox__redo_log_mib=1)
        contents = self.fill_log(node)
        node.kill()
        is_filled = bool(self.logged(node))
        node.upgrade()
        self.assertEqual("still in the inbox and are written again" in node.log(), is_filled)
        self.assertIn("redo-log-mib", node.log(), "a removed key is reported")
        self.check(node, contents)

    def test_a_filled_log_after_a_power_cut(self):
        node = self.node(inbox__durability="full")
        contents = self.fill_log(node)
        node.kill()
        if len(self.logged(node)) != len(contents) - len(self.synced):
            self.skipTest("slow machine: the log was settled meanwhile")
        self.damage_logged_files(node)
        os.truncate(self.inside(node, "journal"), self.synced_bytes)
        node.upgrade()
        self.check(node, contents)

    def test_files_removed_by_their_owner_before_a_kill_stay_removed(self):
        node = self.node(inbox__durability="full")
        contents = self.fill_log(node)
        removed = node.received()[5]
        with open(removed, "rb") as stream:
            contents.remove(stream.read())
        os.unlink(removed)
        node.kill()
        node.upgrade()
        self.assertNotIn(removed, node.received())
        self.assertEqual(len(node.received()), len(contents))

    def test_parts_of_the_journal_after_a_kill(self):
        node = self.node(inbox__durability="none", workers__threads=2)
        contents = set()
        for count in range(20, 24):
            contents |= self.fill(node, count)
        node.kill()
        self.assertTrue(self.parts(node))
        node.upgrade()
        self.check(node, contents)

    def test_an_orderly_stop(self):
        node = self.node(inbox__durability="full")
        contents = self.fill_log(node)
        self.assertEqual(node.stop(), 0)
        node.upgrade()
        self.check(node, contents)
        self.check(node, contents)

    def test_a_kill_after_the_upgrade_and_a_second_start(self):
        node = self.node(inbox__durability="full")
        contents = self.fill_log(node)
        node.kill()
        node.upgrade()
        node.kill()
        node.start()
        self.check(node, contents)

    def test_the_older_release_refuses_the_newer_journal(self):
        node = self.node(inbox__durability="full")
        self.fill(node)
        node.stop()
        node.upgrade()
        node.stop()
        node.is_old = True
        node.spawn()
        self.assertNotEqual(node.wait_exit(), 0)
        self.assertIn("its journal was written by a later version of dustwired; use that version", node.log())
        node.process = None


def as_version_2(line):
    """A journal line in the format of version 2: file records without the proto."""
    fields = line.split(b"\t")[:-1]
    if fields[0] == b"H":
        fields[2] = b"2"
    elif fields[0] == b"F":
        assert fields.pop(10) == b"tcp", line
    text = b"\t".join(fields)
    return text + b"\t%08x\n" % zlib.crc32(text)


class VersionTwo(unittest.TestCase):
    """A journal of version 2, as written by 0.2.0."""

    def setUp(self):
        self.node = harness.Node("two", {"inbox/durability": "full"}).start()
        self.addCleanup(self.node.close)
        self.journal = os.path.join(self.node.inbox, ".dustwire", "journal")

    def fill(self, count):
        peer = raw.Raw.greet(self.node.port)
        for number in range(1, count + 1):
            peer.send(*raw.file_frames(number, harness.pattern(100 * number)))
        for _ in range(count):
            peer.expect(raw.OK)
        peer.close()

    def lines(self, kind):
        with open(self.journal, "rb") as stream:
            return [line for line in stream if line.startswith(kind + b"\t")]

    def rows(self):
        return harness.rows_of(self.node.command("received", "--json"), "received")

    def test_no_record_is_lost(self):
        self.fill(20)
        rows, records = self.rows(), self.lines(b"F")
        self.assertEqual(len(rows), 20)
        self.assertEqual(self.node.stop(), 0)
        with open(self.journal, "rb") as stream:
            old = b"".join(map(as_version_2, stream))
        with open(self.journal, "wb") as stream:
            stream.write(old)
        self.node.start()
        self.assertTrue(self.lines(b"H")[0].startswith(b"H\tdustwire-journal\t3\t"))
        self.assertEqual(self.lines(b"F"), records)
        self.assertEqual(self.rows(), rows)
        self.assertIn("0 damaged records", self.node.log())
        self.fill(5)
        self.assertEqual(len(self.rows()), 25)


if __name__ == "__main__":
    unittest.main()
