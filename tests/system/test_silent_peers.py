"""Silent peers: vanished ones (packets dropped in a network namespace of the test's own), and paused
ones. A pause is tolerated; a vanished peer is detected within the configured timeout."""
import ctypes
import os
import shutil
import subprocess
import time
import unittest

import raw
from node import SystemTest, main, make_file, seconds, wait_until

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
MIB = 1 << 20


def take_own_network():
    """Enters a network namespace; the reason why it cannot, or None."""
    if not shutil.which("nft") or not shutil.which("ip"):
        return "nft and ip are needed"
    libc, uid, gid = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET if uid == 0 else CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return "no network namespace can be made here"
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", "0 %d 1" % uid), ("gid_map", "0 %d 1" % gid)):
            with open("/proc/self/" + name, "w") as out:
                out.write(text)
    if subprocess.run(["ip", "link", "set", "lo", "up"], stderr=subprocess.DEVNULL).returncode != 0 \
            or nft("add table inet hole").returncode != 0:
        return "the network of the namespace cannot be set up"
    return None


def nft(text):
    return subprocess.run(["nft", "-f", "-"], input=text, text=True, stderr=subprocess.DEVNULL)


class Hole:
    """Drops all packets to and from these ports until `close`."""

    def __init__(self, *ports):
        rules = "".join("add rule inet hole drops tcp %s { %s } drop\n" % (way, ", ".join(map(str, ports)))
                        for way in ("dport", "sport"))
        assert nft("add chain inet hole drops { type filter hook input priority 0; }\n" + rules).returncode == 0
        self._is_open = True

    def close(self):
        if self._is_open:
            nft("delete chain inet hole drops")
        self._is_open = False


def setUpModule():
    reason = take_own_network()
    if reason:
        raise unittest.SkipTest(reason)


class SilentPeers(SystemTest):
    settings = {"sessions/tcp-user-timeout-s": 2, "sessions/tcp-keep-alive-s": 4, "sessions/unread-limit-s": 300}

    def setUp(self):
        self.alice = self.node("alice", self.settings)

    def keep(self, closable):
        self.addCleanup(closable.close)
        return closable

    def hole(self, *ports):
        return self.keep(Hole(*ports))

    def file(self, size):
        return make_file(os.path.join(self.alice.folder, "f%d" % size), size)

    def slow_bob(self):
        """Receives 20 MiB in about ten seconds."""
        return self.node("bob", {**self.settings, "bandwidth/in-kib-per-s": 2048})

    def test_vanished_peers_are_detected(self):
        bob, listener = self.slow_bob(), self.keep(raw.Listener())
        job = self.job(self.alice.send_job([self.file(20 * MIB)], bob.contact))
        accepted = self.keep(raw.Raw.greet(self.alice.port))
        connect = self.job(self.alice.job("connect", listener.contact))
        dialled = self.keep(listener.accept())
        self.assertEqual(connect.result().code, 0)
        self.keep(dialled)
        self.keep(accepted)
        wait_until(lambda: bob.streams(), "the file is on its way")
        bob.follow()
        began = time.monotonic()
        self.hole(bob.port, self.alice.port, listener.port)
        row = self.assert_not_sent(job.result(), "timed out: nothing acknowledged for 2 s")
        self.assertEqual(row["error"], "timed out: nothing acknowledged for 2 s")
        self.assertGreater(time.monotonic() - began, 1.5)
        self.assertLess(time.monotonic() - began, seconds(8))
        wait_until(lambda: not self.alice.sessions(), lambda: "no session is left: %s" % self.alice.sessions(), 15)
        wait_until(lambda: not bob.sessions(), lambda: "none of bob's either: %s" % bob.sessions(), 15)
        received, = bob.events.wait("file-received", status="failed")
        self.assertIn("timed out", received["error"])

    def test_a_gap_shorter_than_the_limit_costs_nothing(self):
        bob = self.slow_bob()
        job = self.job(self.alice.send_job([self.file(8 * MIB)], bob.contact))
        wait_until(lambda: bob.streams(), "the file is on its way")
        hole = self.hole(bob.port)
        time.sleep(0.8)  # the gap under test
        hole.close()
        self.assert_sent(job.result(), 1)

    def test_a_peer_that_pauses_for_longer_keeps_its_files(self):
        """Its window is zero; its kernel answers the probes."""
        bob = self.slow_bob()
        job = self.job(self.alice.send_job([self.file(12 * MIB)] + [self.file(n) for n in range(1, 20)], bob.contact))
        wait_until(lambda: bob.streams(), "the file is on its way")
        with bob.stopped():
            time.sleep(7)  # three times tcp-user-timeout-s, and more than tcp-keep-alive-s
        self.assert_sent(job.result(), 20)

    def test_a_paused_peer_that_then_vanishes_is_detected(self):
        listener = self.keep(raw.Listener(receive_buffer=4096))
        job = self.job(self.alice.send_job([self.file(20 * MIB)], listener.contact))
        session = self.keep(listener.accept())
        wait_until(lambda: self.alice.streams(), "the file is on its way")
        time.sleep(1)  # reads nothing: zero window
        self.hole(listener.port)
        self.assert_not_sent(job.result(), "timed out")
        self.assertFalse(session.is_ended)

    def test_a_peer_that_does_not_read_is_closed_after_the_configured_limit(self):
        self.alice.change({"sessions/unread-limit-s": 4})
        self.assertEqual(self.alice.command("reload").code, 0)
        listener = self.keep(raw.Listener(receive_buffer=4096))
        began = time.monotonic()
        job = self.job(self.alice.send_job([self.file(20 * MIB)], listener.contact))
        self.keep(listener.accept())
        self.assert_not_sent(job.result(), "the peer does not read")
        self.assertGreater(time.monotonic() - began, 3.5)

    def test_an_idle_session_costs_no_wake_up(self):
        peers = [self.keep(raw.Raw.greet(self.alice.port)) for _ in range(20)]
        workers = [task for task in self.tasks() if self.task(task, "comm").startswith("worker")]
        time.sleep(2)  # until the checks after the handshakes are done
        before = [self.switches(task) for task in workers]
        time.sleep(3)
        self.assertEqual([self.switches(task) for task in workers], before)
        self.assertEqual(len(self.alice.sessions()), len(peers), "each answered the kernel's probes")

    def tasks(self):
        return os.listdir("/proc/%d/task" % self.alice.process.pid)

    def task(self, task, name):
        with open("/proc/%d/task/%s/%s" % (self.alice.process.pid, task, name)) as stream:
            return stream.read()

    def switches(self, task):
        return [line for line in self.task(task, "status").splitlines() if line.startswith("voluntary")]


if __name__ == "__main__":
    main()
