"""Settings files from outside: links and files that are swapped while the daemon runs, what --check-config
says of the machine, what a set hides and how it is taken back, changes whose effect fails."""
import os
import shutil
import socket
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import node as harness  # noqa: E402

DAEMON = os.path.join(harness.BUILD, "dustwired")


def check(*options):
    result = subprocess.run([DAEMON, *options, "--check-config"], capture_output=True, text=True)
    return harness.Result(result.returncode, result.stdout, result.stderr)


class Swapped(harness.SystemTest):
    """With [outbox] roots set the daemon may read only what its rules name."""

    def setUp(self):
        self.place = self.folder()
        self.roots = os.path.join(self.place, "roots")
        os.mkdir(self.roots)

    def text(self, node, limit):
        """The node's file, with this many sessions."""
        node.settings.update({"sessions/limit": limit, "outbox/roots": self.roots})
        node.write_settings()
        with open(node.config) as stream:
            return stream.read()

    def write(self, path, text):
        with open(path, "w") as out:
            out.write(text)

    def limit_after_reload(self, node):
        result = node.command("reload")
        self.assertEqual(result.code, 0, str(result))
        return node.status()["limits"]["sessions/limit"]

    def start_on(self, config):
        node = harness.Node("node")
        self.addCleanup(self._close, node)
        return node

    def run_on(self, node, config):
        node.config = config
        node.start()

    def test_a_file_is_read_again_however_it_is_replaced(self):
        rows = {
            "renamed over": self.rename_over, "written in place": self.write_in_place,
            "removed and made": self.remove_and_make, "a link to another file": self.link_elsewhere,
            "a link of links": self.link_of_links, "a folder's link, as in Kubernetes": self.kubernetes,
            "the target is replaced": self.replace_target, "a link takes the file's place": self.become_a_link,
            "a file takes the link's place": self.become_a_file, "a hard link": self.hard_link,
        }
        for name, act in rows.items():
            with self.subTest(name):
                node, folder = self.start_on(None), self.folder()
                act(node, os.path.join(folder, "c.ini"), folder)
                self.assertEqual(node.stop(), 0)

    def check_swap(self, node, config, first, swap):
        """`first` puts text 111 where `config` is, `swap` 222 in its place."""
        one, two = self.text(node, 111), self.text(node, 222)
        first(one)
        self.run_on(node, config)
        self.assertEqual(node.status()["limits"]["sessions/limit"], "111")
        swap(two)
        self.assertEqual(self.limit_after_reload(node), "222")

    def rename_over(self, node, config, folder):
        def swap(text):
            self.write(config + ".new", text)
            os.rename(config + ".new", config)
        self.check_swap(node, config, lambda text: self.write(config, text), swap)

    def write_in_place(self, node, config, folder):
        self.check_swap(node, config, lambda text: self.write(config, text), lambda text: self.write(config, text))

    def remove_and_make(self, node, config, folder):
        def swap(text):
            os.unlink(config)
            self.write(config, text)
        self.check_swap(node, config, lambda text: self.write(config, text), swap)

    def link_elsewhere(self, node, config, folder):
        other = self.folder()

        def first(text):
            self.write(os.path.join(other, "real.ini"), text)
            os.symlink(os.path.join(other, "real.ini"), config)

        def swap(text):
            self.write(os.path.join(other, "next.ini"), text)
            os.unlink(config)
            os.symlink(os.path.join(other, "next.ini"), config)
        self.check_swap(node, config, first, swap)

    def link_of_links(self, node, config, folder):
        others = [self.folder(), self.folder(), self.folder()]
        paths = [os.path.join(other, "x.ini") for other in others]

        def first(text):
            self.write(paths[2], text)
            os.symlink(paths[2], paths[1])
            os.symlink(paths[1], paths[0])
            os.symlink(paths[0], config)

        def swap(text):
            os.unlink(paths[1])
            self.write(paths[1], text)
        self.check_swap(node, config, first, swap)

    def kubernetes(self, node, config, folder):
        def put(text, name):
            os.mkdir(os.path.join(folder, name))
            self.write(os.path.join(folder, name, "c.ini"), text)
            os.symlink(name, os.path.join(folder, "..data_tmp"))
            os.rename(os.path.join(folder, "..data_tmp"), os.path.join(folder, "..data"))

        def first(text):
            put(text, "..2026_one")
            os.symlink("..data/c.ini", config)

        def swap(text):
            put(text, "..2026_two")
            shutil.rmtree(os.path.join(folder, "..2026_one"))
        self.check_swap(node, config, first, swap)

    def replace_target(self, node, config, folder):
        real = os.path.join(self.folder(), "real.ini")

        def first(text):
            self.write(real, text)
            os.symlink(real, config)

        def swap(text):
            self.write(real + ".new", text)
            os.rename(real + ".new", real)
        self.check_swap(node, config, first, swap)

    def become_a_link(self, node, config, folder):
        def swap(text):
            self.write(os.path.join(folder, "other.ini"), text)
            os.unlink(config)
            os.symlink("other.ini", config)
        self.check_swap(node, config, lambda text: self.write(config, text), swap)

    def become_a_file(self, node, config, folder):
        real = os.path.join(self.folder(), "real.ini")

        def first(text):
            self.write(real, text)
            os.symlink(real, config)

        def swap(text):
            os.unlink(config)
            self.write(config, text)
        self.check_swap(node, config, first, swap)

    def hard_link(self, node, config, folder):
        def swap(text):
            self.write(config + ".new", text)
            os.unlink(config)
            os.link(config + ".new", config)
        self.check_swap(node, config, lambda text: self.write(config, text), swap)

    def test_an_unreadable_file_changes_nothing_and_is_reported(self):
        node, folder = self.start_on(None), self.folder()
        config, elsewhere = os.path.join(folder, "c.ini"), self.folder()
        self.write(config, self.text(node, 111))
        self.run_on(node, config)
        rows = (
            ("removed", lambda: None, "no such file"),
            ("a folder", lambda: os.mkdir(config), "not a regular file"),
            ("a FIFO", lambda: os.mkfifo(config), "not a regular file"),
            ("a circle", lambda: os.symlink("c.ini", config), "symbolic link loop"),
            ("a link to nothing", lambda: os.symlink("none.ini", config), "no such file"),
            ("nonsense", lambda: self.write(config, "what?\n"), "syntax error"),
            ("too large", lambda: self.write(config, "#" * 300000), "larger than"),
            ("of a later version", lambda: self.write(config, "# dustwired settings, version 2\n"),
             "install the release that wrote the file"),
            ("a link to where it has no access", lambda: os.symlink(os.path.join(elsewhere, "c.ini"), config),
             "Landlock"),
        )
        self.write(os.path.join(elsewhere, "c.ini"), self.text(node, 222))
        for name, act, said in rows:
            with self.subTest(name):
                if os.path.isdir(config):
                    os.rmdir(config)
                elif os.path.lexists(config):
                    os.unlink(config)
                act()
                result = node.command("reload")
                if name.startswith("a link to where") and "Landlock: writes" not in node.status()["privileges"]:
                    self.skipTest("no Landlock here")
                self.assertEqual(result.code, 1, str(result))
                self.assertIn(said, result.err)
                self.assertEqual(node.status()["limits"]["sessions/limit"], "111")

    def test_an_own_file_that_is_a_link_stays_one(self):
        node, elsewhere = self.start_on(None), self.folder()
        own = os.path.join(self.folder(), "own.ini")
        real = os.path.join(elsewhere, "real.ini")
        os.symlink(real, own)
        node.settings.update({"node/settings-file": own, "outbox/roots": self.roots})
        node.write_settings()
        node.start()
        for value in ("5", "6"):
            result = node.command("set", "priority", value)
            self.assertEqual(result.code, 0, str(result))
            self.assertTrue(stat.S_ISLNK(os.lstat(own).st_mode))
            with open(real) as stream:
                self.assertIn("priority = %s\n" % value, stream.read())
        self.assertEqual(node.stop(), 0)
        node.start()
        self.assertEqual(node.command("get", "priority").out, "6\n")


