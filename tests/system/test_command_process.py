"""The command `dustwire`: inherited process attributes, output errors, and suspensions."""
import fcntl
import json
import os
import pty
import resource
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import unittest
import urllib.parse
import xmlrpc.client

import node as harness

IGNORE, BLOCK = "ignored", "blocked"


def result_of(process, limit=30):
    try:
        out, err = process.communicate(timeout=harness.seconds(limit))
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError("%r did not end: %r %r" % (process.args, out, err))
    return harness.Result(process.returncode, os.fsdecode(out or b""), os.fsdecode(err or b""))


class Inherited(harness.SystemTest):
    def setUp(self):
        self.a = self.node("alice")
        self.b = self.node("bob")
        self.files = self.folder()
        self.path = harness.make_file(os.path.join(self.files, "f"), 100)
        self.assert_sent(self.a.send([self.path], self.b.contact), 1)
        self.assert_sent(self.b.send([self.path], self.a.contact), 1)

    def shell(self, script, *arguments, node=None, **more):
        """Runs the command as "$@" of a shell script."""
        return result_of(subprocess.Popen(["bash", "-c", script, "bash", *(node or self.a).cli(*arguments)],
                                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                          **more))

    def test_failed_output_is_an_error_with_a_reason(self):
        events = ("events", "--after", "0", "--count", "1")
        for arguments in (("status",), ("status", "--json"), ("sessions",), ("streams",), ("services",), ("get",),
                          ("received",), ("automata",), ("help",), ("--version",), events, events + ("--json",),
                          ("send", self.path, self.b.contact), ("send", "--json", self.path, self.b.contact),
                          ("connect", self.b.contact)):
            for to, reason in ((">&-", "Bad file descriptor"), (">/dev/full", "No space left on device"),
                               ("<&- >&-", "Bad file descriptor")):
                with self.subTest(arguments=arguments, to=to):
                    result = self.shell('exec "$@" ' + to, *arguments)
                    self.assertEqual(result.code, 1, result)
                    self.assertEqual(result.err, "dustwire: cannot write to standard output: %s\n"
                                     % reason)

    def test_with_closed_descriptors_no_output_goes_to_a_socket(self):
        before = len(self.b.received())
        for to, code in (("<&-", 0), ("2>&-", 0), ("<&- 2>&-", 0), (">&- 2>&-", 1), ("<&- >&- 2>&-", 1)):
            with self.subTest(to=to):
                result = self.shell('exec "$@" ' + to, "send", self.path, self.b.contact)
                self.assertEqual(result.code, code, result)
        self.assertEqual(len(self.b.received()), before + 5)
        self.assertEqual(set(self.b.received_sums()), {harness.sha256(self.path)})

    def test_output_to_a_file_at_its_size_limit(self):
        out = os.path.join(self.files, "out")
        result = self.shell('ulimit -f 0; exec "$@" >"%s"' % out, "received")
        self.assertEqual((result.code, result.err), (1, "dustwire: cannot write to standard output: "
                                                        "File too large\n"))

    def test_few_descriptors_are_enough_or_reported(self):
        for limit in (4, 5, 6, 7, 8, 9, 10, 11, 12, 16):  # the dynamic loader needs one, too
            result = self.shell("ulimit -n %d; exec \"$@\"" % limit, "status")
            if limit >= 8 or result.code == 0:
                self.assertEqual((result.code, result.err), (0, ""), (limit, result))
            else:
                self.assertEqual(result.err, "dustwire: cannot open a connection: Too many open files: raise "
                                             "the limit (ulimit -n)\n", limit)

    def test_unusual_environments(self):
        bare = os.path.join(self.files, "gone")
        os.mkdir(bare)
        for script, more in (('exec "$@"', {"env": {}}),
                             ('exec "$@"', {"env": {"LC_ALL": "C", "TERM": "dumb"}}),
                             ('exec env LC_ALL=xx_YY.UTF-8 TERM= HOME=/nonexistent "$@"', {}),
                             ('umask 0777; exec "$@"', {}),
                             ('cd "%s"; rmdir "%s"; exec "$@"' % (bare, bare), {}),
                             ('exec setsid "$@"', {}),
                             ('exec nice -n 19 "$@"', {}),
                             ('ulimit -c 0 -s 512; exec "$@"', {}),
                             ('exec 3<&0 4<&0 5<&0; exec "$@"', {}),
                             ('exec "$@" </dev/full', {}),
                             ('http_proxy=http://127.0.0.1:9 all_proxy=socks5://127.0.0.1:9 exec "$@"', {})):
            with self.subTest(script=script, more=more):
                result = self.shell(script, "send", self.path, self.b.contact, **more)
                self.assertEqual((result.code, result.err), (0, ""), result)
                self.assertIn(": finished, ", result.out)

    def test_output_to_a_nonblocking_pipe_is_complete(self):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writer, False)
        process = subprocess.Popen(self.a.cli("automata", "--dot"), stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        got = b""
        while True:
            select.select([reader], [], [], harness.seconds(10))
            chunk = os.read(reader, 1000)
            if not chunk:
                break
            got += chunk
        os.close(reader)
        self.assertEqual(result_of(process).code, 0)
        self.assertEqual(got.decode(), self.a.command("automata", "--dot").out)
        self.assertGreater(len(got), 4096)

    # ---- signals

    def start(self, *arguments, dispositions=(), stdout=subprocess.PIPE):
        def prepare():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)  # the tests may run in the background, with SIGINT ignored
            for number, what in dispositions:
                if what == IGNORE:
                    signal.signal(number, signal.SIG_IGN)
                else:
                    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        process = subprocess.Popen(self.a.cli(*arguments), preexec_fn=prepare, stdin=subprocess.DEVNULL,
                                   stdout=stdout, stderr=subprocess.PIPE)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def wait_handlers(self, process, *numbers):
        """Waits until each of the signals is handled or ignored."""
        def masks_when_ready():
            with open("/proc/%d/status" % process.pid) as status:
                masks = {line.split(":")[0]: int(line.split()[1], 16) for line in status
                         if line.startswith(("SigCgt", "SigIgn", "SigBlk"))}
            return all((masks["SigCgt"] | masks["SigIgn"]) >> (number - 1) & 1 for number in numbers) and masks
        return harness.wait_until(masks_when_ready, "signals are caught or ignored")

    def test_ignored_signals_stay_ignored_and_blocked_ones_are_unblocked(self):
        for dispositions, sent, ends in (((), signal.SIGINT, 130), ((), signal.SIGTERM, 130),
                                         ((), signal.SIGHUP, -signal.SIGHUP),
                                         (((signal.SIGINT, IGNORE),), signal.SIGINT, None),
                                         (((signal.SIGTERM, IGNORE),), signal.SIGTERM, 130),
                                         (((signal.SIGHUP, IGNORE),), signal.SIGHUP, None),
                                         (((signal.SIGINT, IGNORE),), signal.SIGTERM, 130),
                                         (((signal.SIGTERM, BLOCK),), signal.SIGTERM, 130),
                                         (((signal.SIGINT, BLOCK),), signal.SIGINT, 130),
                                         (((signal.SIGHUP, BLOCK),), signal.SIGHUP, -signal.SIGHUP),
                                         (((signal.SIGQUIT, BLOCK),), signal.SIGQUIT, -signal.SIGQUIT)):
            with self.subTest(dispositions=dispositions, sent=sent):
                process = self.start("events", dispositions=dispositions)
                self.wait_handlers(process, signal.SIGINT, signal.SIGTERM)
                process.send_signal(sent)
                if ends is None:  # it was ignored: another signal ends it
                    other = signal.SIGTERM if sent != signal.SIGTERM else signal.SIGINT
                    harness.wait_until(lambda: not pending(process.pid), "nothing is pending")
                    self.assertIsNone(process.poll())
                    process.send_signal(other)
                self.assertEqual(result_of(process).code, 130 if ends is None else ends)

    def test_failed_programs_are_reported_if_sigchld_was_ignored(self):
        process = self.start("events", "--after", "0", "--count", "3", "--jobs", "1", "--exec", "sh", "-c", "exit 7",
                             dispositions=((signal.SIGCHLD, IGNORE),))
        result = result_of(process)
        self.assertEqual((result.code, result.err.count("failed with exit status 7")), (0, 3), result)

    def test_programs_inherit_the_original_signal_dispositions(self):
        show = "sed -n 's/^Sig\\(Ign\\|Blk\\):.*\\(.\\)\\(.\\)\\(.\\)\\(.\\)$/\\1 \\2\\3\\4\\5/p' /proc/self/status >&2"
        for dispositions, ignored in (((), 0), (((signal.SIGPIPE, IGNORE),), 0),
                                      (((signal.SIGINT, IGNORE),), 1 << signal.SIGINT - 1),
                                      (((signal.SIGTERM, BLOCK),), 0)):
            process = self.start("events", "--after", "0", "--count", "1", "--exec", "sh", "-c", show,
                                 dispositions=dispositions)
            result = result_of(process)
            self.assertEqual(result.code, 0, result)
            masks = dict(line.split() for line in result.err.splitlines())
            self.assertEqual((int(masks["Ign"], 16), int(masks["Blk"], 16)), (ignored, 0), dispositions)

    # ---- readers that close the pipe

    def test_a_closed_pipe_ends_it_by_sigpipe(self):
        for arguments in (("status",), ("status", "--json"), ("received",), ("received", "--json"), ("sessions",),
                          ("services",), ("get",), ("automata", "--dot"), ("help",), ("--version",),
                          ("send", self.path, self.b.contact), ("events", "--after", "0"),
                          ("events", "--json", "--after", "0")):
            for is_ignored in (False, True):
                with self.subTest(arguments=arguments, is_ignored=is_ignored):
                    reader, writer = os.pipe()
                    os.close(reader)
                    process = self.start(*arguments, stdout=writer,
                                         dispositions=((signal.SIGPIPE, IGNORE),) if is_ignored else ())
                    os.close(writer)
                    result = result_of(process)
                    if is_ignored:
                        self.assertEqual((result.code, result.err), (1, "dustwire: cannot write to standard "
                                                                        "output: Broken pipe\n"))
                    else:
                        self.assertEqual((result.code, result.err), (-signal.SIGPIPE, ""))

    def test_events_end_when_the_pipe_is_closed_without_an_event(self):
        for more in ((), ("--json",), ("--on", "failed"), ("--after", "0")):
            process = self.start("events", *more)
            if more == ("--after", "0"):
                self.assertTrue(process.stdout.readline())
            self.wait_handlers(process, signal.SIGINT)
            process.stdout.close()
            process.stdout = None
            self.assertEqual(result_of(process).code, -signal.SIGPIPE, more)
        ours, theirs = socket.socketpair()
        process = self.start("events", stdout=theirs)
        theirs.close()
        self.wait_handlers(process, signal.SIGINT)
        ours.close()
        self.assertEqual(result_of(process).code, -signal.SIGPIPE)


