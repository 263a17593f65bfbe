"""The process attributes that the daemon inherits: signals, descriptors, limits, CPUs, umask, working directory,
environment, a root without /proc, a system call filter."""
import contextlib
import ctypes
import errno
import os
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "faults"))
import node as harness  # noqa: E402
from layer import BLOCK, LIBRARY, Layer  # noqa: E402

# Sanitizers and valgrind need more resources than the daemon: tests of limits are skipped.
IS_INSTRUMENTED = harness.SLOW > 4 or "DUSTWIRE_TEST_TOOL" in os.environ
needs_layer = unittest.skipUnless(os.path.exists(LIBRARY), "the fault layer is not built in this folder")
WHY = "a sanitizer or valgrind needs additional descriptors, memory, files and /proc"
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StartedNode(harness.Node):
    """A node whose daemon starts after `preexec` in the child, with `closed` descriptors, in `cwd`, run by `run_by`."""
    preexec, environment, cwd, run_by = None, None, None, ()
    closed = ()

    def spawn(self):
        def prepare():
            for number in STOPS:
                signal.signal(number, signal.SIG_DFL)  # the tests may run in the background, with SIGINT ignored
            for fd in self.closed:
                os.close(fd)
            if self.preexec:
                self.preexec()

        return super().spawn(self.run_by, cwd=self.cwd, env=self.environment, preexec_fn=prepare, restore_signals=False)


def block_all():
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.valid_signals()))


def ignore_all():
    for number in (*STOPS, signal.SIGQUIT, signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)


def limit(what, soft, hard=None):
    return lambda: resource.setrlimit(what, (soft, soft if hard is None else hard))


class Started(harness.SystemTest):
    def setUp(self):
        self.peer = self.node("peer")

    def started(self, settings=None, is_started=True, name="node", **how):
        node = StartedNode(name, settings)
        for key, value in how.items():
            setattr(node, key, value)
        self.addCleanup(self._close, node)
        return node.start() if is_started else node.spawn()

    def exchange_files(self, node, path=None):
        """Receives a file and sends one."""
        mine = harness.make_file(os.path.join(self.folder(), "f"), 1000)
        self.assert_sent(self.peer.send([mine], node.contact), 1)
        self.assert_sent(node.send([path or mine], self.peer.contact), 1)

    def status_of(self, node):
        """The output of `dustwire status`."""
        return node.command("status").out


class Inherited(Started):
    def test_it_serves_and_stops_with_unusual_process_attributes(self):
        """Each time it serves, receives and sends a file, and exits with 0 on SIGTERM."""
        gone = self.folder()
        os.mkdir(os.path.join(gone, "sub"))
        rows = {
            "signals blocked": {"preexec": block_all},
            "signals ignored": {"preexec": ignore_all},
            "both": {"preexec": lambda: (block_all(), ignore_all())},
            "stdin closed": {"closed": (0,)},
            "stdout closed": {"closed": (1,)},
            "stderr closed": {"closed": (2,)},
            "all closed": {"closed": (0, 1, 2)},
            "few descriptors": {"preexec": limit(resource.RLIMIT_NOFILE, 128)},
            "a small stack": {"preexec": limit(resource.RLIMIT_STACK, 256 << 10)},
            "no stack limit": {"preexec": limit(resource.RLIMIT_STACK, resource.RLIM_INFINITY)},
            "no core": {"preexec": limit(resource.RLIMIT_CORE, 0)},
            "no locked memory": {"preexec": limit(resource.RLIMIT_MEMLOCK, 0)},
            "umask 0777": {"preexec": lambda: os.umask(0o777)},
            "umask 0": {"preexec": lambda: os.umask(0)},
            "no environment": {"environment": {}},
            "an odd environment": {"environment": {
                "LANG": "xx_YY.nowhere", "LC_ALL": "C.UTF-8", "TZ": ":/nonexistent", "HOME": "/nonexistent",
                "TMPDIR": "/nonexistent", "NOTIFY_SOCKET": "/nonexistent", "LISTEN_FDS": "-1",
                "LISTEN_PID": "x", "WATCHDOG_USEC": "none", "JOURNAL_STREAM": "::"}},
            "a folder that is gone": {"preexec": lambda: (os.chdir(os.path.join(gone, "sub")),
                                                          os.rmdir(os.path.join(gone, "sub")))},
        }
        limited = {"few descriptors", "a small stack", "no stack limit", "no locked memory"}
        for name, how in rows.items():
            if IS_INSTRUMENTED and name in limited:
                continue
            with self.subTest(name):
                node = self.started(**how)
                self.exchange_files(node)
                self.assertEqual(node.stop(), 0)

    def test_closed_standard_descriptors_are_replaced_by_dev_null(self):
        for closed in ((0,), (1,), (2,), (0, 1, 2)):
            node = self.started(closed=closed)
            for fd in closed:
                self.assertEqual(os.readlink("/proc/%d/fd/%d" % (node.process.pid, fd)), "/dev/null")
            self.assertEqual(node.stop(), 0)

    def test_sigint_that_was_ignored_at_start_stays_ignored(self):
        node = self.started(preexec=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        node.signal(signal.SIGINT)
        node.signal(signal.SIGHUP)  # signals are read in order: SIGINT would have been handled first
        node.wait_log("nothing has changed")
        self.exchange_files(node)
        self.assertEqual(node.stop(), 0)

    def test_sigint_stops_it_by_default(self):
        node = self.started()
        node.signal(signal.SIGINT)
        self.assertEqual(node.wait_exit(), 0)

    def test_file_modes_do_not_depend_on_the_umask(self):
        for umask in (0, 0o077, 0o777):
            node = self.started({"inbox/mode": "0640", "control/mode": "0660"},
                                preexec=lambda: os.umask(umask))  # noqa: B023 (called in this round)
            self.exchange_files(node)
            self.assertEqual(stat.S_IMODE(os.stat(node.received()[0]).st_mode), 0o640)
            self.assertEqual(stat.S_IMODE(os.stat(node.socket).st_mode), 0o660)
            for folder, folders, files in os.walk(os.path.join(node.inbox, ".dustwire")):
                for name in folders:
                    self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode), 0o700, name)
                for name in files:
                    self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode), 0o600, name)
            self.assertEqual(node.stop(), 0)


