"""The path of the inbox, or something below it, comes to mean something else while the daemon runs. A file
that is told as finished stands where its path says, whatever happens; what cannot be taken in is refused
with the reason, `status` says it, and all goes on when it is undone."""
import contextlib
import os
import shutil
import subprocess
import time
import unittest

import node as harness
import raw

CONTENT = harness.pattern(3000)
LARGE = 5 << 20  # whose sync is another thread's


def can_mount():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "--mount", "true"], capture_output=True).returncode == 0


class Changes:
    """Each generator does something to the inbox, and undoes it."""

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

# What happens, as a function of Changes; what the sentence holds (None: files are taken in as before);
# True: only root can do it.
CASES = [
    ("the inbox is moved away", lambda c: c.moved(c.inbox), GONE, False),
    ("another folder in its place", lambda c: c.replaced(c.inbox, make_folder), ANOTHER, False),
    ("a copy of it in its place", lambda c: c.replaced(c.inbox, make_copy), ANOTHER, False),
    ("a file in its place", lambda c: c.replaced(c.inbox, make_file), ANOTHER, False),
    ("a link to nothing", lambda c: c.replaced(c.inbox, link_to_nothing), GONE, False),
    ("a link to another folder", lambda c: c.replaced(c.inbox, link_to_other), ANOTHER, False),
    ("a link to where it is now", lambda c: c.replaced(c.inbox, link_to_old), None, False),
    ("its parent is renamed", lambda c: c.moved(c.parent), GONE, False),
    ("its parent is another", lambda c: c.replaced(c.parent, make_copy), ANOTHER, False),
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
    """All cases on one daemon, one after the other."""
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

    def check_told(self, what):
        """Whatever was told as finished since the last time stands there now."""
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
            self.assertIn("the inbox is not the folder that was opened", answer, what)

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
                self.check_told(what)
                self.assertEqual(self.bob.command("status").code, 0, what)
            else:
                self.assert_refused(what, peer, begun)
                self.assert_status(what, sentence)
        harness.wait_until(lambda: self.bob.command("status").code == 0, lambda: what + " is undone")
        self.assertEqual(self.bob.status()["inbox"]["trouble"], "", what)
        self.assertEqual([self.whole(peer, size) for size in (0, 3000)], ["ok", "ok"], what)
        self.check_told(what)
        self.assertEqual(self.bob.log().count("files are refused until then") - lines,
                         0 if sentence is None else 1, what + ": said once")
        peer.close()

    def test_no_file_is_finished_that_is_not_where_its_path_says(self):
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
    def test_the_cases_that_only_root_can_make_are_among_them(self):
        self.assertGreaterEqual(sum(1 for case in CASES if case[3]), 4)


class MovedUnsynced(Moved):
    durability = "none"


class Gone(harness.SystemTest):
    """What was removed does not come back: a restart takes the new one."""

    def removed_and_made_anew(self, path):
        bob = self.node("bob", {"workers/threads": 1})
        peer = raw.Raw.greet(bob.port)
        self.addCleanup(peer.close)
        shutil.rmtree(path(bob))
        os.mkdir(path(bob), 0o700)
        peer.send(*raw.file_frames(1, CONTENT))
        self.assertIn("is not the folder that was opened", peer.expect(raw.ABORT).text)
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
        self.removed_and_made_anew(lambda bob: bob.inbox)

    def test_its_own_folder(self):
        self.removed_and_made_anew(lambda bob: bob.inbox + "/.dustwire")


class Linked(harness.SystemTest):
    def test_a_link_on_the_way_that_leads_elsewhere_now_changes_nothing(self):
        """What is told is the path without links, and that still leads there."""
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
        told = bob.events.wait("file-received", status="finished")[0]
        self.assertEqual(os.path.dirname(told["path"]), folder + "/one/in")
        self.assertTrue(os.path.isfile(told["path"]))
        self.assertEqual(bob.command("status").code, 0)


class ReadOnly(harness.SystemTest):
    """What a kernel does that found an error on the disk."""

    def trigger(self):
        """Where to tell ext4 that there is one; the folder of an ext4 of our own, mounted for that."""
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
    def test_a_file_system_that_became_read_only_is_told(self):
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
            self.assertIn("the file system is read-only", peer.expect(raw.ABORT).text)
        result = bob.command("status")
        self.assertEqual(result.code, 3, str(result))
        self.assertIn("is not writable: Read-only file system", result.out)
        time.sleep(1.5)  # longer than it takes to be looked at
        self.assertEqual(bob.command("status").code, 3, str(result))
        self.assertEqual(bob.log().count("files are refused until then"), 1)
        bob.kill()  # its journal cannot be ended in order


class Own(harness.SystemTest):
    """Files of the daemon's own that somebody removes."""

    def test_the_lock_is_taken_again(self):
        bob = self.node("bob")
        lock = bob.inbox + "/.dustwire/lock"
        os.unlink(lock)
        bob.wait_log("its lock file was removed; recreated")
        other = self.node("other", {"inbox/path": bob.inbox}, is_started=False)
        other.spawn()
        self.assertNotEqual(other.wait_exit(), 0)
        self.assertIn("another dustwired", other.log())
        self.assertEqual(bob.command("status").code, 0)

    def journal_comes_back(self, durability, harm):
        """What it said is not lost, not even when the daemon is killed then."""
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

    def test_the_journal_is_written_anew(self):
        for durability, harm in (("full", os.unlink), ("none", self.put_another)):
            with self.subTest(durability=durability, harm=harm.__name__):
                self.journal_comes_back(durability, harm)

    def test_the_spool_is_made_again(self):
        """A file outside of the roots is streamed, and sent from there."""
        bob, eve = self.node("bob"), self.node("eve", {"outbox/roots": self.folder()})
        path = harness.make_file(os.path.join(self.folder(), "f"), 3000)
        for _ in range(2):
            self.assert_sent(eve.send([path], bob.contact), 1)
            shutil.rmtree(eve.inbox + "/.dustwire/spool")
        self.assert_sent(eve.send([path], bob.contact), 1)
        eve.wait_log("was removed; recreated")


if __name__ == "__main__":
    harness.main()