class Checked(harness.SystemTest):
    """--check-config: exit status 0 is a file that a daemon could start with here."""

    def setUp(self):
        self.place = self.folder()
        self.file = os.path.join(self.place, "file")
        open(self.file, "w").close()
        os.mkdir(os.path.join(self.place, "folder"))

    def path(self, *parts):
        return os.path.join(self.place, *parts)

    def check(self, settings):
        node = harness.Node("node", settings)
        self.addCleanup(node.close)
        return check("--config", node.config)

    def test_nothing_to_check_is_no_good_file(self):
        result = check()
        self.assertEqual(result.code, 2, str(result))
        self.assertIn("--config FILE", result.err)
        self.assertEqual(result.out, "")

    def test_what_the_machine_lacks_is_named(self):
        rows = (
            ({"control/socket": "/nonexistent/dir/control.sock"}, "no such directory /nonexistent"),
            ({"control/socket": self.path("file", "control.sock")}, "/file"),
            ({"control/socket": self.path("file", "sub", "control.sock")}, "/file"),
            ({"control/socket": self.path("a", "b", "c.sock")}, "no such directory %s" % self.path("a")),
            ({"control/socket": self.path("folder")}, "is not a socket"),
            ({"control/socket": self.path("file")}, "is not a socket"),
            ({"control/socket": "/" + "x" * 200}, "107"),
            ({"control/group": "no-such-group"}, "groupadd no-such-group"),
            ({"inbox/group": "no-such-group"}, "groupadd no-such-group"),
            ({"inbox/path": self.path("file")}, "is not a directory"),
            ({"inbox/path": self.path("file", "in")}, "/file"),
            ({"inbox/path": "/proc/in"}, "[inbox] path = /proc/in: cannot create files in /proc"),
            ({"inbox/path": "/proc"}, "cannot create files"),
            ({"inbox/path": "/proc/self/in"}, "cannot create files"),
            ({"inbox/path": "/sys/in/a/b"}, "cannot create files in /sys"),
            ({"inbox/path": "/sys/kernel/in"}, "cannot create files"),
            ({"inbox/path": "/dev/fd/in"}, "cannot create files"),
            ({"control/socket": "/proc/c.sock"}, "cannot create files in /proc"),
            ({"control/socket": "/proc/new/c.sock"}, "cannot create files in /proc"),
            ({"control/socket": "/sys/c.sock"}, "cannot create files in /sys"),
            ({"log/file": "/proc/log"}, "cannot create files in /proc"),
            ({"log/file": "/sys/log"}, "cannot create files in /sys"),
            ({"node/settings-file": "/proc/own.ini"}, "cannot create files in /proc"),
            ({"outbox/roots": self.path("none")}, "[outbox] roots"),
            ({"outbox/roots": self.path("folder") + "," + self.path("file")}, "is not a directory"),
            ({"log/file": self.path("none", "log")}, "no such directory"),
            ({"log/file": self.path("folder")}, "is a directory"),
            ({"node/settings-file": self.path("none", "own.ini")}, "no such directory"),
            ({"node/settings-file": self.path("folder")}, "regular file"),
            ({"log/file": self.path("new"), "node/settings-file": self.path("new")}, "are the same file"),
            ({"log/file": self.path("new"), "control/socket": self.path("new")}, "are the same file"),
            ({"log/file": self.path("folder", "..", "file"), "node/settings-file": self.path("file")}, "are the same file"),
            ({"gateway/url": "unix:" + self.path("new"), "control/socket": self.path("new")}, "are the same file"),
        )
        for settings, said in rows:
            with self.subTest(settings=settings):
                result = self.check(settings)
                self.assertEqual(result.code, 1, str(result))
                self.assertIn(said, result.err)
                self.assertNotIn("valid", result.out)

    def test_what_the_daemon_would_make_is_good(self):
        rows = ({}, {"control/socket": self.path("new", "control.sock")},
                {"inbox/path": self.path("new", "a", "b", "c")}, {"inbox/path": self.path("new") + "/"},
                {"inbox/path": self.path("folder")}, {"outbox/roots": self.path("folder")},
                {"log/file": self.path("folder", "log")}, {"log/file": "/dev/null"},
                {"node/settings-file": self.path("folder", "own.ini")}, {"control/listen": "127.0.0.1:7780"},
                {"control/group": "root"})
        for settings in rows:
            with self.subTest(settings=settings):
                result = self.check(settings)
                self.assertEqual(result.code, 0, str(result))
                self.assertIn("the settings are valid", result.out)
                self.assertEqual(os.listdir(self.place), sorted(["file", "folder"]) if os.listdir(
                    self.place)[0] == "file" else ["folder", "file"], "nothing was made")

    def test_a_control_address_that_is_the_nodes_own_is_named(self):
        rows = (  # [control] listen, [services/tcp-connections] listen, whether they meet
            ("127.0.0.1:7771", "127.0.0.1", True), ("127.0.0.1:7771", "*", True),
            ("127.0.0.1:7771", "0.0.0.0", True), ("[::1]:7771", "*", True), ("[::1]:7771", "::", True),
            ("0.0.0.0:7771", "127.0.0.1", True), ("[::]:7771", "127.0.0.1", True),
            ("[::]:7771", "::1", True), ("127.0.0.1:7771", "::1,127.0.0.1", True),
            ("127.0.0.1:7772", "*", False), ("127.0.0.1:7771", "::", False), ("127.0.0.1:7771", "::1", False),
            ("127.0.0.1:7771", "127.0.0.2", False), ("0.0.0.0:7771", "::1", False))
        for control, listen, is_own in rows:
            with self.subTest(control=control, listen=listen):
                result = self.check({"services/tcp-connections/tcp-port": 7771, "control/listen": control,
                                     "services/tcp-connections/listen": listen, "control/token": "t" * 20})
                self.assertEqual("is already used by the node" in result.err, is_own, str(result))
                self.assertEqual(result.code, 1 if is_own else 0, str(result))
        result = self.check({"services/tcp-connections/tcp-port": 7771, "control/listen": "127.0.0.1:7771",
                             "services/tcp-transport/receiving-enabled": "false"})
        self.assertEqual(result.code, 0, str(result))

    def test_what_may_only_be_so_now_is_a_note(self):
        result = self.check({"services/tcp-connections/listen": "192.0.2.7"})
        self.assertEqual(result.code, 0, str(result))
        self.assertIn("note: [services/tcp-connections] listen: 192.0.2.7 is not an address of this machine",
                      result.out)


