"""The inbox, or something below it, is moved or replaced while the daemon runs. A file reported as finished
is always found under its path; files that cannot be stored are refused with the reason, `status` shows it,
and files are accepted again when the change is undone."""
import contextlib
import os
import shutil
import subprocess
import time
import unittest

import node as harness
import raw

CONTENT = harness.pattern(3000)
LARGE = 5 << 20  # synced by the bulk thread


def can_mount():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "--mount", "true"], capture_output=True).returncode == 0


class Changes:
    """Each generator changes the inbox, and undoes the change."""

    def __init__(self, inbox):
        self.inbox, self.parent = inbox, os.path.dirname(inbox)
        self.own = inbox + "/.dustwire"

    @contextlib.contextmanager
    def moved(self, path):
        os.rename(path, path + ".old")
        yield path + ".old"
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        elif os.path.isdir(path):
            shutil.rmtree(path)
        os.rename(path + ".old", path)

    @contextlib.contextmanager
    def replaced(self, path, by):
        with self.moved(path) as old:
            by(path, old)
            yield

    @contextlib.contextmanager
    def mounted(self, path, *mount):
        subprocess.run(["mount", *mount, path], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", path], check=True)

    def bound(self, path):
        other = self.parent + "-other"
        os.makedirs(other, exist_ok=True)
        return self.mounted(path, "--bind", other)


def make_folder(path, old):
    os.mkdir(path, 0o700)


def make_copy(path, old):
    shutil.copytree(old, path)


def make_file(path, old):
    open(path, "w").close()


def link_to_nothing(path, old):
    os.symlink("/nowhere/at/all", path)


def link_to_old(path, old):
    os.symlink(old, path)


def link_to_other(path, old):
    os.makedirs(old + "-other", exist_ok=True)
    os.symlink(old + "-other", path)


ANOTHER = "it was replaced"
GONE = "No such file or directory"

# The change, as a function of Changes; a part of the error message (None: files are accepted as before);
# True: only root can make the change.
CASES = [
    ("the inbox is moved away", lambda c: c.moved(c.inbox), GONE, False),
    ("replaced by another folder", lambda c: c.replaced(c.inbox, make_folder), ANOTHER, False),
    ("replaced by a copy", lambda c: c.replaced(c.inbox, make_copy), ANOTHER, False),
    ("replaced by a file", lambda c: c.replaced(c.inbox, make_file), ANOTHER, False),
    ("a link to nothing", lambda c: c.replaced(c.inbox, link_to_nothing), GONE, False),
    ("a link to another folder", lambda c: c.replaced(c.inbox, link_to_other), ANOTHER, False),
    ("a link to where it is now", lambda c: c.replaced(c.inbox, link_to_old), None, False),
    ("its parent is renamed", lambda c: c.moved(c.parent), GONE, False),
    ("its parent is replaced by a copy", lambda c: c.replaced(c.parent, make_copy), ANOTHER, False),
    ("its parent is a link to where it is", lambda c: c.replaced(c.parent, link_to_old), None, False),
    ("tmpfs over it", lambda c: c.mounted(c.inbox, "-t", "tmpfs", "none"), ANOTHER, True),
    ("tmpfs over its parent", lambda c: c.mounted(c.parent, "-t", "tmpfs", "none"), GONE, True),
    ("another folder bound over it", lambda c: c.bound(c.inbox), ANOTHER, True),
    (".dustwire is moved away", lambda c: c.moved(c.own), GONE, False),
    ("another .dustwire", lambda c: c.replaced(c.own, make_folder), ANOTHER, False),
    ("a copy of .dustwire", lambda c: c.replaced(c.own, make_copy), ANOTHER, False),
    ("a link for .dustwire", lambda c: c.replaced(c.own, link_to_old), ANOTHER, False),
    ("tmpfs over .dustwire", lambda c: c.mounted(c.own, "-t", "tmpfs", "none"), ANOTHER, True),
    ("the spool's folder is moved away", lambda c: c.moved(c.own + "/spool"), None, False),
]


class Moved(harness.SystemTest):
    """All cases on one daemon, sequentially."""
    durability = "full"

    def setUp(self):
        self.place = os.path.join(self.folder(), "parent", "inbox")
        self.bob = self.node("bob", {"inbox/path": self.place, "inbox/durability": self.durability,
                                     "workers/threads": 1})
        self.bob.inbox = self.place
        self.file_id = 0
        self.known = set()

    def begin(self, peer, size):
        """Half of a file, and the frames of the rest."""
        self.file_id += 1
        frames = raw.file_frames(self.file_id, harness.pattern(size), chunk=min(size // 2, 90000))
        peer.send(*frames[:len(frames) // 2])
        return self.file_id, frames[len(frames) // 2:]

    def whole(self, peer, size):
        self.file_id += 1
        peer.send_unless_closed(*raw.file_frames(self.file_id, harness.pattern(size)))
        return self.answer(peer, self.file_id)

    def answer(self, peer, file_id):
        frame = peer.expect_any(raw.OK, raw.ABORT, limit=30.0)
        self.assertEqual(frame.file_id, file_id)
        if frame.command == raw.ABORT:
            peer.send_unless_closed(raw.abort(file_id))
            return frame.text
        return "ok"

    def check_reported(self, what):
        """Each file reported as finished since the last call exists."""
        for event in self.bob.events.all("file-received", status="finished"):
            if event["transfer_id"] not in self.known:
                self.known.add(event["transfer_id"])
                self.assertTrue(os.path.isfile(event["path"]), "%s: %r" % (what, event))

    def assert_refused(self, what, peer, begun):
        for file_id, rest in begun:
            peer.send(*rest)
        answers = [self.answer(peer, file_id) for file_id, _ in begun]
        answers += [self.whole(peer, size) for size in (0, 1, 3000)]
        for answer in answers:
            self.assertIn("the inbox was replaced by another directory", answer, what)

    def assert_status(self, what, sentence):
        result = self.bob.command("status")
        self.assertEqual(result.code, 3, "%s: %s" % (what, result))
        self.assertIn("not accepting files: inbox " + self.place, result.out, what)
        for words in (sentence, "restart dustwired", self.bob.status()["inbox"]["trouble"]):
            self.assertIn(words, result.out, what)
        self.assertGreaterEqual(self.bob.log().count(sentence), 1, what)

    def run_case(self, what, happens, sentence):
        peer = raw.Raw.greet(self.bob.port)
        self.addCleanup(peer.close)
        lines = self.bob.log().count("files are refused until then")
        begun = [self.begin(peer, 2000), self.begin(peer, LARGE)]
        with happens(Changes(self.place)):
            if sentence is None:
                for file_id, rest in begun:
                    peer.send(*rest)
                    peer.expect_ok(file_id)
                self.assertEqual(self.whole(peer, 3000), "ok", what)
                self.check_reported(what)
                self.assertEqual(self.bob.command("status").code, 0, what)
            else:
                self.assert_refused(what, peer, begun)
                self.assert_status(what, sentence)
        harness.wait_until(lambda: self.bob.command("status").code == 0, lambda: what + " is undone")
        self.assertEqual(self.bob.status()["inbox"]["trouble"], "", what)
        self.assertEqual([self.whole(peer, size) for size in (0, 3000)], ["ok", "ok"], what)
        self.check_reported(what)
        self.assertEqual(self.bob.log().count("files are refused until then") - lines,
                         0 if sentence is None else 1, what + ": logged once")
        peer.close()

    def test_finished_files_are_found_under_their_paths(self):
        for what, happens, sentence, needs_root in CASES:
            if needs_root and not can_mount():
                continue
            with self.subTest(what=what):
                self.run_case(what, happens, sentence)
        self.assertEqual(self.bob.partials(), [])
        folders = [path for path, _, names in os.walk(os.path.dirname(os.path.dirname(self.place)))
                   if path != self.place and any(name.endswith(".in") for name in names)]
        self.assertEqual(folders, [], "files outside the inbox")
        for row in harness.rows_of(self.bob.command("received", "--json"), "received"):
            self.assertTrue(os.path.isfile(row["path"]), row)

    @unittest.skipUnless(can_mount(), "only root can mount")
    def test_the_cases_include_those_that_need_root(self):
        self.assertGreaterEqual(sum(1 for case in CASES if case[3]), 4)


class MovedUnsynced(Moved):
    durability = "none"


class Gone(harness.SystemTest):
    """The original was removed for good: a restart uses the new one."""

    def removed_and_recreated(self, path):
        bob = self.node("bob", {"workers/threads": 1})
        peer = raw.Raw.greet(bob.port)
        self.addCleanup(peer.close)
        shutil.rmtree(path(bob))
        os.mkdir(path(bob), 0o700)
        peer.send(*raw.file_frames(1, CONTENT))
        self.assertIn("was replaced by another directory", peer.expect(raw.ABORT).text)
        harness.wait_until(lambda: bob.command("status").code == 3, bob.status)
        self.assertIn("restart dustwired to use this one", bob.command("status").out)
        self.assertEqual(bob.stop(), 0)
        bob._end_events()
        bob.start()
        peer = raw.Raw.greet(bob.port)
        self.addCleanup(peer.close)
        peer.send(*raw.file_frames(2, CONTENT))
        peer.expect_ok(2)

    def test_the_inbox(self):
        self.removed_and_recreated(lambda bob: bob.inbox)

    def test_its_own_folder(self):
        self.removed_and_recreated(lambda bob: bob.inbox + "/.dustwire")


class Linked(harness.SystemTest):
    def test_a_changed_link_in_the_path_has_no_effect(self):
        """Reported paths have no links, and remain valid."""
        folder = self.folder()
        for name in ("one", "two"):
            os.makedirs(os.path.join(folder, name, "in"), 0o700)
        os.symlink("one", folder + "/link")
        bob = self.node("bob", {"inbox/path": folder + "/link/in"})
        os.unlink(folder + "/link")
        os.symlink("two", folder + "/link")
        peer = raw.Raw.greet(bob.port)
        self.addCleanup(peer.close)
        peer.send(*raw.file_frames(1, CONTENT))
        peer.expect_ok(1)
        reported = bob.events.wait("file-received", status="finished")[0]
        self.assertEqual(os.path.dirname(reported["path"]), folder + "/one/in")
        self.assertTrue(os.path.isfile(reported["path"]))
        self.assertEqual(bob.command("status").code, 0)


class ReadOnly(harness.SystemTest):
    """The kernel remounts a file system read-only after a disk error."""

    def trigger(self):
        """The file that triggers an ext4 error, and the folder of an ext4 mounted for this test."""
        folder = self.folder()
        image, where = folder + "/image", folder + "/disk"
        os.mkdir(where)
        with open(image, "wb") as out:
            out.truncate(32 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        if subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, where],
                          capture_output=True).returncode != 0:
            self.skipTest("no loop device can be mounted here")
        self.addCleanup(subprocess.run, ["umount", where], check=True)
        device = subprocess.run(["findmnt", "-n", "-o", "SOURCE", where], check=True, text=True,
                                capture_output=True).stdout.strip()
        return "/sys/fs/ext4/%s/trigger_fs_error" % os.path.basename(device), where

    @unittest.skipUnless(can_mount() and shutil.which("mkfs.ext4"), "only root can mount, and needs mkfs.ext4")
    def test_a_file_system_that_became_read_only_is_reported(self):
        trigger, where = self.trigger()
        if not os.access(trigger, os.W_OK):
            self.skipTest("this kernel has no " + trigger)
        bob = self.node("bob", {"inbox/path": where + "/in", "inbox/min-free-mib": 0,
                                "inbox/durability": "none"})
        peer = raw.Raw.greet(bob.port)
        self.addCleanup(peer.close)
        peer.send(*raw.file_frames(1, CONTENT))
        peer.expect_ok(1)
        with open(trigger, "w") as out:
            out.write("1")
        for file_id in (2, 3):
            peer.send(*raw.file_frames(file_id, CONTENT))
            self.assertIn("read-only file system", peer.expect(raw.ABORT).text)
        result = bob.command("status")
        self.assertEqual(result.code, 3, str(result))
        self.assertIn("is not writable: Read-only file system", result.out)
        time.sleep(1.5)  # longer than the interval of the check
        self.assertEqual(bob.command("status").code, 3, str(result))
        self.assertEqual(bob.log().count("files are refused until then"), 1)
        bob.kill()  # its journal cannot be closed cleanly


class Own(harness.SystemTest):
    """The daemon's own files are removed."""

    def test_the_lock_is_recreated(self):
        bob = self.node("bob")
        lock = bob.inbox + "/.dustwire/lock"
        os.unlink(lock)
        bob.wait_log("its lock file was removed; recreated")
        other = self.node("other", {"inbox/path": bob.inbox}, is_started=False)
        other.spawn()
        self.assertNotEqual(other.wait_exit(), 0)
        self.assertIn("another dustwired", other.log())
        self.assertEqual(bob.command("status").code, 0)

    def check_journal_restored(self, durability, harm):
        """Its records are not lost, even if the daemon is killed afterwards."""
        bob = self.node("bob", {"inbox/durability": durability, "workers/threads": 1})
        journal = bob.inbox + "/.dustwire/journal"
        peer = raw.Raw.greet(bob.port)
        self.addCleanup(peer.close)
        for file_id in (1, 2):
            peer.send(*raw.file_frames(file_id, CONTENT))
            peer.expect_ok(file_id)
            if file_id == 1:
                harm(journal)
        bob.wait_log("its journal was removed or replaced; rewriting it")
        harness.wait_until(lambda: bob.command("received", "--json").code == 0, "it is read again")
        self.assertEqual(bob.command("status").code, 0)
        bob.kill()
        bob.start()
        rows = harness.rows_of(bob.command("received", "--json"), "received")
        self.assertEqual([os.path.isfile(row["path"]) for row in rows], [True, True])

    @staticmethod
    def put_another(journal):
        with open(journal + ".other", "w") as other:
            other.write("nothing of ours\n")
        os.rename(journal + ".other", journal)

    def test_the_journal_is_rewritten(self):
        for durability, harm in (("full", os.unlink), ("none", self.put_another)):
            with self.subTest(durability=durability, harm=harm.__name__):
                self.check_journal_restored(durability, harm)

    def test_the_spool_is_recreated(self):
        """A file outside of the roots is uploaded to the spool and sent from there."""
        bob, eve = self.node("bob"), self.node("eve", {"outbox/roots": self.folder()})
        path = harness.make_file(os.path.join(self.folder(), "f"), 3000)
        for _ in range(2):
            self.assert_sent(eve.send([path], bob.contact), 1)
            shutil.rmtree(eve.inbox + "/.dustwire/spool")
        self.assert_sent(eve.send([path], bob.contact), 1)
        eve.wait_log("was removed; recreated")


if __name__ == "__main__":
    harness.main()
