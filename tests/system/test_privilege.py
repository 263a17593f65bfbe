"""Dropped privileges and their effect, and access control."""
import grp
import os
import socket
import subprocess
import unittest

from node import (Node, SystemTest, free_port, main, make_file, needs_localhost, not_under, open_programs, sha256,
                  wait_until)

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


class UserNode(Node):
    """A daemon that runs as the user `user`."""
    user, groups = 0, ()

    @property
    def programs(self):
        return open_programs()

    def spawn(self):
        return super().spawn(user=self.user, group=self.user, extra_groups=self.groups, cwd="/")


class Dropped(SystemTest):
    def test_no_thread_keeps_a_capability_or_can_get_one(self):
        node = self.node()
        self.assertEqual({value for _, value in capabilities(node.process.pid)}, {0})
        for state in thread_states(node.process.pid):
            self.assertEqual(state["NoNewPrivs"], "1", state["Name"])
            if IS_ROOT:
                self.assertEqual(int(state["CapBnd"], 16), 0, state["Name"])

    @unittest.skipUnless(IS_ROOT, "only root has the capability to keep")
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

    def test_the_log_and_status_report_the_privileges(self):
        node = self.node()
        privileges = node.status()["privileges"]
        self.assertIn("no new privileges, capabilities: none, Landlock: ", privileges)
        self.assertEqual(node.log().count("privileges: " + privileges), 1)
        self.assertIn("privileges: " + privileges, node.command("status").out)


class Confined(SystemTest):
    """Landlock, tested by redirecting a path of the settings with a link."""

    def confined(self, settings=None):
        folder = self.folder()
        for name in ("home", "out", "else"):
            os.mkdir(os.path.join(folder, name))
        node = self.node("confined", settings={
            "node/confined": True,
            "outbox/roots": os.path.join(folder, "out"),
            "node/settings-file": os.path.join(folder, "home", "own.ini"), **(settings or {})})
        if "not in this kernel" in node.status()["privileges"]:
            self.skipTest(NO_LANDLOCK)
        return node, folder

    def redirect_settings(self, node, folder):
        """Replaces the folder of the daemon's own settings by a link to another folder."""
        home = os.path.join(folder, "home")
        os.rename(home, home + "-was")
        os.symlink(os.path.join(folder, "else"), home)
        return node.command("set", "priority", "7")

    def test_nothing_is_written_elsewhere(self):
        node, folder = self.confined()
        self.assertEqual(node.command("set", "priority", "3").code, 0)
        result = self.redirect_settings(node, folder)
        self.assertNotEqual(result.code, 0)
        self.assertIn("denied", result.err)
        self.assertEqual(os.listdir(os.path.join(folder, "else")), [])

    def test_without_confinement_it_is_written(self):
        node, folder = self.confined({"node/confined": False})
        self.assertIn("Landlock: switched off", node.status()["privileges"])
        self.assertEqual(self.redirect_settings(node, folder).code, 0)
        self.assertEqual(os.listdir(os.path.join(folder, "else")), ["own.ini"])

    def test_nothing_is_read_elsewhere_if_roots_are_set(self):
        node, folder = self.confined()
        moved = os.path.join(folder, "else", "moved.ini")
        os.rename(node.config, moved)
        os.symlink(moved, node.config)
        result = node.command("reload")
        self.assertNotEqual(result.code, 0)
        self.assertIn("permission denied", result.err)

    @needs_localhost
    def test_names_are_still_resolved(self):
        node, folder = self.confined()
        peer = self.node("peer")
        path = make_file(os.path.join(folder, "out", "file"), 1000)
        self.assertEqual(node.send([path], "tcp://localhost:%d" % peer.port).code, 0)