@needs_layer
class DuringStart(Started):
    def test_sighup_during_the_start_is_a_reload(self):
        """The signal is sent while it reads its settings, which the fault layer delays by half a second."""
        layer = Layer(self.folder())
        for number, is_up in ((signal.SIGHUP, True), (signal.SIGTERM, False), (signal.SIGINT, False)):
            node = StartedNode("node")
            self.addCleanup(self._close, node)
            layer.arm("openat", times=1, mode=BLOCK, block_ms=500, under=node.folder)
            node.environment = {**os.environ, **layer.environment}
            node.spawn()
            harness.wait_until(lambda: layer.hits, node.log)
            node.signal(number)
            if is_up:
                node.wait_log("nothing has changed")
                self.exchange_files(node)
            self.assertEqual(node.stop() if is_up else node.wait_exit(), 0, node.log())


@unittest.skipIf(IS_INSTRUMENTED, WHY)
class Printed(Started):
    """Output that cannot be written is a failure."""

    def assert_output_fails(self, name, *arguments):
        for to, reason in ((">&-", "Bad file descriptor"), (">/dev/full", "No space left on device"),
                           ("<&- >&-", "Bad file descriptor")):
            with self.subTest(name=name, arguments=arguments, to=to):
                result = subprocess.run(["bash", "-c", 'exec "$@" ' + to, "bash", os.path.join(harness.BUILD, name),
                                         *arguments], capture_output=True, text=True, timeout=harness.seconds(20))
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertEqual(result.stderr, "%s: cannot write to standard output: %s\n"
                                 % (name, reason))

    def test_failed_output_is_an_error_with_a_reason(self):
        config = StartedNode("node", {})
        self.addCleanup(self._close, config)
        for arguments in (("--help",), ("--version",), ("--dump-config",), ("--config", config.config, "--dump-config"),
                          ("--config", config.config, "--check-config")):
            self.assert_output_fails("dustwired", *arguments)
        for arguments in (("--help",), ("--version",)):
            self.assert_output_fails("dustwire-load", *arguments)


