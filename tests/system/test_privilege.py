"""What the daemon gives up, what that keeps it from, and who may ask it for what."""
import os
import socket
import subprocess
import unittest

from node import BUILD, Node, SystemTest, make_file, wait_until

NO_LANDLOCK = "this kernel has no Landlock"
CAP_NET_BIND_SERVICE = 1 << 10
IS_ROOT = os.geteuid() == 0


def thread_states(pid):
    """/proc's status of every thread, as dicts."""
    states = []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task)) as lines:
            states.append(dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line))
    return states


def capabilities(pid):
    return {(kind, int(state[kind], 16)) for state in thread_states(pid)
            for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")}


class Dropped(SystemTest):
    def test_no_thread_keeps_a_capability_or_can_get_one(self):
        node = self.node()
        self.assertEqual({value for _, value in capabilities(node.process.pid)}, {0})
        for state in thread_states(node.process.pid):
            self.assertEqual(state["NoNewPrivs"], "1", state["Name"])
            if IS_ROOT:
                self.assertEqual(int(state["CapBnd"], 16), 0, state["Name"])

    @unittest.skipUnless(IS_ROOT, "only root has what is to be kept")
    def test_a_port_below_1024_keeps_the_one_capability_that_it_needs(self):
        port = next(p for p in range(700, 1000) if self.is_free(p))
        node = self.node(port=port)
        self.assertEqual({value for kind, value in capabilities(node.process.pid) if kind == "CapEff"},
                         {CAP_NET_BIND_SERVICE})
        self.assertEqual(node.command("reconnect").code, 0)
        node.wait_log("LISTENING", count=2)
        self.assertIn("net_bind_service", node.status()["privileges"])

    def is_free(self, port):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True

    def test_the_log_and_status_say_what_is_in_force(self):
        node = self.node()
        said = node.status()["privileges"]
        self.assertIn("no new privileges, capabilities: none, Landlock: ", said)
        self.assertEqual(node.log().count("privileges: " + said), 1)
        self.assertIn("privileges: " + said, node.command("status").out)


class Confined(SystemTest):
    """Landlock, met where a path of the settings is led elsewhere by a link."""

    def confined(self, settings=None):
        folder = self.folder()
        for name in ("home", "out", "else"):
            os.mkdir(os.path.join(folder, name))
        node = self.node("confined", settings={
            "outbox/roots": os.path.join(folder, "out"),
            "node/settings-file": os.path.join(folder, "home", "own.ini"), **(settings or {})})
        if "not in this kernel" in node.status()["privileges"]:
            self.skipTest(NO_LANDLOCK)
        return node, folder

    def lead_away(self, node, folder):
        """What was the folder of the daemon's own settings is a link to another from now on."""
        home = os.path.join(folder, "home")
        os.rename(home, home + "-was")
        os.symlink(os.path.join(folder, "else"), home)
        return node.command("set", "priority", "7")

    def test_nothing_is_written_elsewhere(self):
        node, folder = self.confined()
        self.assertEqual(node.command("set", "priority", "3").code, 0)
        result = self.lead_away(node, folder)
        self.assertNotEqual(result.code, 0)
        self.assertIn("denied", result.err)
        self.assertEqual(os.listdir(os.path.join(folder, "else")), [])

    def test_switched_off_it_would_be(self):
        node, folder = self.confined({"node/confined": False})
        self.assertIn("Landlock: switched off", node.status()["privileges"])
        self.assertEqual(self.lead_away(node, folder).code, 0)
        self.assertEqual(os.listdir(os.path.join(folder, "else")), ["own.ini"])

    def test_nothing_is_read_elsewhere_once_there_are_roots(self):
        node, folder = self.confined()
        moved = os.path.join(folder, "else", "moved.ini")
        os.rename(node.config, moved)
        os.symlink(moved, node.config)
        result = node.command("reload")
        self.assertNotEqual(result.code, 0)
        self.assertIn("may not be read", result.err)

    def test_names_are_still_resolved(self):
        node, folder = self.confined()
        peer = self.node("peer")
        path = make_file(os.path.join(folder, "out", "file"), 1000)
        self.assertEqual(node.send([path], "tcp://localhost:%d" % peer.port).code, 0)


class Roots(SystemTest):
    def setUp(self):
        super().setUp()
        self.top = self.folder()
        self.out = os.path.join(self.top, "out")
        os.mkdir(self.out)
        self.sender = self.node("sender", settings={"outbox/roots": self.out, "outbox/spool-limit-mib": 0,
                                                    "node/confined": False})
        self.peer = self.node("peer")

    def refused(self, path):
        result = self.sender.send([path], self.peer.contact)
        self.assertEqual(result.code, 1, result)
        return result.json()[0]["error"]

    def test_a_file_below_a_root_is_sent_also_by_a_link_that_stays_there(self):
        os.mkdir(os.path.join(self.out, "deep"))
        path = make_file(os.path.join(self.out, "deep", "file"), 5000)
        os.symlink("deep/file", os.path.join(self.out, "link"))
        for name in (path, os.path.join(self.out, "link")):
            self.assertEqual(self.sender.send([name], self.peer.contact).code, 0, name)

    def test_a_file_elsewhere_is_refused(self):
        self.assertIn("[outbox] roots", self.refused(make_file(os.path.join(self.top, "file"), 10)))

    def test_a_name_that_only_begins_like_a_root_is_refused(self):
        self.assertIn("[outbox] roots", self.refused(make_file(self.out + "side", 10)))

    def test_no_link_and_no_dots_lead_out(self):
        make_file(os.path.join(self.top, "secret"), 10)
        os.symlink("../secret", os.path.join(self.out, "relative"))
        os.symlink(os.path.join(self.top, "secret"), os.path.join(self.out, "absolute"))
        os.symlink("..", os.path.join(self.out, "folder"))
        for name in ("relative", "absolute", "folder/secret", "../secret"):
            self.assertIn("[outbox] roots", self.refused(os.path.join(self.out, name)), name)

    def test_a_root_that_is_not_there_is_told_at_start(self):
        node = self.node("bad", settings={"outbox/roots": "/nowhere/at/all"}, is_started=False)
        node.spawn()
        self.assertEqual(node.wait_exit(), 1)
        self.assertIn("[outbox] roots cannot be opened: not found", node.log())


if __name__ == "__main__":
    unittest.main()