def pending(pid):
    with open("/proc/%d/status" % pid) as status:
        return any(int(line.split()[1], 16) for line in status if line.startswith(("SigPnd", "ShdPnd")))


NAMES = (b"plain", b"two words", b"two\nlines", b"tab\tbed", b"esc\x1b[31m", b"bell\x07", b"caf\xe9", b"\xff\xfe\xfd",
         "\u00fcber".encode(), "\U0001f600".encode(), "\U0010fffd".encode(), "csi\u009b1m".encode(),
         "rtl\u202egpj".encode(), "zero\u200bwidth".encode(), "bom\ufeff".encode(), b"50%41", b"quote\"'", b"back\\n",
         b"cut\xe2\x82", b"\xed\xa0\x80", b"-dash", b"a" * 250)


def run_on_terminal(arguments, columns=80, **environment):
    """Runs a command on a terminal; its output and exit status."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(arguments, stdin=theirs, stdout=theirs, stderr=theirs,
                               env={**os.environ, "TERM": "xterm", **environment})
    os.close(theirs)
    got = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError: # EIO: the other end is closed
            break
        if not chunk:
            break
        got += chunk
    os.close(ours)
    return got.replace(b"\r\n", b"\n"), process.wait(harness.seconds(30))


class Names(harness.SystemTest):
    """Programs get the exact bytes of names, a terminal gets escaped ones."""

    def setUp(self):
        self.a = self.node("alice")
        self.b = self.node("bob")
        self.files = os.fsencode(self.folder())
        self.paths = [os.path.join(self.files, name) for name in NAMES]
        for path in self.paths:
            with open(path, "wb") as file:
                file.write(b"content")

    def send(self, *more):
        return subprocess.run([*self.a.cli("send", *more, "--"), *self.paths, self.b.contact],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=harness.seconds(60))

    def bytes_of(self, row, key):
        if row.get(key + "_is_escaped"):
            return urllib.parse.unquote_to_bytes(row[key])
        return row[key].encode()

    def test_names_of_a_send_and_its_events(self):
        result = self.send("--json")
        self.assertEqual(result.returncode, 0, result)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(sorted(self.bytes_of(row, "file") for row in rows), sorted(self.paths))
        self.assertEqual([row.get("file_is_escaped") for row in rows if "\u202e" in row["file"]], [None])
        # text in a pipe
        result = self.send()
        for path in self.paths:
            self.assertIn(path + b": finished, ", result.stdout)
        follow = self.a.cli("events", "--after", "0", "--on", "file-sent", "--count", str(2 * len(NAMES)))
        result = subprocess.run(follow, capture_output=True, timeout=harness.seconds(60))
        for path in self.paths:
            self.assertIn(b" path=" + path + b"\n", result.stdout)
        # JSON
        result = subprocess.run([*follow, "--json"], capture_output=True, timeout=harness.seconds(60))
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual({self.bytes_of(row, "path") for row in rows}, set(self.paths))
        # a program's environment
        out = os.fsencode(self.folder())
        result = subprocess.run([*follow, "--exec", "sh", "-c", 'printf %%s "$DUSTWIRE_PATH" >"%s/$DUSTWIRE_NUMBER"'
                               % os.fsdecode(out)], capture_output=True, timeout=harness.seconds(60))
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        seen = set()
        for name in os.listdir(out):
            with open(os.path.join(out, name), "rb") as file:
                seen.add(file.read())
        self.assertEqual(seen, set(self.paths))

    def assert_text(self, got, is_progress=False):
        text = got.decode() # all of it is UTF-8
        for code in "\x1b\x07\x7f\x9b\t\u202e\u200b\ufeff" + ("" if is_progress else "\r"):
            self.assertNotIn(code, text)
        return text

    def test_the_reason_follows_a_long_path(self):
        folder = self.folder()
        for letter in (b"d", "\u00fc".encode(), b"\xff"):
            path = os.fsencode(folder)
            while len(path) < 3700:
                path += b"/" + letter * (200 // len(letter))
            os.makedirs(path)
            path = harness.make_file(os.fsdecode(path + b"/file"), 10)
            parent, unused = os.path.dirname(path), "127.0.0.1:%d" % harness.free_port()
            for arguments, reason in ((("send", path, unused), "connection failed: connection refused"),
                                      (("send", "-r", parent, unused), "connection failed: connection refused"),
                                      (("send", parent, unused), "is a directory: use --recursive to send its files"),
                                      (("send", path + "x", unused), "No such file or directory"),
                                      (("send", path + "/x", unused), "Not a directory"),
                                      (("send", path + 300 * "x", unused), "File name too long"),
                                      (("send", "/dev/null", path, unused), "0 finished, 2 failed"),
                                      (("send", path, self.a.contact), "the address is this node's own"),
                                      (("--token-file", path + "x", "status"), ": No such file or directory"),
                                      (("send", path, path), "the last argument must be HOST or HOST:PORT")):
                result = self.a.command(*arguments)
                self.assertNotEqual(result.code, 0)
                self.assertIn(reason, result.err[-200:])
            self.assertEqual(self.a.command("send", path, self.b.contact).out.count(path + ": finished, "), 1)

    def test_on_a_terminal(self):
        for term in ("xterm", "dumb", ""):
            got, code = run_on_terminal([*self.a.cli("send", "--"), *self.paths, self.b.contact], TERM=term)
            self.assertEqual(code, 0, got)
            text = self.assert_text(got, is_progress=True)
            for shown in ("two%0Alines: finished", "esc%1B[31m: finished", "rtl%E2%80%AEgpj: fin", "caf%E9: finished",
                          "\U0001f600: finished", "50%41: finished"):
                self.assertIn(shown, text)
        for arguments in (("events", "--after", "0", "--on", "file-sent", "--count", "20"), ("status",), ("sessions",),
                          ("help",), ("received",)):
            got, code = run_on_terminal(self.a.cli(*arguments))
            self.assertEqual(code, 0, got)
            self.assert_text(got)
        got, code = run_on_terminal(self.a.cli("events", "--json", "--after", "0", "--on", "file-sent", "--count", "20"))
        self.assert_text(got)
        rows = [json.loads(line) for line in got.decode().splitlines()]
        self.assertLessEqual({self.bytes_of(row, "path") for row in rows}, set(self.paths))

    def test_invalid_arguments_on_a_terminal(self):
        for arguments in (("stat\x1b[2Jus",), ("status", "\u202ex"), ("get", "\x1b]0;x\x07"), ("send", "no\x1bfile", "h\x1b:1"),
                          ("events", "--on", "x\u200b"), ("received", "--since", "\x1b[A"), ("--socket", "/\x1b[2J", "status"),
                          ("--opt\x07ion",), ("help", "\x9b"), ("send", "gone\x1b[31m", self.b.contact)):
            got, code = run_on_terminal(self.a.cli(*arguments))
            self.assertNotEqual(code, 0)
            self.assertIn("%", self.assert_text(got))

    def test_the_progress_has_no_escape_sequence_and_shows_the_wait_for_ok(self):
        self.assertEqual(self.a.command("connect", self.b.contact).code, 0)
        with self.b.stopped():
            done = threading.Timer(1.5, self.b.signal, [signal.SIGCONT])
            done.start()
            got, code = run_on_terminal(self.a.cli("send", os.fsdecode(self.paths[0]), self.b.contact), columns=40)
            done.join()
        self.assertEqual(code, 0, got)
        text = self.assert_text(got, is_progress=True)
        self.assertIn("100%  waiting for ok", text)  # the peer's kernel has every byte
        lines = [line for line in text.split("\r") if "%" in line]
        self.assertTrue(lines, text)
        for line in lines:
            self.assertLess(len(line.rstrip()), 40)


class Suspended(harness.SystemTest):
    """The command or the daemon is suspended."""

    def test_a_suspended_daemon_is_given_ten_seconds(self):
        a = self.node("alice")
        a._end_events()
        with a.stopped():
            began = time.monotonic()
            jobs = [harness.Job([os.path.join(harness.BUILD, "dustwire"), "--socket", a.socket, *arguments])
                    for arguments in (
                ("status",), ("status", "--json"), ("sessions",), ("streams",), ("services",), ("get",),
                ("get", "priority"), ("automata",), ("--timeout", "1", "events"), ("--timeout", "1", "received"),
                ("--timeout", "1", "set", "priority", "3"), ("--timeout", "1", "stop"),
                ("--timeout", "1", "send", harness.make_file(os.path.join(self.folder(), "f"), 1), "127.0.0.1:1"))]
            for job in jobs:
                self.job(job)
                result = job.result()
                self.assertEqual(result.code, 3, (job.process.args, result))
                self.assertRegex(result.err, "no response from the daemon at .* for (10|1) s")
            self.assertGreater(time.monotonic() - began, 9)

    def test_a_path_that_is_not_a_socket_is_reported(self):
        folder = self.folder()
        place = os.path.join(folder, "place")
        pipe, link, dangling = (os.path.join(folder, name) for name in ("pipe", "link", "dangling"))
        open(place, "w").close()
        os.mkfifo(pipe)
        os.symlink(place, link)
        os.symlink(os.path.join(folder, "none"), dangling)
        for path, expected in ((place, "is not a socket but a file"), (link, "is not a socket but a file"),
                           (folder, "is not a socket but a directory"), ("/", "is not a socket but a directory"),
                           ("/etc/passwd", "is not a socket but a file"), ("/proc/self/status", "is not a socket but a file"),
                           (pipe, "is not a socket but a pipe or a device"), (os.devnull, "is not a socket but a pipe or a device"),
                           (dangling, "No such file or directory"), (place + "/x", "Not a directory"),
                           (os.path.join(folder, "none"), "No such file or directory")):
            for arguments in (("status",), ("events",), ("send", place, "127.0.0.1:1")):
                with self.subTest(path=path, arguments=arguments):
                    result = result_of(subprocess.Popen([os.path.join(harness.BUILD, "dustwire"), "--socket", path,
                                                         *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE))
                    self.assertEqual(result.code, 3, result)
                    self.assertIn(expected, result.err)

    def test_the_reason_of_a_failed_connect_is_reported(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            waiting = [socket.socket() for _ in range(4)]  # the backlog is full: further connects are not answered
            for one in waiting:
                self.addCleanup(one.close)
                one.setblocking(False)
                one.connect_ex(listener.getsockname())
            for url, words in (("127.0.0.1:%d" % listener.getsockname()[1], "cannot connect to http://%s: no response within 1 s"),
                               (70 * "a" + ".example:1", "cannot resolve the host name in http://%s: unknown host"),
                               ("127.0.0.1:1", "cannot connect to the daemon at http://%s: Connection refused; start dustwired"),
                               ("[::ffff:127.0.0.1]:1", "cannot connect to the daemon at http://%s: Connection refused")):
                result = result_of(subprocess.Popen([os.path.join(harness.BUILD, "dustwire"), "--timeout", "1", "--url",
                                                     "http://" + url, "status"], stdout=subprocess.PIPE,
                                                    stderr=subprocess.PIPE))
                self.assertEqual(result.code, 3, result)
                self.assertIn(words % url, result.err)

    def test_a_suspension_is_not_a_timeout(self):
        """Command and daemon are suspended for longer than the timeout, and the command is resumed first."""
        a, b = self.node("alice"), self.node("bob")
        path = harness.make_file(os.path.join(self.folder(), "f"), 100)
        self.assertEqual(a.command("connect", b.contact).code, 0)
        with b.stopped():
            sends = [self.job(a.job("--timeout", "4", "send", path, b.contact)) for _ in range(3)]
            harness.wait_until(lambda: len(a.streams()) == 3, "the sends wait")
            for job in sends:
                job.process.send_signal(signal.SIGSTOP)
            with a.stopped():
                time.sleep(6)  # longer than the 4 s of --timeout and the 1 s that send asks the daemon to wait
                for job in sends:
                    job.process.send_signal(signal.SIGCONT)
                time.sleep(0.3)  # the commands run first
        for job in sends:
            self.assertEqual(job.result().code, 0)


class FakeDaemon:
    """A fake daemon at a Unix socket: `answer(method)` returns a value, a Fault, or None to close the
    connection when `released` is set. With `is_single` each connection is closed after its first answer."""

    def __init__(self, path, answer, is_single=False):
        self.requests, self.released, self._answer, self._is_single = [], threading.Event(), answer, is_single
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen(64)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while True:
                length = 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                if line == b"":
                    return
                _, method = xmlrpc.client.loads(stream.read(length))
                self.requests.append(method)
                value = self._answer(method)
                if value is None:
                    self.released.wait()
                    return
                body = xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True).encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                if self._is_single:
                    return

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Progress(harness.SystemTest):
    """The progress line: the bytes that the peer has acknowledged, if the daemon knows them."""

    def test_the_acknowledged_bytes_are_shown_and_then_the_wait_for_ok(self):
        path = harness.make_file(os.path.join(self.folder(), "f"), 1000)
        for number, (stream, shown, hidden) in enumerate((
                ({"bytes_current": 1000, "acknowledged": 400}, " 40%", "waiting for ok"),
                ({"bytes_current": 1000, "acknowledged": 0}, "  0%", "waiting for ok"),
                ({"bytes_current": 1000, "acknowledged": 999}, " 99%", "waiting for ok"),
                ({"bytes_current": 1000, "acknowledged": 1000}, "100%  waiting for ok", " left"),
                ({"bytes_current": 400}, " 40%", "waiting for ok"),
                ({"bytes_current": 1000}, "100%  waiting for ok", " left"))):
            waits = []

            def answer(method, stream=stream, waits=waits):
                if method == "send_file":
                    return 7
                if method == "list_streams":
                    return [{"request_id": 7, **stream}]
                waits.append(method)
                time.sleep(0.25)  # longer than the interval of the progress line
                return [{"id": 7, "is_done": len(waits) > 2, "status": "finished", "error": "", "bytes": 1000,
                         "size": 1000, "seconds": 0.5}]

            socket_path = os.path.join(self.folder(), str(number))
            server = FakeDaemon(socket_path, answer)
            self.addCleanup(server.close)
            got, code = run_on_terminal([os.path.join(harness.BUILD, "dustwire"), "--socket", socket_path, "send", path, "h:1"],
                                    columns=40)
            self.assertEqual(code, 0, got)
            self.assertIn(shown, got.decode(), stream)
            self.assertNotIn(hidden, got.decode(), stream)


class LostConnection(harness.SystemTest):
    """The daemon closes the connection while the command is suspended."""

    rows = (("status", ("status", "--json"), {"network_state": "DISCONNECTED"}, True),
            ("list_sessions", ("sessions", "--json"), [], True),
            ("list_streams", ("streams", "--json"), [], True),
            ("services", ("services", "--json"), [], True),
            ("settings_get", ("get", "--json"), [], True),
            ("automata", ("automata", "--json"), "digraph", True),
            ("events", ("events", "--after", "0", "--count", "1", "--json"),
             {"events": [{"event": "file-sent", "number": 1, "time_us": 1}], "last": 1, "lost": 0}, True),
            ("connect_to", ("connect", "h:1"), {"answer": True, "session": 1}, False),
            ("disconnect_from", ("disconnect", "h:1"), True, False),
            ("settings_set", ("set", "priority", "2"), "changed", False),
            ("reload", ("reload",), "changed", False),
            ("reconnect", ("reconnect",), True, False),
            ("cancel_file_sending", ("cancel", "5"), True, False))

    def test_queries_are_repeated_and_changes_are_not(self):
        folder, jobs = self.folder(), []
        for number, (method, arguments, value, _) in enumerate(self.rows):
            path = os.path.join(folder, str(number))
            first = []

            def answer(method, first=first, value=value):
                if not first:
                    first.append(method)
                    return None
                return value

            server = FakeDaemon(path, answer)
            self.addCleanup(server.close)
            jobs.append((server, self.job(harness.Job([os.path.join(harness.BUILD, "dustwire"), "--socket", path,
                                                       *arguments]))))
        for server, job in jobs:
            harness.wait_until(lambda: server.requests, "a request")
            job.process.send_signal(signal.SIGSTOP)
        time.sleep(4)  # more than 2.5 s count as a suspension
        for server, job in jobs:
            server.released.set()
            job.process.send_signal(signal.SIGCONT)
        for (method, arguments, _, is_repeated), (server, job) in zip(self.rows, jobs):
            with self.subTest(arguments=arguments):
                result = job.result()
                self.assertEqual(server.requests, [method, method] if is_repeated else [method])
                if is_repeated:
                    self.assertEqual((result.code, result.err), (3 if method == "status" else 0, ""), result)
                else:
                    self.assertEqual(result.code, 3, result)
                    self.assertIn("lost the connection to the daemon", result.err)

    def test_a_descriptor_limit_is_reported_as_such(self):
        path, processes = os.path.join(self.folder(), "socket"), []

        def answer(method):
            harness.wait_until(lambda: processes, "the command's process")
            resource.prlimit(processes[0].pid, resource.RLIMIT_NOFILE, (3, 3))
            return {"events": [], "last": 1, "lost": 0}

        server = FakeDaemon(path, answer, is_single=True)
        self.addCleanup(server.close)
        processes.append(subprocess.Popen([os.path.join(harness.BUILD, "dustwire"), "--socket", path, "events"],
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        result = result_of(processes[0])
        self.assertEqual(result.code, 1, result)
        self.assertTrue(result.err.startswith("dustwire: cannot open a connection: Too many open files: raise "
                                              "the limit (ulimit -n)\n"), result)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to run as a user with a process limit")
    def test_a_process_limit_is_reported_as_such(self):
        folder = self.folder()
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "socket")
        server = FakeDaemon(path, lambda method: {"events": [{"event": "file-sent", "number": 1, "time_us": 1}],
                                                "last": 1, "lost": 0})
        self.addCleanup(server.close)
        os.chmod(path, 0o666)
        command = os.path.join(folder, "dustwire")
        with open(os.path.join(harness.BUILD, "dustwire"), "rb") as program, open(command, "wb") as copy:
            copy.write(program.read())
        os.chmod(command, 0o755)

        def prepare():
            os.setgid(65534)
            os.setuid(65534)
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))

        for arguments, words in ((("--socket", path, "events", "--after", "0", "--count", "1", "--exec", "true"),
                                  "cannot start true for event 1: process limit reached (ulimit -u"),
                                 (("--url", "http://node.invalid:1", "status"),
                                  "cannot resolve the host name in http://node.invalid:1: thread limit reached (ulimit -u"),
                                 (("--url", "http://127.0.0.1:1", "status"), "Connection refused; start dustwired")):
            result = result_of(subprocess.Popen([command, *arguments], preexec_fn=prepare, stdout=subprocess.PIPE,
                                                stderr=subprocess.PIPE))
            self.assertIn(words, result.err)


class Lists(harness.SystemTest):
    """A long list is not buffered: each page is printed before the next one is requested."""

    items = {
        "received": {"committed_us": 1, "started_us": 1, "transfer_id": 1, "size": 1, "host": "h:1", "idurl": "",
                     "path": "/p", "is_there": True},
        "sessions": {"id": 1, "state": "CONNECTED", "direction": "in", "host": "h:1", "announced": "", "verified": False,
                     "files_in": 0, "files_out": 0, "files_waiting": 0, "bytes_received": 1, "bytes_sent": 1, "age_s": 1,
                     "idurl": ""},
        "streams": {"transfer_id": 1, "type": "out", "state": "waiting", "host": "h:1", "bytes_current": 0,
                    "bytes_total": 1, "bytes_per_second": 0, "session": 1, "age_s": 1, "filename": "/p"},
    }
    rows = (("received", ()), ("received", (200,)), ("received", (200, 200, 200, 7)), ("sessions", ()), ("sessions", (1,)),
            ("sessions", (199,)), ("sessions", (200,)), ("sessions", (200, 1)), ("sessions", (200, 200, 200, 7)),
            ("streams", ()), ("streams", (3,)), ("streams", (200, 200, 7)), ("streams", (200, 200, 200)))

    def served(self, command, counts, seen):
        pages = [[dict(self.items[command], cursor="%d.%d" % (n, i)) for i in range(count)] for n, count in enumerate(counts)]
        requests = []

        def answer(_):
            requests.append(seen.is_set())
            if len(requests) > 1 and not seen.wait(harness.seconds(10)):
                return []
            return pages[len(requests) - 1] if len(requests) <= len(pages) else []

        path = os.path.join(self.folder(), "socket")
        server = FakeDaemon(path, answer)
        self.addCleanup(server.close)
        return [os.path.join(harness.BUILD, "dustwire"), "--socket", path, command]

    def check_json(self, command, counts):
        seen = threading.Event()
        process = subprocess.Popen([*self.served(command, counts, seen), "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, bufsize=0)  # only the first byte is read
        first = process.stdout.read(1).decode()
        seen.set()
        result = result_of(process)
        text = first + result.out
        items = [json.loads(line) for line in text.splitlines()] if command == "received" else json.loads(text)
        self.assertEqual((len(items), result.code, result.err), (sum(counts), 0, ""))
        self.assertFalse([item for item in items if "cursor" in item])
        self.assertEqual(text.count("\n"), sum(counts) if command == "received" else 1)

    def check_table(self, command, counts):
        seen = threading.Event()
        seen.set()
        result = result_of(subprocess.Popen(self.served(command, counts, seen), stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE))
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertEqual(len(result.out.splitlines()), 1 + sum(counts))
        if sum(counts) == 0:
            self.assertRegex(result.out, "^no (files received|sessions|streams)\n$")

    def test_a_page_is_printed_before_the_next_is_requested(self):
        for command, counts in self.rows:
            with self.subTest(command=command, counts=counts):
                self.check_json(command, counts)
                self.check_table(command, counts)

    def test_an_aborted_list_is_not_a_complete_array(self):
        for command in ("sessions", "streams"):
            answers = [[dict(self.items[command], cursor=str(i)) for i in range(200)]]
            path = os.path.join(self.folder(), "socket")
            server = FakeDaemon(path, lambda _, answers=answers: answers.pop() if answers else None)
            self.addCleanup(server.close)
            process = subprocess.Popen([os.path.join(harness.BUILD, "dustwire"), "--socket", path, command, "--json"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            harness.wait_until(lambda: server.requests.count("list_" + command) == 2, "the second request")
            server.released.set()
            result = result_of(process)
            self.assertEqual(result.code, 3, result)
            self.assertEqual(result.out[:1] + result.out[-1:], "[}")
            self.assertIn("lost the connection to the daemon", result.err)


if __name__ == "__main__":
    harness.main()