class Limits(Started):
    def test_a_log_at_its_size_limit_stops_nothing(self):
        """ulimit -f limits both the log (stderr) and received files."""
        size = 256 << 10
        node = self.started({"log/level": "debug"}, preexec=limit(resource.RLIMIT_FSIZE, size))
        self.assertIn("ulimit -f", node.log())
        harness.wait_until(lambda: self.exchange_files(node) or os.path.getsize(node.log_path) == size,
                           "the log is full", 60)
        self.exchange_files(node)
        large = harness.make_file(os.path.join(self.folder(), "large"), size * 2)
        self.assert_not_sent(self.peer.send([large], node.contact))
        self.exchange_files(node)
        self.assertGreater(node.status()["metrics"]["log_lines_lost"], 0)
        self.assertEqual(node.stop(), 0)

    def test_too_few_descriptors_are_named(self):
        """With each limit the daemon either starts or reports too few descriptors."""
        for count in (3, 4, 6, 9, 12, 15, 18, 22, 26, 30, 34, 40, 60, 90, 128):
            node = self.started(is_started=False, preexec=limit(resource.RLIMIT_NOFILE, count))
            harness.wait_until(node._is_serving_or_gone, node.log)
            if node.process.poll() is None:
                self.assertIn("ulimit -n", node.log())
                self.assertEqual(node.stop(), 0)
                continue
            text = node.log()
            self.assertEqual(node.process.returncode, 127 if "error while loading" in text else 1, text)
            self.assertRegex(text, "too many open files|Too many open files|[Ee]rror 24", text)
            self.assertNotRegex(text, "out of memory|is damaged|remove it|would block", text)

    @unittest.skipIf(harness.SLOW > 4, "a sanitizer starts additional processes")
    def test_too_few_processes_are_named(self):
        if os.geteuid() != 0:
            self.skipTest("only root can start it as a user that has no processes")
        user = 64999  # an unused uid
        for count in range(1, 9):
            node = StartedNode("node", {"workers/threads": 2})
            self.addCleanup(self._close, node)
            os.chmod(node.folder, 0o777)
            node.preexec = lambda: (os.setgroups([]), os.setgid(user),
                                    resource.setrlimit(resource.RLIMIT_NPROC, (count, count)),  # noqa: B023
                                    os.setuid(user))
            try:
                node.spawn()
            except PermissionError:
                self.skipTest("other users cannot reach the programs here")
            harness.wait_until(node._is_serving_or_gone, node.log)
            if node.process.poll() is None:
                self.assertGreater(count, 3)
                self.assertEqual(node.stop(), 0)
                continue
            self.assertEqual(node.process.returncode, 1, node.log())
            self.assertRegex(node.log(), "cannot start .*: process and thread limit reached")
            self.assertNotIn("would block", node.log())


class Cpus(Started):
    def workers(self, **how):
        node = self.started({"workers/threads": "auto"}, **how)
        count = node.status()["settings"]["threads"]
        threads = os.listdir("/proc/%d/task" % node.process.pid)
        names = [self.name_of(node.process.pid, thread) for thread in threads]
        self.assertEqual(sum(name.startswith("worker") for name in names), count, names)
        self.assertEqual(node.stop(), 0)
        return count

    def name_of(self, pid, thread):
        with open("/proc/%d/task/%s/comm" % (pid, thread)) as stream:
            return stream.read()

    def test_auto_counts_the_cpus_of_its_affinity_mask(self):
        cpus = sorted(os.sched_getaffinity(0))
        self.assertLessEqual(self.workers(), len(cpus))
        self.assertEqual(self.workers(preexec=lambda: os.sched_setaffinity(0, cpus[-1:])), 1)

    def make_group(self, files):
        """Creates a cgroup (version 2, or else 1) with `files[version]`; returns its folder."""
        name = "dustwire-test-%d" % os.getpid()
        root, version = ("/sys/fs/cgroup", 2) if os.path.exists("/sys/fs/cgroup/cgroup.controllers") \
            else ("/sys/fs/cgroup/cpu", 1)
        if not os.path.exists(os.path.join(root, "cgroup.procs")):
            self.skipTest("no control groups are mounted here")
        group = os.path.join(root, name)
        try:
            os.mkdir(group)
            self.addCleanup(os.rmdir, group)
            for file, text in files[version].items():
                with open(os.path.join(group, file), "w") as out:
                    out.write(text)
        except OSError as e:
            self.skipTest("cannot create a cgroup with a CPU limit: %s" % e.strerror)
        return group

    def test_auto_respects_the_cpu_limit_of_its_control_group(self):
        group = self.make_group({2: {"cpu.max": "30000 100000"},
                                 1: {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "30000"}})

        def enter():
            with open(os.path.join(group, "cgroup.procs"), "w") as out:
                out.write(str(os.getpid()))

        self.assertEqual(self.workers(preexec=enter), 1)