class Hidden(harness.SystemTest):
    def setUp(self):
        self.bob = self.node("bob", {"services/tcp-transport/priority": 3})

    def run_command(self, *words, code=0):
        result = self.bob.command(*words)
        self.assertEqual(result.code, code, str(result))
        return result.out + result.err

    def get(self, name):
        return self.run_command("get", name).strip()

    def test_a_reload_names_what_a_set_overrides(self):
        self.assertIn("nothing has changed", self.run_command("reload"))
        self.run_command("set", "priority", "7")
        self.bob.change({"services/tcp-transport/priority": 4})
        said = self.run_command("reload")
        self.assertRegex(said, "line [0-9]+: .services/tcp-transport. priority is overridden by 'dustwire set' with "
                               "7: 'dustwire unset priority' removes the override")
        self.assertIn("overridden by 'dustwire set'", check("--config", self.bob.config).out)
        self.assertEqual(self.get("priority"), "7")

    def test_what_is_taken_back_is_the_files_value_now_and_after_a_restart(self):
        self.run_command("set", "priority", "7")
        self.run_command("set", "sending-enabled", "false")
        self.bob.change({"services/tcp-transport/priority": 4, "sessions/limit": 77})
        said = self.run_command("unset", "services/tcp-transport/priority")
        self.assertIn("changed: services/tcp-transport/priority = 4", said)
        self.assertNotIn("limit", said)  # that is a reload's
        self.assertEqual((self.get("priority"), self.get("sending-enabled")), ("4", "false"))
        self.assertIn("sending-enabled reset to the default", self.run_command("unset", "sending-enabled"))
        self.assertEqual(self.bob.stop(), 0)
        self.bob.start()
        self.assertEqual((self.get("priority"), self.get("sending-enabled")), ("4", "true"))

    def test_what_cannot_be_taken_back_is_told(self):
        self.assertIn("has not been set", self.run_command("unset", "priority"))
        self.assertIn("'limit' is not a runtime setting", self.run_command("unset", "limit", code=1))
        self.run_command("unset", code=2)
        self.run_command("set", "priority", "7")
        with open(self.bob.config, "a") as out:
            out.write("[log]\nlevel = loud\n")
        self.assertIn("nothing was changed", self.run_command("unset", "priority", code=1))
        self.assertEqual(self.get("priority"), "7")

    def test_status_says_what_is_switched_off(self):
        self.assertRegex(self.run_command("status"), "tcp: LISTENING on 127")
        self.run_command("set", "receiving-enabled", "false")
        said = self.run_command("status")
        self.assertNotIn("LISTENING", said)
        self.assertIn("receiving is disabled: enable it", said)
        self.run_command("set", "sending-enabled", "false")
        self.assertIn("sending is disabled: enable it", self.run_command("status"))
        self.run_command("unset", "receiving-enabled")
        self.assertIn("tcp: LISTENING on", self.run_command("status"))