class Users(SystemTest):
    """Several users and one daemon, which runs as a separate user without privileges."""
    DAEMON, ANNA, BERT, GROUP = 61001, 61002, 61003, grp.getgrnam("users").gr_gid

    def setUp(self):
        super().setUp()
        self.top = self.folder()
        os.chmod(self.top, 0o755)
        # Under a tool the daemon may be a wrapper in a folder that other users cannot enter.
        tried = subprocess.run([os.path.join(open_programs(), "dustwired"), "--version"], capture_output=True,
                               text=True, user=self.DAEMON, group=self.DAEMON, extra_groups=[], cwd="/")
        if tried.returncode != 0:
            self.skipTest("another user cannot run the daemon: " + tried.stderr.strip())

    def shared(self, name="shared", settings=None, groups=(GROUP,)):
        """A node run by the daemon's user, who is in GROUP."""
        folder = os.path.join(self.top, name)
        os.mkdir(folder, 0o755)
        os.chown(folder, self.DAEMON, self.DAEMON)
        node = UserNode(name, settings, folder=folder)
        node.user, node.groups = self.DAEMON, groups
        self.addCleanup(self._close, node)
        return node.start()

    def run_as(self, user, node, *arguments, groups=()):
        return subprocess.run(node.cli(*arguments), capture_output=True, text=True, user=user, group=user,
                              extra_groups=groups, stdin=subprocess.DEVNULL, cwd="/")

    def file_of(self, user, name, mode, size=50000, folder=None):
        path = make_file(os.path.join(folder or self.top, name), size, seed=size)
        os.chown(path, user, user)
        os.chmod(path, mode)
        return path

    OPEN = {"control/group": "users", "control/mode": "0660"}


@unittest.skipUnless(IS_ROOT, "only root can run commands as other users")
class SharedDaemon(Users):
    def test_runs_without_root_privileges(self):
        node = self.shared()
        self.assertEqual({value for _, value in capabilities(node.process.pid)}, {0})
        self.assertIn("user %d, no new privileges, capabilities: none" % self.DAEMON, node.log())

    def test_by_default_only_the_daemons_user_can_open_the_socket(self):
        node = self.shared()
        self.assertEqual(os.stat(node.socket).st_mode & 0o777, 0o600)
        self.assertEqual(self.run_as(self.ANNA, node, "status", groups=[self.GROUP]).returncode, 3)

    def test_the_socket_is_for_the_group_that_the_settings_name(self):
        node = self.shared(settings=self.OPEN)
        status = os.stat(node.socket)
        self.assertEqual((status.st_mode & 0o777, status.st_gid), (0o660, self.GROUP))
        self.assertEqual(self.run_as(self.ANNA, node, "status", groups=[self.GROUP]).returncode, 0)
        self.assertEqual(self.run_as(self.BERT, node, "status").returncode, 3)

    def test_a_group_that_the_daemon_is_not_in_is_an_error_at_start(self):
        folder = os.path.join(self.top, "outsider")
        os.mkdir(folder)
        os.chown(folder, self.DAEMON, self.DAEMON)
        node = UserNode("outsider", self.OPEN, folder=folder)
        node.user, node.groups = self.DAEMON, ()
        self.addCleanup(self._close, node)
        node.spawn()
        self.assertEqual(node.wait_exit(), 1)
        self.assertIn("control socket", node.log())

    def test_root_joins_the_group_before_it_drops_privileges(self):
        node = self.node("root", settings=self.OPEN)
        self.assertEqual(os.stat(node.socket).st_gid, self.GROUP)
        self.assertEqual({value for _, value in capabilities(node.process.pid)}, {0})

    def test_received_files_are_for_the_group_that_the_settings_name(self):
        node = self.shared(settings={"inbox/group": "users", "inbox/mode": "0640"})
        peer = self.node("peer")
        path = make_file(os.path.join(self.top, "file"), 70000)
        self.assertEqual(peer.send([path], node.contact).code, 0)
        received = node.received()
        self.assertEqual(len(received), 1)
        found = os.path.join(node.inbox, list(received)[0])
        status = os.stat(found)
        self.assertEqual((status.st_mode & 0o777, status.st_gid), (0o640, self.GROUP))
        self.assertEqual(subprocess.run(["cmp", path, found], user=self.ANNA, group=self.ANNA,
                                        extra_groups=[self.GROUP]).returncode, 0)
        self.assertNotEqual(subprocess.run(["cmp", path, found], user=self.BERT, group=self.BERT, extra_groups=[],
                                           stderr=subprocess.DEVNULL).returncode, 0)
        self.assertNotEqual(subprocess.run(["rm", "-f", found], user=self.ANNA, group=self.ANNA,
                                           extra_groups=[self.GROUP], stderr=subprocess.DEVNULL).returncode, 0)