class Output(Started):
    def test_a_full_log_pipe_blocks_nothing(self):
        """stderr is a full pipe, also one of another user, which cannot be reopened."""
        for is_other_user in (False, True):
            ends = os.pipe()
            os.set_blocking(ends[1], False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(ends[1], bytes(4096))
            os.set_blocking(ends[1], True)
            how = {"preexec": lambda: os.dup2(ends[1], 2)}  # noqa: B023
            if is_other_user and os.geteuid() == 0:
                os.fchown(ends[1], 64999, -1)
                how["run_by"] = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
            node = self.started({"log/level": "debug"}, **how)
            for _ in range(5):
                self.exchange_files(node)
            self.assertEqual(node.stop(), 0)
            os.close(ends[0])
            os.close(ends[1])

    def test_a_closed_log_pipe_stops_nothing(self):
        ends = os.pipe()
        node = self.started(preexec=lambda: (os.dup2(ends[1], 2), os.close(ends[0])))
        os.close(ends[0])
        os.close(ends[1])
        self.exchange_files(node)
        self.assertEqual(node.stop(), 0)


class LogFile(Started):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder(), "the.log")

    def text(self, path=None):
        try:
            with open(path or self.path) as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    def logging(self, **settings):
        return self.started({"log/file": self.path, **settings})

    def test_the_log_is_written_to_the_file_and_stays_below_its_limit(self):
        with open(self.path, "w") as out:
            out.write("of the day before\n" * (1 << 16))
        node = self.logging(**{"log/file-limit-mib": 1})
        self.assertIn("control socket", self.text())
        self.assertIn("of the day before", self.text(self.path + ".1"))
        self.assertLess(os.path.getsize(self.path), 1 << 20)
        self.assertNotIn("control socket", node.log())
        self.assertEqual(node.stop(), 0)
        self.assertIn("dustwired stopped", self.text())

    def test_it_is_reopened_after_it_was_moved_away(self):
        node = self.logging()
        os.rename(self.path, self.path + ".moved")
        node.signal(signal.SIGHUP)
        harness.wait_until(lambda: "nothing has changed" in self.text(), lambda: self.text())
        os.unlink(self.path)  # without a SIGHUP
        values = iter(range(2, 99))
        harness.wait_until(lambda: node.command("set", "priority", next(values)) and "priority" in self.text(),
                           lambda: self.text(), every=0.2)

    def test_one_that_cannot_be_opened_is_reported_first(self):
        for path in (os.path.join(self.folder(), "none", "log"), self.folder()):
            node = self.started({"log/file": path}, is_started=False)
            self.assertEqual(node.wait_exit(), 1)
            self.assertIn("cannot open log file %s" % path, node.log())
            self.assertFalse(os.path.exists(node.inbox))


@needs_layer
class Clocks(Started):
    """Ages do not depend on the system clock."""

    def ages(self, node):
        status = node.status()
        return status["uptime_s"], [row["age_s"] for row in node.sessions()]

    def test_ages_do_not_follow_the_clock(self):
        layer = Layer(self.folder())
        node = self.started(environment={**os.environ, **layer.environment})
        self.exchange_files(node)
        self.assertTrue(node.sessions())
        start_time = time.monotonic()
        for shift in (3600, -3600, 86400 * 365, -86400 * 365 * 40, 86400 * 365 * 200, -1, 1, 59,
                      -int(time.time()), -int(time.time()) - 1000, 253402300800 - int(time.time()), 0):
            with self.subTest(shift=shift):
                layer.shift_clock(shift)
                self.exchange_files(node)
                up, ages = self.ages(node)
                most = time.monotonic() - start_time + harness.seconds(30)
                self.assertTrue(0 <= up <= most and all(0 <= age <= most for age in ages), (up, ages))
                output = node.command("sessions").out + node.command("status").out
                self.assertNotRegex(output, r"-\d+ ?s|\d+ ?d\b", output)
        self.assertEqual(node.stop(), 0)

    def test_timeouts_do_not_depend_on_the_clock(self):
        layer = Layer(self.folder())
        node = self.started({"sessions/handshake-timeout-s": 1}, environment={**os.environ, **layer.environment})
        for shift in (86400 * 3650, -86400 * 3650):
            layer.shift_clock(shift)
            with socket.create_connection(("127.0.0.1", node.port)) as silent:
                silent.settimeout(harness.seconds(10))
                self.assertEqual(silent.recv(1), b"")


# A seccomp filter as containers have it.

_ALLOW, _ERRNO = 0x7fff0000, 0x00050000
_CALLS = {"landlock_create_ruleset": 444, "landlock_restrict_self": 446, "faccessat2": 439, "getrandom": 318,
          "memfd_create": 319, "openat2": 437, "close_range": 436, "statx": 332,
          "copy_file_range": 326, "epoll_pwait2": 441, "io_uring_setup": 425, "preadv2": 327}