class Told(harness.SystemTest):
    """Success is told when it is known."""

    def setUp(self):
        self.bob = self.node("bob")

    def taken_port(self):
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        return listener.getsockname()[1]

    def expect_failure(self, result, *words):
        self.assertEqual(result.code, 1, str(result))
        for word in ("applied, but the node is not connected", *words):
            self.assertIn(word, result.out + result.err)

    def test_a_set_that_works_is_told_when_it_does(self):
        port = harness.free_port()
        self.assertEqual(self.bob.command("set", "tcp-port", port).code, 0)
        with socket.create_connection(("127.0.0.1", port)):
            pass
        self.assertEqual(self.bob.command("status").code, 0)

    def test_a_port_that_cannot_be_had_fails_each_command(self):
        taken = self.taken_port()
        self.expect_failure(self.bob.command("set", "tcp-port", taken), str(taken))
        self.assertEqual(self.bob.command("unset", "tcp-port").code, 0)
        self.bob.change({"services/tcp-connections/tcp-port": taken})
        self.expect_failure(self.bob.command("reload"), str(taken))
        self.bob.change({"services/tcp-connections/tcp-port": self.bob.port})
        self.assertEqual(self.bob.command("reload").code, 0)
        self.assertEqual(self.bob.command("status").code, 0)

    def test_an_address_that_is_none_of_ours_fails_a_reload(self):
        self.bob.change({"services/tcp-connections/listen": "192.0.2.9"})
        self.expect_failure(self.bob.command("reload"))

    def test_switching_off_is_no_failure(self):
        self.assertEqual(self.bob.command("set", "enabled", "false").code, 0)
        self.assertEqual(self.bob.command("set", "enabled", "true").code, 0)
        self.assertEqual(self.bob.command("set", "receiving-enabled", "false").code, 0)

    def test_a_hangup_tells_it_in_the_log(self):
        taken = self.taken_port()
        self.bob.change({"services/tcp-connections/tcp-port": taken})
        self.bob.signal(1)
        self.bob.wait_log("not connected: ")

    def test_a_stop_in_the_meantime_answers(self):
        taken = self.taken_port()
        job = self.bob.job("set", "tcp-port", taken)
        self.bob.stop()
        self.assertIn(job.result().code, (0, 1, 3))


if __name__ == "__main__":
    unittest.main(verbosity=2)
