"""The scripts of scripts/ on machines without a program, and scripts/run.sh with a port, socket or inbox already in
use. They run in a copy of the tree with stubs for the builds and for apt-get, which installs nothing."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest

import node as harness
from node import BUILD, HERE, SystemTest, free_port, main, seconds, wait_until

ROOT = os.path.dirname(os.path.dirname(HERE))
SCRIPTS = sorted(name for name in os.listdir(os.path.join(ROOT, "scripts")) if name.endswith(".sh"))
sys.path.append(os.path.join(ROOT, "tests", "faults"))
PLACES = [place for place in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin") if os.path.isdir(place)]

# A script, its arguments, a program that it needs, and what the script does without it.
FAILS, CONTINUES = "fails", "continues"
WITHOUT = (
    ("build.sh", [], "gcc", FAILS), ("build.sh", [], "cmake", FAILS), ("build.sh", [], "ninja", FAILS),
    ("build.sh", ["clang"], "clang", FAILS),
    ("run.sh", [], "gcc", FAILS), ("run.sh", [], "pkg-config", FAILS), ("run.sh", ["--second"], "cmake", FAILS),
    ("coverage.sh", [], "lcov", FAILS), ("memcheck.sh", [], "valgrind", FAILS), ("memcheck.sh", [], "strace", FAILS),
    ("fuzz.sh", ["1s"], "clang", FAILS), ("format.sh", ["--check"], "clang-format", FAILS),
    ("tidy.sh", [], "clang-tidy", FAILS), ("load.sh", ["--quick"], "gnuplot", FAILS),
    ("load.sh", ["--quick"], "valgrind", FAILS), ("load.sh", ["--quick"], "findmnt", FAILS),
    ("soak.sh", ["1"], "unshare", FAILS), ("bare.sh", ["run"], "debootstrap", FAILS), ("bare.sh", ["run"], "git", FAILS),
    ("test.sh", [], "clang-format", FAILS), ("test.sh", [], "nft", FAILS), ("test.sh", ["--all"], "debootstrap", FAILS),
    ("builds.sh", ["--list"], "clang", CONTINUES), ("faults.sh", ["--list"], "nft", CONTINUES),
    ("faults.sh", ["--list"], "tc", CONTINUES), ("faults.sh", ["--list"], "ip", CONTINUES),
    ("faults.sh", ["--list"], "strace", CONTINUES),
)


def write(path, text, mode=0o755):
    with open(path, "w") as out:
        out.write(text)
    os.chmod(path, mode)


def words_of(name):
    """Words of a script, among them the programs that it calls."""
    with open(os.path.join(ROOT, "scripts", name)) as stream:
        return re.findall(r"[\w.+-]+", stream.read())


WORDS = {word for name in SCRIPTS for word in words_of(name)}


def programs_but(folder, hidden, stubs):
    """A folder for PATH: the programs of this machine that a script names, except the hidden ones, and stubs for
    some."""
    os.mkdir(folder)
    for place in PLACES:
        for name in WORDS.intersection(os.listdir(place)) - set(hidden) - set(stubs):
            path = os.path.join(folder, name)
            if not os.path.lexists(path):
                os.symlink(os.path.join(place, name), path)
    for name, text in stubs.items():
        write(os.path.join(folder, name), text)
    return folder


class Tree(SystemTest):
    """A copy of the parts of the tree that the scripts need."""

    def setUp(self):
        super().setUp()
        self.top = self.folder()
        self.tree = os.path.join(self.top, "a tree")
        for name in ("scripts", "etc", "tests/faults", "tests/system"):
            shutil.copytree(os.path.join(ROOT, name), os.path.join(self.tree, name),
                            ignore=shutil.ignore_patterns("__pycache__"))
        # Search system administration programs in PATH only, so that they can be hidden.
        common = os.path.join(self.tree, "scripts", "common.sh")
        with open(common) as stream:
            text = stream.read()
        self.assertIn("PATH=$PATH:/usr/sbin:/sbin\n", text)
        write(common, text.replace("PATH=$PATH:/usr/sbin:/sbin\n", ""))

    def run_script(self, script, arguments, path, limit=60, **more):
        return subprocess.run(["/bin/bash", os.path.join(self.tree, "scripts", script), *arguments], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds(limit),
                              env={"PATH": path, "HOME": self.top, **more.pop("env", {})}, **more)


# Updates the lists, but fails to install.
APT = '#!/bin/sh\ncase "$*" in *install*) exit 100;; esac\n'


class Missing(Tree):
    def test_every_script_reports_a_missing_program_first(self):
        write(os.path.join(self.tree, "scripts", "build.sh.stub"), "#!/bin/sh\n")
        for number, (script, arguments, hidden, result) in enumerate(WITHOUT):
            with self.subTest("%s %s without %s" % (script, " ".join(arguments), hidden)):
                path = programs_but(os.path.join(self.top, "path%d" % number), {hidden},
                                    {"apt-get": APT, "sudo": '#!/bin/sh\nexec "$@"\n'})
                if script != "build.sh":
                    write(os.path.join(self.tree, "scripts", "build.sh"), "#!/bin/sh\nexit 0\n")
                else:
                    shutil.copy(os.path.join(ROOT, "scripts", "build.sh"), os.path.join(self.tree, "scripts"))
                done = self.run_script(script, arguments, path)
                self.assertRegex(done.stderr, r"deps.sh: (not in PATH: %s, of|not installed: )" % re.escape(hidden))
                self.assertNotIn("Traceback", done.stderr)
                if result == FAILS:
                    self.assertEqual(done.returncode, 1, done.stderr)
                else:
                    self.assertIn("going on", done.stderr)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_script_checks_its_dependencies(self):
        for script in SCRIPTS:
            with open(os.path.join(ROOT, "scripts", script)) as stream:
                text = stream.read()
            with self.subTest(script):
                self.assertTrue("scripts/deps.sh" in text or "scripts/build.sh" in text or script == "common.sh")

    def test_an_unknown_set_is_refused(self):
        done = self.run_script("deps.sh", ["no-such-set"], os.environ["PATH"])
        self.assertEqual(done.returncode, 2)
        self.assertIn("a SET is one of: all bare build", done.stderr)


class Installing(Tree):
    """scripts/deps.sh with stubs: a dpkg-query that lists no package, and an apt-get for each case."""
    DPKG = '#!/bin/sh\nexit 0\n'
    CASES = {
        # what apt-get does, the expected exit code
        "success": ("exit 0", 0),
        "the lists cannot be updated": ('case "$*" in *update*) exit 100;; esac', 0),
        "the installation fails": ('case "$*" in *install*) exit 100;; esac', 1),
        "both fail": ("exit 100", 1),
        "killed": ("kill -9 $$", 1),
    }

    def deps(self, name, apt, sets=("format",), stubs=(), **more):
        path = programs_but(os.path.join(self.top, "path of " + name), {"sudo"}, {
            "dpkg-query": self.DPKG, "sleep": "#!/bin/sh\n",
            "apt-get": '#!/bin/sh\necho "$@" >>"$HOME/%s.log"\n%s\n' % (name, apt), **dict(stubs)})
        done = self.run_script("deps.sh", sets, path, **more)
        try:
            with open(os.path.join(self.top, name + ".log")) as log:
                return done, log.read()
        except FileNotFoundError:
            return done, ""

    def test_each_result_of_apt(self):
        for name, (apt, code) in self.CASES.items():
            with self.subTest(name):
                done, log = self.deps(name, apt)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn("DPkg::Lock::Timeout", log)
                self.assertEqual("clang-format" in done.stderr, code != 0, done.stderr)

    def test_check_installs_nothing(self):
        done, log = self.deps("check", "exit 0", ("--check", "format"))
        self.assertEqual((done.returncode, log), (1, ""))
        self.assertIn("not installed: clang-format", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to run as another user")
    def test_other_users_need_sudo(self):
        os.chmod(self.top, 0o777)
        for is_there, code in ((True, 0), (False, 1)):
            with self.subTest(sudo=is_there):
                done, log = self.deps("sudo %s" % is_there, "exit 0", user=61001, group=61001, extra_groups=[],
                                      cwd="/", stubs=[("sudo", '#!/bin/sh\necho by sudo >>"$HOME/by"\nexec "$@"\n')]
                                      if is_there else [])
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual("install" in log, is_there)
                self.assertEqual("install sudo" in done.stderr, not is_there)
                if is_there:
                    self.assertTrue(os.path.exists(os.path.join(self.top, "by")))


class Skipped(unittest.TestCase):
    """A missing program is not a loss; a missing file is."""

    def run_kind(self, missing):
        import faults

        class Field:
            def __init__(self, *_):
                self.notes, self.runs, self.losses = [], 0, []
                self.book = type("Book", (), {"count": 0, "acknowledged": 0})

            def end_run(self, what, losses):
                self.runs += 1
                self.losses += losses

            def close(self):
                pass

        def kind(field, most):
            subprocess.run([missing, "--version"])

        was, faults.Field = faults.Field, Field
        try:
            return faults.run_kind(("name", "what", kind, 1, 1), 1, True)
        finally:
            faults.Field = was

    def test_a_missing_program_is_never_a_loss(self):
        for name in ("no-nft", "no-tc", "no-ip", "no-strace", "no-mount", "no-gdb", "no-perf", "no-mkfs.btrfs",
                     "no-losetup", "no such program"):
            with self.subTest(name):
                row = self.run_kind(name)
                self.assertEqual(row[4], 0)
                self.assertIn("left out: %s is not installed" % name, row[6])

    def test_a_missing_file_is_a_loss(self):
        self.assertEqual(self.run_kind("/nowhere/at/all")[4], 1)

    def test_a_missing_network_program_is_no_error(self):
        import network
        self.assertFalse(network.shell("no-nft", "list", "ruleset"))


def can_make_namespaces():
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "--net", "true"], stdout=subprocess.DEVNULL,
                                                stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(can_make_namespaces(), "cannot create namespaces here")
class SkippedForReal(SystemTest):
    def test_a_link_without_nft_loses_nothing(self):
        path = programs_but(os.path.join(self.folder(), "path"), {"nft"}, {})
        done = subprocess.run(["unshare", "--mount", "--net", sys.executable, "-B",
                               os.path.join(ROOT, "tests", "faults", "faults.py"), "--quick", "net-link"],
                              env={**os.environ, "PATH": path}, text=True, capture_output=True, timeout=seconds(200))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("left out: a packet in twenty lost (nft is not installed)", done.stdout)


class Runs(Tree):
    """scripts/run.sh with test settings, and resources already in use."""

    def setUp(self):
        super().setUp()
        os.makedirs(os.path.join(self.tree, "build"))
        os.symlink(BUILD, os.path.join(self.tree, "build", "release"))
        write(os.path.join(self.tree, "scripts", "deps.sh"), "#!/bin/sh\n")
        self.path = programs_but(os.path.join(self.top, "path"), set(), {"cmake": "#!/bin/sh\n"})
        self.port = free_port()
        self.place = os.path.join(self.top, "place")
        os.mkdir(self.place)
        self.socket = os.path.join(self.place, "control.sock")
        self.settings()

    def settings(self, **changes):
        values = {"port": self.port, "listen": "*", "receiving": "true", "inbox": os.path.join(self.place, "inbox"),
                  "socket": self.socket, **changes}
        write(os.path.join(self.tree, "etc", "dustwired.ini"), (
            "[services/tcp-transport]\nreceiving-enabled = {receiving}\n[services/tcp-connections]\ntcp-port = {port}\n"
            'listen = "{listen}"\n[inbox]\npath = "{inbox}"\n[control]\nsocket = "{socket}"\n').format(**values), 0o644)

    def start(self, name="node"):
        log = os.path.join(self.top, name + ".log")
        with open(log, "wb") as out:
            process = subprocess.Popen(["/bin/bash", os.path.join(self.tree, "scripts", "run.sh")], stdout=out,
                                       stderr=out, stdin=subprocess.DEVNULL, env={"PATH": self.path, "HOME": self.top})
        self.addCleanup(self.end, process)
        return process, log

    def end(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        process.wait(seconds(20))

    def text(self, log):
        with open(log, errors="replace") as stream:
            return stream.read()

    def assert_up(self, process, log):
        wait_until(lambda: "The node is up" in self.text(log) or process.poll() is not None,
                   lambda: self.text(log), 20)
        self.assertIsNone(process.poll(), self.text(log))

    def assert_refused(self, *words):
        process, log = self.start("refused")
        try:
            code = process.wait(seconds(20))
        except subprocess.TimeoutExpired:
            self.fail("run.sh did not exit: " + self.text(log))
        said = self.text(log)
        self.assertEqual(code, 1, said)
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn("node is up", said)

    def listener(self, host, family=socket.AF_INET):
        other = socket.socket(family, socket.SOCK_STREAM)
        self.addCleanup(other.close)
        if family != socket.AF_UNIX:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if family == socket.AF_UNIX:
            other.bind(host)
        else:
            other.bind((host, self.port))
        other.listen()
        return other

    def test_a_second_start_is_refused(self):
        first, log = self.start()
        self.assert_up(first, log)
        self.assert_refused("a node runs already: dustwired (process %d)" % first.pid, self.socket, "stop")
        self.assertEqual(self.text(log).count("The node is up"), 1)

    def test_a_port_in_use(self):
        me = "python3 (process %d)" % os.getpid()
        for host, listen in (("0.0.0.0", "*"), ("127.0.0.1", "*"), ("127.0.0.2", "*"), ("0.0.0.0", "127.0.0.1"),
                             ("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.1, 127.0.0.2")):
            with self.subTest(host=host, listen=listen):
                other = self.listener(host)
                self.settings(listen=listen)
                self.assert_refused("port %d is in use by " % self.port, me)
                other.close()

    @unittest.skipUnless(harness.has_ipv6(), "this machine has no ::1")
    def test_a_port_in_use_on_ipv6(self):
        self.listener("::", socket.AF_INET6)
        self.assert_refused("port %d is in use by " % self.port)

    def test_a_port_of_another_address_is_free(self):
        self.listener("127.0.0.1")
        self.settings(listen="127.0.0.2")
        self.assert_up(*self.start())

    def test_a_port_in_use_is_ignored_without_receiving(self):
        self.listener("0.0.0.0")
        self.settings(receiving="false")
        self.assert_up(*self.start())

    def test_a_port_in_use_by_a_session_only_is_free(self):
        other = self.listener("127.0.0.1")
        dialled = socket.create_connection(("127.0.0.1", self.port))
        self.addCleanup(dialled.close)
        self.addCleanup(other.accept()[0].close)
        other.close()
        self.assert_up(*self.start())

    def test_an_inbox_in_use_by_another_node(self):
        first, log = self.start()
        self.assert_up(first, log)
        self.settings(port=free_port(), socket=os.path.join(self.place, "other.sock"))
        self.assert_refused(os.path.join(self.place, "inbox"), "in use", "process %d" % first.pid)

    def test_a_socket_in_use_by_another_program(self):
        self.listener(self.socket, socket.AF_UNIX)
        self.assert_refused(self.socket, "in use")

    def test_a_socket_of_a_stopped_node(self):
        first, log = self.start()
        self.assert_up(first, log)
        first.send_signal(signal.SIGSTOP)
        self.assert_refused("in use by dustwired (process %d)" % first.pid)

    def test_another_file_in_place_of_the_socket(self):
        write(self.socket, "", 0o644)
        self.assert_refused(self.socket, "is not a socket")

    def test_a_stale_socket_is_replaced(self):
        self.listener(self.socket, socket.AF_UNIX).close()
        self.assert_up(*self.start())

    def test_bad_settings(self):
        self.settings(listen="nonsense")
        self.assert_refused("nonsense")


class Pages(unittest.TestCase):
    def test_the_man_pages_get_their_version_at_installation(self):
        folder = os.path.join(ROOT, "docs", "man")
        for name in os.listdir(folder):
            with open(os.path.join(folder, name)) as stream, self.subTest(name):
                self.assertIn('"dustwire VERSION"', stream.readline())


if __name__ == "__main__":
    main()