def refuse(calls, number):
    """A preexec function: the calls fail with this errno."""
    program = [(0x20, 0, 0, 0)]  # the call's number
    program += [(0x15, len(calls) - i, 0, _CALLS[call]) for i, call in enumerate(calls)]
    program += [(0x06, 0, 0, _ALLOW), (0x06, 0, 0, _ERRNO | number)]
    code = b"".join(struct.pack("HBBI", *row) for row in program)

    def prepare():
        class Program(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ushort), ("rules", ctypes.c_char_p)]

        libc = ctypes.CDLL(None, use_errno=True)
        filters = Program(len(program), code)
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(filters), 0, 0) != 0:
            os._exit(99)

    return prepare


@unittest.skipUnless(os.uname().machine == "x86_64", "the system call numbers are for x86-64")
@unittest.skipIf(IS_INSTRUMENTED, WHY)
class Filtered(Started):
    def test_it_serves_under_a_filter_that_refuses_new_calls(self):
        for call in _CALLS:
            for number in (errno.EPERM, errno.ENOSYS):
                with self.subTest(call=call, error=errno.errorcode[number]):
                    node = self.started(preexec=refuse([call], number))
                    self.exchange_files(node)
                    self.assertEqual(node.stop(), 0)
        node = self.started(preexec=refuse(list(_CALLS), errno.EPERM))
        self.exchange_files(node)

    def test_the_landlock_state_is_reported_as_it_is(self):
        for call, number, expected in (("landlock_create_ruleset", errno.ENOSYS, "hidden by a system call filter"),
                                   ("landlock_create_ruleset", errno.EPERM, "refused by a system call filter"),
                                   ("landlock_create_ruleset", errno.EACCES, "refused by a system call filter"),
                                   ("landlock_create_ruleset", errno.EOPNOTSUPP, "switched off in this kernel"),
                                   ("landlock_restrict_self", errno.EPERM, "refused (permission denied)")):
            node = self.started({"node/confined": True}, preexec=refuse([call], number))
            self.assertIn(expected, self.status_of(node))
            self.assertEqual(node.stop(), 0)


@unittest.skipIf(IS_INSTRUMENTED, WHY)
class Bare(Started):
    """A root that contains only the programs and their libraries."""

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can change its root")
        super().setUp()
        self.root = self.folder()
        for program in ("dustwired", "dustwire"):
            path = os.path.join(harness.BUILD, program)
            libraries = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
            for file in [path] + [word for word in libraries.split() if word.startswith("/")]:
                os.makedirs(os.path.dirname(self.root + file), exist_ok=True)
                shutil.copy(file, self.root + file)
        for folder in ("tmp", "dw", "data"):
            os.makedirs(os.path.join(self.root, folder), exist_ok=True)
        harness.make_file(os.path.join(self.root, "data", "f"), 1000)

    def enter(self):
        os.chroot(self.root)
        os.chdir("/")

    def command(self, *words):
        """Runs dustwire inside the root."""
        return subprocess.run([os.path.join(harness.BUILD, "dustwire"), "--socket", "/dw/node.sock", *words],
                              preexec_fn=self.enter, capture_output=True, text=True)

    def start_inside(self, roots):
        node = StartedNode("node", {"outbox/roots": roots, "inbox/path": "/dw/in",
                                    "control/socket": "/dw/node.sock"},
                           folder=os.path.join(self.root, "dw"))
        self.addCleanup(self._close, node)
        node.config_outside, node.config = node.config, "/dw/node.ini"
        node.preexec = self.enter
        return node.start()

    def check_reload(self, node):
        """Without /proc; with [outbox] roots also without permission to create files outside its own folders."""
        self.assertEqual(self.command("set", "priority", "7").returncode, 0)
        node.config = node.config_outside
        node.change({"sessions/limit": 7})
        result = self.command("reload")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("changed: sessions/limit = 7", result.stdout)

    def test_it_serves_without_proc_dev_and_etc(self):
        for roots in (None, "/data"):
            node = self.start_inside(roots)
            mine = harness.make_file(os.path.join(self.folder(), "f"), 1000)
            self.assert_sent(self.peer.send([mine], node.contact), 1)
            result = self.command("send", "/data/f", self.peer.contact)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.check_reload(node)
            self.assertEqual(node.stop(), 0)
            shutil.rmtree(os.path.join(self.root, "dw"))
            os.mkdir(os.path.join(self.root, "dw"))


if __name__ == "__main__":
    harness.main()
