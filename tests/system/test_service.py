"""dustwired under a service manager: the unit's exposure, messages to NOTIFY_SOCKET, passed sockets."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "faults"))

import layer  # noqa: E402
import raw  # noqa: E402
from node import Node, SystemTest, free_port, main, make_file, seconds, wait_until  # noqa: E402

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = os.path.join(TREE, "etc", "systemd", "dustwired.service")


class Manager:
    """Reads NOTIFY_SOCKET: each datagram with its time, as a dict of its lines."""

    def __init__(self):
        self._folder = tempfile.mkdtemp(prefix="dw-notify-")
        self.path = os.path.join(self._folder, "notify")
        self.seen = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)

    def take(self, limit):
        self._socket.settimeout(max(0.001, limit))
        try:
            text = self._socket.recv(65536).decode()
        except (socket.timeout, BlockingIOError):
            return None
        received = dict(line.split("=", 1) for line in text.splitlines())
        received["at"] = time.monotonic()
        self.seen.append(received)
        return received

    def wait(self, what, limit=15.0):
        """The next datagram with these values."""
        deadline = time.monotonic() + seconds(limit)
        while time.monotonic() < deadline:
            received = self.take(deadline - time.monotonic())
            if received and all(received.get(key) == value for key, value in what.items()):
                return received
        raise AssertionError("no %r; received: %r" % (what, self.seen[-10:]))

    def close(self):
        self._socket.close()
        shutil.rmtree(self._folder)


class ServedNode(Node):
    """A node under a service manager, with its environment and passed sockets."""
    environment, passed = {}, []

    def spawn(self):
        def pass_sockets():
            for number, fd in enumerate(self._parked):
                os.dup2(fd, 3 + number)

        # LISTEN_PID must be the daemon's pid, which only the shell knows that executes it.
        start = 'exec "$@"' if not self.passed else \
            'LISTEN_PID=$$ LISTEN_FDS=%d exec "$@"' % len(self.passed)
        self._parked = [os.dup2(s.fileno(), 100 + n) for n, s in enumerate(self.passed)]
        super().spawn(["/bin/sh", "-c", start, "sh"], env={**os.environ, **self.environment},
                      close_fds=not self.passed, preexec_fn=pass_sockets if self.passed else None)
        for fd in self._parked:
            os.close(fd)
        return self


class Unit(unittest.TestCase):
    def test_exposure_is_below_two(self):
        result = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
                                capture_output=True, text=True)
        self.assertEqual(result.stderr, "", "systemd knows every key of the unit")
        level = re.search(r"Overall exposure level for dustwired.service: ([0-9.]+)", result.stdout)
        self.assertIsNotNone(level, result.stdout)
        self.assertLess(float(level.group(1)), 2.0, result.stdout)

    def test_meminfo_can_be_read(self):
        """The committer reads it to decide when many small files share one sync."""
        with open(UNIT) as unit:
            self.assertFalse([line for line in unit if line.startswith("ProcSubset=")])

    def test_a_plain_unit_is_not_below_two(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "plain.service")
            with open(path, "w") as out:
                out.write("[Service]\nExecStart=/usr/bin/true\n")
            result = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", path],
                                    capture_output=True, text=True)
        self.assertGreater(float(re.search(r"plain.service: ([0-9.]+)", result.stdout).group(1)), 2.0)


def can_trace():
    """A container may forbid ptrace(2)."""
    return subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], stderr=subprocess.DEVNULL).returncode == 0


def can_attach():
    """With Yama only root can trace processes that it has not started."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as scope:
            return can_trace() and int(scope.read()) <= (1 if os.geteuid() == 0 else 0)
    except FileNotFoundError:
        return can_trace()


