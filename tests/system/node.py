"""A real node for the system tests: a folder, an INI file, a dustwired, and dustwire to talk to it.

Nothing here sleeps for a fixed time: `wait_until` polls until a condition holds or a deadline has
passed. Only processes that were started here are ended, by their own handle. Environment:

DUSTWIRE_BUILD      the folder of dustwired and dustwire (default: build/release of this tree)
DUSTWIRE_TEST_LOOSE set: daemons do not confine themselves unless a test requests it; for tools that write
                    additional files (gcov)
DUSTWIRE_TEST_SLOW  a factor on every deadline, e.g. 5 for a sanitizer build (default 1)
DUSTWIRE_TEST_TOOL  the tool that daemons run under, e.g. valgrind; tests that make no sense under it are
                    skipped with a reason (not_under)
"""
import atexit
import contextlib
import functools
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CAPTURES = os.path.join(os.path.dirname(HERE), "captures")
BUILD = os.environ.get("DUSTWIRE_BUILD",
                       os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "release"))
SLOW = float(os.environ.get("DUSTWIRE_TEST_SLOW", "1"))
IDURL = "http://127.0.0.1:8000/{}.xml"

# Signals that no test sends: a daemon that ends by one has crashed.
CRASHES = {-number for number in (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
                                  signal.SIGSEGV, signal.SIGSYS)}

_claims = []  # sockets that reserve the ports that were returned


def report_in(text):
    """The word in a log that marks a sanitizer's report or a failed assertion of the daemon; else None."""
    return next((word for word in ("Sanitizer", "assertion failed", "runtime error:") if word in text), None)


def not_under(tool, reason):
    """Skips a test if the daemons run under `tool`."""
    return unittest.skipIf(os.environ.get("DUSTWIRE_TEST_TOOL") == tool, "not under %s: %s" % (tool, reason))


def seconds(plain):
    """A deadline on this build."""
    return plain * SLOW


def needs_backlog(count):
    """Skips a test if the backlog of a stopped daemon cannot hold so many connections: further connects
    would block."""
    with open("/proc/sys/net/core/somaxconn") as limit:
        longest = int(limit.read())
    return unittest.skipIf(longest < count, "net.core.somaxconn is %d, below %d" % (longest, count))


@functools.cache
def can_resolve_localhost():
    """False e.g. without /etc/hosts, if the name server does not know the name or does not answer."""
    try:
        return subprocess.run(["getent", "ahosts", "localhost"], capture_output=True, timeout=5).returncode == 0
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return False


def needs_localhost(test):
    """Skips a test of a host name if localhost, which needs no name server, cannot be resolved."""
    @functools.wraps(test)
    def with_the_name(self):
        if not can_resolve_localhost():
            self.skipTest("localhost cannot be resolved: add it to /etc/hosts")
        test(self)
    return with_the_name


@functools.cache
def open_programs():
    """A folder that every user can enter, with copies of the programs and of ask_to_send.py: the tree may be in a
    home that other users cannot enter (0700). Copied once per run."""
    folder = tempfile.mkdtemp(prefix="dw-programs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    for path in [os.path.join(BUILD, name) for name in ("dustwired", "dustwire")] + [
            os.path.join(HERE, "ask_to_send.py")]:
        shutil.copy(path, folder)
        os.chmod(os.path.join(folder, os.path.basename(path)), 0o755)
    return folder


def wait_until(condition, what, limit=10.0, every=0.01):
    """Returns the first true value of condition(); after the deadline it fails with `what` (a text, or
    a function that returns one)."""
    deadline = time.monotonic() + seconds(limit)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %.1f s: %s" % (
                seconds(limit), what() if callable(what) else what))
        time.sleep(every)


def claim(port):
    """Reserves a port against other tests on this machine until this process ends, whether or not a daemon
    listens on it: an abstract socket name, which only one process can bind. False: it is reserved already."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind("\0dustwire-test-port-%d" % port)
    except OSError:
        name.close()
        return False
    _claims.append(name)
    return True


def free_port(host="127.0.0.1"):
    """A port that is unused now, below the range of the kernel's ephemeral ports, and never the same
    one twice, even in tests that run at the same time."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(500):
        port = random.randrange(20000, 32000)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        if claim(port):
            return port
    raise AssertionError("no free port on " + host)


