"""What can be set while the daemon runs: at once, for the next start, and not at all if it fails."""
import os
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import node as harness  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(harness.HERE), "faults"))
import layer  # noqa: E402
import raw  # noqa: E402
from field import FaultNode  # noqa: E402


class Set(harness.SystemTest):
    def setUp(self):
        self.alice, self.bob = self.node("alice"), self.node("bob")

    def own(self, node):
        return os.path.join(node.inbox, ".dustwire", "settings.ini")

    def set(self, name, value, node=None):
        result = (node or self.bob).command("set", name, value)
        self.assertEqual(result.code, 0, str(result))
        return result.out

    def get(self, name, node=None):
        return (node or self.bob).command("get", name).out.strip()

    def wait_serving(self, node=None):
        harness.wait_until((node or self.bob).is_serving, lambda: (node or self.bob).log())

    def send(self, port=None, sender=None):
        path = harness.make_file(os.path.join(self.folder(), "f"), 1000)
        return (sender or self.alice).send([path], "127.0.0.1:%d" % (port or self.bob.port))

    def can_connect(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def dump(self, node, *options):
        return subprocess.run([os.path.join(harness.BUILD, "dustwired"), "--config", node.config,
                               *options, "--dump-config"], capture_output=True, text=True).stdout

    def test_the_port_moves_at_once_and_stays_after_a_restart(self):
        port = harness.free_port()
        self.assertIn("tcp-port = %d" % port, self.set("tcp-port", port))
        harness.wait_until(lambda: self.can_connect(port), lambda: self.bob.log())
        self.assertFalse(self.can_connect(self.bob.port))
        self.wait_serving()
        self.assert_sent(self.send(port), 1)
        self.assertEqual(self.bob.stop(), 0)
        self.bob.spawn()
        harness.wait_until(lambda: self.can_connect(port), lambda: self.bob.log())
        self.assertEqual(self.get("tcp-port"), str(port))

    def test_with_receiving_off_sessions_are_opened_and_none_taken_in(self):
        self.set("receiving-enabled", "false")
        harness.wait_until(lambda: not self.can_connect(self.bob.port), lambda: self.bob.log())
        self.wait_serving()
        self.assert_not_sent(self.send())
        self.assert_sent(self.send(self.alice.port, self.bob), 1)
        self.set("receiving-enabled", "true")
        harness.wait_until(lambda: self.can_connect(self.bob.port), lambda: self.bob.log())
        self.assert_sent(self.send(), 1)

    def test_with_sending_off_a_send_fails_at_once_and_says_so(self):
        self.set("sending-enabled", "off")
        self.assert_not_sent(self.send(self.alice.port, self.bob), "sending")
        self.assert_sent(self.send(), 1)
        self.set("sending-enabled", "on")
        self.assert_sent(self.send(self.alice.port, self.bob), 1)

    def test_switched_off_nothing_is_served_and_status_says_so(self):
        self.set("enabled", "false")
        harness.wait_until(lambda: self.bob.command("status").code == 3, lambda: self.bob.log())
        rows = {row["name"]: row for row in self.bob.command("services", "--json").json()}
        self.assertEqual(rows["tcp_transport"]["state"], "OFF")
        self.set("enabled", "true")
        self.wait_serving()
        self.assert_sent(self.send(), 1)

    def test_each_value_says_where_it_comes_from(self):
        self.set("priority", 5)
        rows = {row["name"]: row for row in self.bob.command("get", "--json").json()}
        self.assertEqual(len(rows), 5)
        self.assertIn(self.own(self.bob), rows["priority"]["from"])
        self.assertIn(self.bob.config, rows["tcp-port"]["from"])
        self.assertEqual(rows["enabled"]["from"], "the default")
        text = self.dump(self.bob)
        self.assertIn("# from %s (dustwire set)\npriority = 5\n" % self.own(self.bob), text)
        self.assertRegex(text, "# from %s, line [0-9]+\ntcp-port = %d\n" % (
            self.bob.config, self.bob.port))
        self.assertIn("# from the default\nenabled = true\n", text)
        other = self.dump(self.bob, "--settings-file", os.path.join(self.bob.folder, "none"))
        self.assertIn("# from the command line\nsettings-file = ", other)
        self.assertIn("# from the default\npriority = 1\n", other)

    def test_a_reload_keeps_what_was_set(self):
        self.set("priority", 5)
        self.bob.change({"services/tcp-transport/priority": 9,
                         "services/tcp-transport/sending-enabled": False})
        self.assertEqual(self.bob.command("reload").code, 0)
        self.assertEqual(self.get("priority"), "5")
        self.assertEqual(self.get("sending-enabled"), "false")

    def test_a_bad_value_is_a_clear_fault_and_changes_nothing(self):
        for name, value, word in (("tcp-port", "0", "1 to 65535"), ("enabled", "maybe", "true or"),
                                  ("priority", "1.5", "whole number"), ("limit", "5", "tcp-port"),
                                  ("tcp-port", "77\n71", "whole number")):
            result = self.bob.command("set", name, value)
            self.assertEqual(result.code, 1, str(result))
            self.assertIn(word, result.err)
        self.assertFalse(os.path.exists(self.own(self.bob)))
        self.assertEqual(self.get("tcp-port"), str(self.bob.port))
        self.assert_sent(self.send(), 1)

    def test_a_write_that_fails_changes_nothing_and_says_so(self):
        self.set("priority", 5)
        os.mkdir(self.own(self.bob) + ".new")  # in its way, for root too
        result = self.bob.command("set", "priority", "6")
        self.assertEqual(result.code, 1, str(result))
        self.assertIn("nothing was changed", result.err)
        self.assertEqual(self.get("priority"), "5")
        os.rmdir(self.own(self.bob) + ".new")
        self.set("priority", 6)
        self.assertEqual(self.get("priority"), "6")

    def test_a_kill_in_the_middle_leaves_the_old_value_or_the_new_one(self):
        old = 1
        for new in range(2, 12):
            job = self.bob.job("set", "priority", new)
            if new % 2:
                harness.wait_until(lambda: os.path.exists(self.own(self.bob) + ".new")
                                   or not job.is_running(), "the write has begun", every=0)
            self.bob.kill()
            result, text = job.result(), self.dump(self.bob)
            found = [value for value in (old, new) if "priority = %d\n" % value in text]
            self.assertEqual(len(found), 1, text)
            if result.code == 0:
                self.assertEqual(found, [new])
            self.bob.start()
            self.assertEqual(self.get("priority"), str(found[0]))
            old = found[0]


@unittest.skipUnless(os.path.exists(layer.LIBRARY), "the fault layer is not built here")
class SlowDisk(harness.SystemTest):
    """The disk of the daemon's own settings file does not answer, or late; that of the inbox does."""

    def setUp(self):
        self.own = os.path.join(self.folder(), "own.ini")
        self.bob = FaultNode("bob", {"node/settings-file": self.own}).with_layer()
        self.addCleanup(self.bob.close)
        self.bob.start()

    def hang(self, block_s):
        self.bob.layer.arm("fsync", mode=layer.BLOCK, block_ms=int(block_s * 1000), under=os.path.dirname(self.own))
        setting = self.job(self.bob.job("set", "priority", "3"))
        harness.wait_until(lambda: self.bob.layer.hits > 0, "the set syncs its file")
        return setting

    def get(self):
        return self.bob.command("get", "priority").out.strip()

    def text(self):
        with open(self.own) as stream:
            return stream.read()

    def test_files_go_out_and_come_in_while_a_set_hangs(self):
        alice = self.node("alice")
        setting = self.hang(3600)
        later = self.job(self.bob.job("set", "priority", "4"))
        path = harness.make_file(os.path.join(self.folder(), "f"), 100000)
        self.assert_sent(self.bob.send([path], "127.0.0.1:%d" % alice.port), 1)
        self.assert_sent(alice.send([path], "127.0.0.1:%d" % self.bob.port), 1)
        self.assertEqual(self.bob.command("status").code, 0)
        self.assertEqual(self.get(), "1")
        self.assertTrue(setting.is_running() and later.is_running(), "answered before it is on the disk")
        self.assertFalse(os.path.exists(self.own))
        self.bob.kill()

    def test_a_set_and_a_reload_behind_a_slow_one_are_both_taken_in(self):
        jobs = [self.hang(1.5)]
        self.bob.change({"services/tcp-transport/priority": 9, "sessions/keep-alive-s": 77})
        jobs += [self.job(self.bob.job(*words)) for words in (("reload",), ("set", "sending-enabled", "false"))]
        for job in jobs:
            result = job.result()
            self.assertEqual(result.code, 0, str(result))
        self.assertEqual(self.get(), "3", "a reload keeps what was set before it")
        self.assertIn("priority = 3", self.text())
        self.assertIn("sending-enabled = false", self.text())

    def test_a_stop_lets_the_set_under_way_reach_the_disk(self):
        setting = self.hang(1.5)
        self.bob.signal(signal.SIGTERM)
        self.assertEqual(self.bob.wait_exit(), 0)
        setting.result()
        self.assertIn("priority = 3", self.text())


if __name__ == "__main__":
    harness.main()