def allowed_calls():
    """The system calls that the unit's filter allows; groups are expanded by systemd-analyze."""
    def members(name):
        if not name.startswith("@"):
            return {name}
        out = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], check=True,
                             capture_output=True, text=True).stdout
        words = [line.strip() for line in out.splitlines()[1:]]
        return set().union(*[members(w) for w in words if w and not w.startswith("#")])

    allowed = set()
    with open(UNIT) as unit:
        for line in unit:
            if line.startswith("SystemCallFilter="):
                names = line.strip().split("=", 1)[1]
                found = set().union(*[members(name) for name in names.lstrip("~").split()])
                allowed = allowed - found if names.startswith("~") else allowed | found
    return allowed


@unittest.skipUnless(can_trace(), "processes cannot be traced here")
class Calls(SystemTest):
    def test_the_unit_allows_every_system_call_from_start_to_stop(self):
        node, peer = self.node("a", is_started=False), self.node("b")
        trace = os.path.join(node.folder, "trace")
        # The leak check of a sanitized build does not work in a traced process.
        node.spawn(["strace", "-f", "-qq", "-o", trace], env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        wait_until(node.is_serving, "the traced node serves", 20)
        path = make_file(os.path.join(node.folder, "file"), 300000)
        self.assertEqual(node.send([path], peer.contact).code, 0)
        self.assertEqual(peer.send([path], node.contact).code, 0)
        self.assertEqual(node.command("reload").code, 0)
        self.assertEqual(node.command("reconnect").code, 0)
        self.assertEqual(node.command("stop").code, 0)
        node.wait_exit()
        with open(trace) as lines:
            used = set(re.findall(r"^\d+\s+([a-z_0-9]+)\(", lines.read(), re.MULTILINE))
        self.assertIn("epoll_wait", used)
        # execve starts the daemon; systemd calls it before the filter applies.
        self.assertEqual(used - allowed_calls() - {"execve"}, set())


class Served(SystemTest):
    def setUp(self):
        super().setUp()
        self.manager = Manager()
        self.addCleanup(self.manager.close)

    def served(self, settings=None, environment=None, passed=(), **where):
        node = ServedNode("served", settings, **where)
        node.environment = {"NOTIFY_SOCKET": self.manager.path, **(environment or {})}
        node.passed = passed
        self.addCleanup(self._close, node)
        return node


class Notify(Served):
    def test_ready_when_the_socket_answers_and_the_transport_listens(self):
        node = self.served().spawn()
        received = self.manager.wait({"READY": "1"})
        self.assertEqual(received["STATUS"], "connected")
        self.assertEqual(node.command("status").code, 0, "at the first attempt")

    def test_ready_with_a_reason_when_the_port_is_busy(self):
        port = free_port()
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", port))
            holder.listen()
            self.served(port=port).spawn()
            received = self.manager.wait({"READY": "1"})
            self.assertIn("port is busy", received["STATUS"])
        self.manager.wait({"STATUS": "connected"})

    def test_the_beginning_and_the_end_of_a_reload_are_reported(self):
        node = self.served().spawn()
        ready = self.manager.wait({"READY": "1"})
        node.signal(signal.SIGHUP)
        reloading = self.manager.wait({"RELOADING": "1"})
        at = int(reloading["MONOTONIC_USEC"]) / 1e6
        self.assertTrue(ready["at"] <= at <= reloading["at"], (ready, reloading))
        self.assertEqual(self.manager.wait({"READY": "1"})["STATUS"], "settings reloaded")

    def test_a_bad_file_ends_the_reload_with_the_old_settings(self):
        node = self.served().spawn()
        self.manager.wait({"READY": "1"})
        node.change({"sessions/limit": "many"})
        node.signal(signal.SIGHUP)
        self.manager.wait({"RELOADING": "1"})
        self.assertIn("the previous ones stay", self.manager.wait({"READY": "1"})["STATUS"])
        self.assertNotEqual(node.command("reload").code, 0, "ExecReload= must fail")
        node.change({"sessions/limit": None})

    def test_stopping_is_reported(self):
        node = self.served().spawn()
        self.manager.wait({"READY": "1"})
        node.signal(signal.SIGTERM)
        self.manager.wait({"STOPPING": "1"})
        self.assertEqual(node.wait_exit(), 0)

    def test_the_watchdog_is_pinged_at_half_its_interval(self):
        self.served(environment={"WATCHDOG_USEC": "600000"}).spawn()
        self.manager.wait({"READY": "1"})
        times = [self.manager.wait({"WATCHDOG": "1"})["at"] for _ in range(8)]
        gaps = sorted(b - a for a, b in zip(times, times[1:]))
        self.assertGreater(gaps[len(gaps) // 2], 0.2, gaps)
        self.assertLess(gaps[len(gaps) // 2], seconds(0.45), gaps)

    def test_without_an_interval_the_watchdog_is_not_pinged(self):
        node = self.served().spawn()
        self.manager.wait({"READY": "1"})
        node.stop()
        while self.manager.take(0.01):
            pass
        self.assertEqual([t for t in self.manager.seen if "WATCHDOG" in t], [])

    @unittest.skipUnless(can_attach(), "a running daemon cannot be traced here")
    def test_the_watchdog_is_not_pinged_while_one_thread_hangs(self):
        """The thread hangs in epoll_wait, where it does not wait for a file."""
        for name in ("acceptor", "worker-0", "resolver"):
            with self.subTest(name):
                node = self.served(environment={"WATCHDOG_USEC": "400000"}).spawn()
                self.manager.wait({"READY": "1"})
                self.manager.wait({"WATCHDOG": "1"})
                # strace blocks this one thread, like a call that does not return, until it gets SIGINT.
                with subprocess.Popen(["strace", "-qq", "-o", os.devnull, "-p", str(self.thread(node, name)), "-e",
                                       "trace=epoll_wait", "-e", "inject=epoll_wait:delay_enter=300s:when=1"],
                                      stderr=subprocess.DEVNULL) as holder:
                    try:
                        node.wait_log("thread %s stalled" % name)
                        if name == "acceptor":  # status asks every worker
                            self.assertEqual(node.command("status").code, 0, "the other threads run")
                        while self.manager.take(0.001):
                            pass  # from before
                        self.assertIsNone(self.manager.take(1), "no message while it hangs")
                    finally:
                        holder.send_signal(signal.SIGINT)
                self.manager.wait({"WATCHDOG": "1"})
                node.stop()

    @unittest.skipUnless(os.path.exists(layer.LIBRARY), "the fault layer is not built here")
    def test_the_watchdog_is_pinged_while_a_disk_or_a_name_server_hangs(self):
        """Each thread with each call that may be slow; the call hangs for longer than the interval."""
        self.node = self.served(settings={"log/level": "debug"})
        faults = layer.Layer(self.folder())
        self.node.environment.update(faults.environment, WATCHDOG_USEC="300000")
        self.node.spawn()
        self.manager.wait({"READY": "1"})
        peer = raw.Raw.greet(self.node.port)
        self.addCleanup(peer.close)
        path = make_file(os.path.join(self.folder(), "large"), 300000)
        rows = [("committer", call, self.receive) for call in ("fdatasync", "pwrite", "renameat2")]
        rows += [("committer-bulk", "fdatasync", lambda peer, n: self.receive(peer, n, 5 << 20))]
        rows += [("worker", call, self.receive) for call in ("openat", "write")]
        rows += [("worker", "pread", lambda peer, n: self.start("send", path, "127.0.0.1:7771")),  # down the peer's session
                 ("settings", "fsync", lambda peer, n: self.start("set", "priority", str(n))),
                 ("control", "accept4-control", lambda peer, n: self.start("status")),
                 ("look-up", "getaddrinfo", lambda peer, n: self.start("send", path, "name%d.invalid:7771" % n))]
        for number, (thread, call, begin) in enumerate(rows):
            with self.subTest(thread=thread, call=call):
                self.hang(faults, call, lambda: begin(peer, number))
                if thread != "look-up":  # is not monitored, and logs a slow look-up itself
                    self.assertIn("thread %s" % thread, self.node.log())

    def hang(self, faults, call, begin):
        faults.arm(call, times=layer.EVER, mode=layer.BLOCK, block_ms=int(seconds(1000)))
        begin()
        wait_until(lambda: faults.hits > 0, "a call of " + call)
        faults.disarm()
        until, received = time.monotonic() + seconds(0.8), 0
        while self.manager.take(0.001):
            pass  # from before
        while time.monotonic() < until:
            datagram = self.manager.take(until - time.monotonic())
            received += datagram is not None and datagram.get("WATCHDOG") == "1"
        self.assertGreaterEqual(received, 2)
        wait_until(lambda: self.node.command("status").code == 0, "the node serves again")

    def receive(self, peer, number, size=50000):
        peer.send(*raw.file_frames(number + 1, b"x" * size))

    def start(self, *arguments):
        self.job(self.node.job(*arguments))

    def thread(self, node, name):
        tasks = "/proc/%d/task" % node.process.pid
        for task in os.listdir(tasks):
            with open(os.path.join(tasks, task, "comm")) as comm:
                if comm.read().strip() == name:
                    return int(task)
        raise AssertionError("no thread " + name)


class Journal(Served):
    def test_a_line_to_the_journals_socket_has_a_priority_and_no_time(self):
        ours, stderr = socket.socketpair()
        self.addCleanup(ours.close)
        status = os.fstat(stderr.fileno())
        node = self.node("logging", is_started=False)
        node.spawn(stdout=None, stderr=stderr,
                   env={**os.environ, "JOURNAL_STREAM": "%d:%d" % (status.st_dev, status.st_ino)})
        stderr.close()
        wait_until(node.is_serving, "the node serves")
        self.assertEqual(node.stop(), 0)
        with ours.makefile() as log:
            lines = log.read().splitlines()
        self.assertGreater(len(lines), 3)
        for line in lines:
            self.assertRegex(line, "^<[3-7]>(error|warning|info|debug) ")


class Passed(Served):
    def listening(self, port):
        s = socket.socket()
        s.bind(("127.0.0.1", port))
        s.listen(64)
        self.addCleanup(s.close)
        return s

    def test_a_passed_socket_is_used_for_its_address(self):
        port = free_port()
        ours = self.listening(port)
        node = self.served(port=port, passed=[ours]).spawn()
        self.manager.wait({"STATUS": "connected"})
        self.assertIn("the socket passed by the service manager", node.log())
        peer = self.node("peer")
        path = make_file(os.path.join(node.folder, "file"), 100000)
        self.assertEqual(peer.send([path], node.contact).code, 0)
        self.assertEqual(node.command("reconnect").code, 0)
        node.wait_log("the socket passed by the service manager", count=2)
        wait_until(lambda: peer.send([path], node.contact).code == 0, "it serves after a reconnect")

    def test_peers_wait_while_the_daemon_restarts(self):
        port = free_port()
        ours = self.listening(port)
        node = self.served(port=port, passed=[ours]).spawn()
        self.manager.wait({"STATUS": "connected"})
        node.stop()
        with socket.create_connection(("127.0.0.1", port), timeout=seconds(5)):
            pass  # the kernel accepts it: no peer is refused
        node.spawn()
        self.manager.wait({"STATUS": "connected"})

    def test_a_passed_socket_of_another_port_is_not_used(self):
        other = self.listening(free_port())
        node = self.served(passed=[other]).spawn()
        self.manager.wait({"STATUS": "connected"})
        self.assertNotIn("the socket passed by the service manager", node.log())
        self.assertEqual(node.command("status").code, 0)


if __name__ == "__main__":
    main()