def unused_contact():
    """A contact on which no process listens."""
    return "tcp://127.0.0.1:%d" % free_port()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


_PATTERN = bytes(i * 7 % 251 for i in range(251))


def pattern(size):
    """The content of the captures' files: byte i is i*7 mod 251."""
    return (_PATTERN * (size // 251 + 1))[:size]


def make_file(path, size, seed=None):
    """A file of `size` bytes: the captures' pattern, or random bytes determined by `seed`."""
    with open(path, "wb") as out:
        if seed is None:
            out.write(pattern(size))
        else:
            source = random.Random(seed)
            left = size
            while left > 0:
                block = source.randbytes(min(left, 1 << 20))
                out.write(block)
                left -= len(block)
    return path


def sha256(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_bytes(data):
    return hashlib.sha256(data).hexdigest()


def json_values(text):
    """Every JSON value of a text, one after the other; a top-level array counts as its elements."""
    decoder, values, at = json.JSONDecoder(), [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        values.extend(value if isinstance(value, list) else [value])
    return values


def needs_descriptors(count):
    """Skips a test if a process cannot have so many descriptors."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return unittest.skipIf(0 <= most < count, "a process can have only %d descriptors here" % most)


class Result:
    """Exit status and output of a dustwire command."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json_values(self.out)

    def __str__(self):
        return "exit %s\nstdout: %s\nstderr: %s" % (self.code, self.out[-2000:], self.err[-2000:])


class Job:
    """A running dustwire command."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, text=True, errors="surrogateescape",
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def result(self, limit=60.0):
        try:
            out, err = self.process.communicate(timeout=seconds(limit))
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError("%r did not end within %.0f s" % (self.process.args, seconds(limit)))
        return Result(self.process.returncode, out, err)

    def is_running(self):
        return self.process.poll() is None

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Events:
    """Follows `dustwire events --json` from a node's first event on."""

    def __init__(self, node):
        self.seen, self._changed = [], threading.Condition()
        self._process = subprocess.Popen(node.cli("events", "--json", "--after", "0"), text=True,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            if line.strip():
                with self._changed:
                    self.seen.append(json.loads(line))
                    self._changed.notify_all()

    def all(self, kind, **fields):
        """The events of a kind so far whose fields have these values."""
        with self._changed:
            return [e for e in self.seen if e.get("event") == kind
                    and all(e.get(key) == value for key, value in fields.items())]

    def wait(self, kind, count=1, limit=10.0, **fields):
        """At least `count` events of a kind with these values."""
        deadline = time.monotonic() + seconds(limit)
        while True:
            found = self.all(kind, **fields)
            if len(found) >= count:
                return found
            with self._changed:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError("%d of %d events %r %r within %.1f s; the last: %r" % (
                        len(found), count, kind, fields, seconds(limit), self.seen[-8:]))
                self._changed.wait(min(left, 0.2))

    def end(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()
        self._process.stderr.close()


class Node:
    """One dustwired with its own folder, port, inbox and socket. Settings are given as
    {"section/key": value} over the ones in `_defaults`; None leaves a key out."""

    def __init__(self, name="node", settings=None, folder=None, port=None, listen="127.0.0.1"):
        self.name, self.listen = name, listen
        self._own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="dw-")
        self.port = port or free_port(listen if listen != "*" else "127.0.0.1")
        self._is_port_fixed = port is not None
        self.inbox = os.path.join(self.folder, name + "-in")
        self.socket = os.path.join(self.folder, name + ".sock")
        self.config = os.path.join(self.folder, name + ".ini")
        self.log_path = os.path.join(self.folder, name + ".log")
        self.settings = self._defaults()
        self.settings.update(settings or {})
        self.process, self.events, self._stops, self._expected_codes = None, None, [], None
        self.write_settings()

    @property
    def programs(self):
        """The folder of dustwired and dustwire."""
        return BUILD

    @property
    def program(self):
        return os.path.join(self.programs, "dustwired")

    def _defaults(self):
        return {
            "node/idurl": IDURL.format(self.name),
            "node/host": None,
            "services/tcp-connections/tcp-port": self.port,
            "services/tcp-connections/listen": self.listen,
            "workers/threads": 2,
            "inbox/path": self.inbox,
            "control/socket": self.socket,
            "sessions/linger-ms": 500,
            "network/retry-s": 1,
            "network/retry-long-s": 1,
            "log/level": "info",
            "node/confined": False if "DUSTWIRE_TEST_LOOSE" in os.environ else None,
        }

    # ---- the settings file

    def write_settings(self):
        """Writes the INI file."""
        sections = {}
        for name, value in self.settings.items():
            section, key = name.rsplit("/", 1)
            if value is not None:
                sections.setdefault(section, []).append((key, value))
        with open(self.config, "w") as out:
            for section, keys in sections.items():
                out.write("[%s]\n" % section)
                for key, value in keys:
                    text = str(value).lower() if isinstance(value, bool) else str(value)
                    out.write('%s = "%s"\n' % (key, text) if "/" in text or "#" in text
                              else "%s = %s\n" % (key, text))

    def change(self, changes):
        self.settings.update(changes)
        self.write_settings()

    # ---- the daemon

    def spawn(self, run_by=(), **how):
        """Starts the daemon and returns at once. `run_by`: a command line prefix that runs it;
        `how`: arguments of subprocess.Popen that override the defaults."""
        with open(self.log_path, "ab") as log:
            usual = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self.process = subprocess.Popen([*run_by, self.program, "--config", self.config], **{**usual, **how})
        return self

    def start(self, limit=15.0):
        """Starts the daemon and returns when it serves. If another process has taken the port meanwhile,
        another port is used, unless the test chose the port."""
        for attempt in range(5):
            self.spawn()
            try:
                wait_until(self._is_serving_or_gone, lambda: "%s serves; status: %s\nlog:\n%s" % (
                    self.name, self.command("status"), self.log()), limit)
            except AssertionError:
                if self._is_port_fixed or not self._is_port_taken() or attempt == 4:
                    raise
                self._kill()
                self.port = free_port()
                self.change({"services/tcp-connections/tcp-port": self.port})
                continue
            if self.process.poll() is not None:
                raise AssertionError("%s ended at start with %s:\n%s" % (
                    self.name, self.process.returncode, self.log()))
            return self

    def _is_serving_or_gone(self):
        return self.process.poll() is not None or self.is_serving()

    def _is_port_taken(self):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                return True
        return False

    def is_serving(self):
        return os.path.exists(self.socket) and self.command("status").code == 0

    def follow(self):
        """Starts following the events; `self.events` from now on."""
        if self.events is None:
            self.events = Events(self)
        return self

    def signal(self, number):
        self.process.send_signal(number)

    @contextlib.contextmanager
    def stopped(self):
        """The daemon is stopped (SIGSTOP) during the block; after it, it handles everything that arrived."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def wait_exit(self, limit=20.0):
        try:
            return self.process.wait(seconds(limit))
        except subprocess.TimeoutExpired:
            raise AssertionError("%s still runs after %.0f s; log:\n%s" % (
                self.name, seconds(limit), self.log()))

    def stop(self, limit=20.0):
        """SIGTERM and the exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait_exit(limit)

    def kill(self):
        """kill -9, as a power cut for the process."""
        self._end_events()
        self._kill()

    def _kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _end_events(self):
        if self.events is not None:
            self.events.end()
            self.events = None

    def log(self):
        try:
            with open(self.log_path, errors="replace") as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, text, limit=10.0, count=1):
        return wait_until(lambda: self.log().count(text) >= count,
                          lambda: "%r in the log of %s:\n%s" % (text, self.name, self.log()[-6000:]),
                          limit)

    def memory_kib(self, key="VmHWM"):
        with open("/proc/%d/status" % self.process.pid) as stream:
            for line in stream:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        raise AssertionError("no %s in /proc/%d/status" % (key, self.process.pid))

    def close(self):
        """Ends running processes and removes the folder. Returns the problem if the daemon crashed, has a
        sanitizer's report in its log or failed to stop; else None."""
        problem = None
        self._end_events()
        if self.process is not None:
            if self.process.poll() is None:
                try:
                    code = self.stop()
                    if code != 0:
                        problem = "SIGTERM ended it with %s" % code
                except AssertionError as e:
                    problem = str(e)
                    self._kill()
            if self.process.returncode in CRASHES:
                problem = "it was killed by signal %d" % -self.process.returncode
            text = self.log()
            if report_in(text):
                problem = "its stderr contains %r" % report_in(text)
            if problem:
                problem = "%s: %s\n%s" % (self.name, problem, text[-12000:])
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        return problem

    # ---- the command

    def cli(self, *arguments):
        """The command line, with a long timeout for slow machines; a --timeout in `arguments` overrides it."""
        return [os.path.join(self.programs, "dustwire"), "--socket", self.socket, "--timeout", "180", *map(str, arguments)]

    def job(self, *arguments):
        return Job(self.cli(*arguments))

    def command(self, *arguments, limit=60.0):
        return self.job(*arguments).result(limit)

    def send_job(self, files, contact):
        return self.job("send", "--json", *files, contact)

    def send(self, files, contact, limit=60.0):
        return self.command("send", "--json", *files, contact, limit=limit)

    @property
    def contact(self):
        host = "127.0.0.1" if self.listen == "*" else self.listen
        return "tcp://[%s]:%d" % (host, self.port) if ":" in host else "tcp://%s:%d" % (host, self.port)

    def sessions(self):
        return rows_of(self.command("sessions", "--json"), "sessions")

    def streams(self):
        return rows_of(self.command("streams", "--json"), "streams")

    def status(self):
        result = self.command("status", "--json")
        return result.json()[0] if result.out.strip() else {}

    # ---- the inbox

    def received(self):
        """The plain files directly in the inbox, by name."""
        try:
            names = sorted(os.listdir(self.inbox))
        except FileNotFoundError:
            return []
        paths = [os.path.join(self.inbox, name) for name in names if not name.startswith(".")]
        return [path for path in paths if os.path.isfile(path)]

    def received_sums(self):
        return sorted(sha256(path) for path in self.received())

    def partials(self):
        """Names of the partial files."""
        names = []
        for folder in (".dustwire", ".dustwire/partial"):
            try:
                names += os.listdir(os.path.join(self.inbox, folder))
            except FileNotFoundError:
                pass
        return [name for name in names if name.endswith(".in")]

    def wait_no_partials(self, limit=10.0):
        wait_until(lambda: not self.partials(), lambda: "partial files left: %r\n%s" % (
            self.partials(), self.log()[-4000:]), limit)


def rows_of(result, word):
    """The rows of a list command: one object per row, or one object that contains them under `word`."""
    if result.code != 0:
        raise AssertionError("%s: %s" % (word, result))
    rows = []
    for value in result.json():
        rows.extend(value[word] if isinstance(value.get(word), list) else [value])
    return rows


class SystemTest(unittest.TestCase):
    """Nodes and folders that are closed with the test: it fails if one of its daemons crashed, has a
    sanitizer's report or did not stop cleanly."""

    maxDiff = None

    def folder(self):
        path = tempfile.mkdtemp(prefix="dw-")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def node(self, name="node", settings=None, is_started=True, **more):
        node = Node(name, settings, **more)
        self.addCleanup(self._close, node)
        return node.start().follow() if is_started else node

    def _close(self, node):
        problem = node.close()
        if problem:
            self.fail(problem)

    def job(self, job):
        """Registers a running command, which is ended with the test."""
        self.addCleanup(job.end)
        return job

    def assert_sent(self, result, count, code=0):
        rows = result.json()
        self.assertEqual(result.code, code, str(result))
        self.assertEqual(len(rows), count, str(result))
        for row in rows:
            self.assertEqual(row["status"], "finished", str(row))
        return rows

    def assert_not_sent(self, result, *words, code=1):
        """One file, failed, with an error that contains one of `words`."""
        self.assertEqual(result.code, code, str(result))
        rows = result.json()
        self.assertEqual(len(rows), 1, str(result))
        self.assertEqual(rows[0]["status"], "failed", str(result))
        self.assertTrue(rows[0]["error"], str(result))
        if words:
            self.assertTrue(any(word in rows[0]["error"] for word in words),
                            "%r contains none of %r" % (rows[0]["error"], words))
        return rows[0]


def main():
    if not os.path.exists(os.path.join(BUILD, "dustwired")):
        raise SystemExit("no dustwired in %s: build it, or set DUSTWIRE_BUILD" % BUILD)
    unittest.main(verbosity=2)