@unittest.skipUnless(IS_ROOT, "only root can run commands as other users")
class Streamed(Users):
    """Files that the daemon's user cannot read."""

    def setUp(self):
        super().setUp()
        self.peer = self.node("peer")

    def sender(self, settings=None):
        return self.shared("sender", {**self.OPEN, **(settings or {})}).follow()

    def send_as(self, user, node, *files):
        return self.run_as(user, node, "send", "--json", *files, self.peer.contact, groups=[self.GROUP])

    def spooled(self, node):
        return [os.path.join(folder, name) for folder, _, names in
                os.walk(os.path.join(node.inbox, ".dustwire", "spool")) for name in names]

    def test_a_private_file_arrives_and_leaves_no_spool_file(self):
        node = self.sender()
        path = self.file_of(self.ANNA, "letter of anna's", 0o600, 3000001)
        result = self.send_as(self.ANNA, node, path)
        self.assertEqual(result.returncode, 0, result.stderr)
        found = [os.path.join(self.peer.inbox, name) for name in self.peer.received()]
        self.assertEqual([sha256(f) for f in found], [sha256(path)])
        wait_until(lambda: self.spooled(node) == [], lambda: self.spooled(node))
        sent = node.events.wait("file-sent")[0]
        self.assertTrue(sent["path"].endswith("/letter of anna's"), sent)

    def test_an_empty_private_file_arrives(self):
        path = self.file_of(self.ANNA, "empty", 0o600, 0)
        self.assertEqual(self.send_as(self.ANNA, self.sender(), path).returncode, 0)
        self.assertEqual(len(self.peer.received()), 1)

    def test_a_hundred_files_pass_a_spool_with_room_for_five(self):
        node = self.sender({"outbox/spool-limit-mib": 1})
        paths = [self.file_of(self.ANNA, "f%d" % n, 0o600, 200000 + n) for n in range(100)]
        result = self.send_as(self.ANNA, node, *paths)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(sorted(sha256(os.path.join(self.peer.inbox, n)) for n in self.peer.received()),
                         sorted(sha256(p) for p in paths))
        wait_until(lambda: self.spooled(node) == [], lambda: self.spooled(node))

    def test_a_file_larger_than_the_spool_is_refused_with_both_reasons(self):
        node = self.sender({"outbox/spool-limit-mib": 1})
        result = self.send_as(self.ANNA, node, self.file_of(self.ANNA, "large", 0o600, 1100000))
        self.assertEqual(result.returncode, 1)
        self.assertIn("no read permission for the daemon or for you", result.stdout)
        self.assertIn("larger than [outbox] spool-limit-mib", result.stdout)

    def test_a_failed_send_leaves_no_spool_file(self):
        node = self.sender()
        path = self.file_of(self.ANNA, "file", 0o600)
        result = self.run_as(self.ANNA, node, "send", path, "tcp://127.0.0.1:%d" % free_port(), groups=[self.GROUP])
        self.assertEqual(result.returncode, 1)
        wait_until(lambda: self.spooled(node) == [], lambda: self.spooled(node))

    def test_spool_files_of_a_crash_are_removed_at_the_next_start(self):
        node = self.sender({"node/confined": True})
        silent_listener = socket.socket()
        self.addCleanup(silent_listener.close)
        silent_listener.bind(("127.0.0.1", 0))
        silent_listener.listen()
        path = self.file_of(self.ANNA, "file", 0o600)
        send = subprocess.Popen(node.cli("send", path, "tcp://127.0.0.1:%d" % silent_listener.getsockname()[1]),
                                user=self.ANNA, group=self.ANNA, extra_groups=[self.GROUP], cwd="/",
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: [os.path.getsize(f) for f in self.spooled(node)] == [50000], "the file is in the spool")
        node.kill()
        send.wait()
        self.assertEqual(len(self.spooled(node)), 1)
        node.start()
        self.assertEqual(self.spooled(node), [])

    def test_a_user_cannot_send_another_users_private_file(self):
        node = self.sender()
        secrets = [self.file_of(self.DAEMON, "of the daemon", 0o600),
                   self.file_of(self.DAEMON, "in its inbox", 0o644, folder=node.inbox)]
        os.chmod(node.inbox, 0o700)
        for secret in secrets:
            link = os.path.join(self.top, os.path.basename(secret) + " by a link")
            os.symlink(secret, link)
            for path in (secret, link):
                result = self.call_send_file(self.BERT, node, path)
                self.assertIn("no read permission", result)
        self.assertEqual(len(self.peer.received()), 0)

    def call_send_file(self, user, node, path):
        """Calls send_file with the path only; `dustwire send` would stream the file instead."""
        script = os.path.join(node.programs, "ask_to_send.py")
        return subprocess.run(["/usr/bin/python3", "-B", script, node.socket, path, self.peer.contact],
                              capture_output=True, text=True, user=user, group=user,
                              extra_groups=[self.GROUP], cwd="/").stdout

    def test_a_world_readable_file_needs_no_streaming(self):
        node = self.sender({"outbox/spool-limit-mib": 0})
        for user, mode in ((self.BERT, 0o644), (self.ANNA, 0o444)):
            path = self.file_of(user, "open %o" % mode, mode)
            self.assertIn("id ", self.call_send_file(self.ANNA, node, path))
            self.assertEqual(self.send_as(self.ANNA, node, path).returncode, 0)

    def test_the_daemons_user_can_send_every_file_that_it_can_read(self):
        node = self.sender({"outbox/spool-limit-mib": 0})
        path = self.file_of(self.DAEMON, "mine", 0o600)
        self.assertEqual(self.run_as(self.DAEMON, node, "send", path, self.peer.contact).returncode, 0)


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

    @not_under("valgrind", "3.19 does not know openat2, and without it nothing below a root can be opened")
    def test_a_file_below_a_root_is_sent_also_by_a_link_inside_the_root(self):
        os.mkdir(os.path.join(self.out, "deep"))
        path = make_file(os.path.join(self.out, "deep", "file"), 5000)
        os.symlink("deep/file", os.path.join(self.out, "link"))
        for name in (path, os.path.join(self.out, "link")):
            self.assertEqual(self.sender.send([name], self.peer.contact).code, 0, name)

    def test_a_file_elsewhere_is_refused(self):
        self.assertIn("[outbox] roots", self.refused(make_file(os.path.join(self.top, "file"), 10)))

    def test_a_path_that_only_has_a_root_as_prefix_is_refused(self):
        self.assertIn("[outbox] roots", self.refused(make_file(self.out + "side", 10)))

    def test_links_and_dots_that_lead_outside_are_refused(self):
        make_file(os.path.join(self.top, "secret"), 10)
        os.symlink("../secret", os.path.join(self.out, "relative"))
        os.symlink(os.path.join(self.top, "secret"), os.path.join(self.out, "absolute"))
        os.symlink("..", os.path.join(self.out, "folder"))
        for name in ("relative", "absolute", "folder/secret", "../secret"):
            self.assertIn("[outbox] roots", self.refused(os.path.join(self.out, name)), name)

    def test_a_missing_root_is_an_error_at_start(self):
        node = self.node("bad", settings={"outbox/roots": "/nowhere/at/all"}, is_started=False)
        node.spawn()
        self.assertEqual(node.wait_exit(), 1)
        self.assertIn("cannot open [outbox] roots: not found", node.log())


if __name__ == "__main__":
    main()
