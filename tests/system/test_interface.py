"""The interface: a golden file lists everything that other programs rely on, and is compared line by line
with the programs' output. DUSTWIRE_GOLDEN_WRITE=1 rewrites it (docs/testing.md says when)."""
import os
import re
import signal
import subprocess
import sys

import interface_golden as golden
import interface_shapes as shapes
import node as harness
import raw
from interface_answers import Answers  # noqa: F401  (tests that run here)
from interface_control import Control  # noqa: F401
from interface_peers import Peers  # noqa: F401

MIB = 1 << 20
ROOT = os.path.dirname(os.path.dirname(harness.HERE))
ADAPTER = os.path.join(ROOT, "adapter", "bitdust", "dustwire-bitdust")
SECTIONS = {"automata", "callbacks", "control answers", "control methods", "environment of exec", "event members",
            "event names", "exit codes", "faults", "http statuses", "json members", "metrics", "options",
            "settings keys", "settings that can be set", "texts to a gateway", "texts to a peer", "wire", "words"}
FORMER_KEYS = [("inbox", "redo-log-mib", 8)]  # accepted without effect until a release that --check-config names


def run(program, *arguments):
    """Runs a program; without a daemon, unless the arguments name one."""
    result = subprocess.run([os.path.join(harness.BUILD, program), *map(str, arguments)], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=harness.seconds(30))
    return harness.Result(result.returncode, result.stdout, result.stderr)


class Programs(harness.SystemTest):
    """Output that needs no daemon."""

    def test_options_and_commands(self):
        text = run("dustwire", "--help").out
        commands = re.findall("^  ([a-z-]+) ", text.partition("Options:")[0], re.MULTILINE)
        lines = shapes.options("dustwire", text)
        for command in commands:
            result = run("dustwire", "help", command).out
            lines += ["dustwire " + command] + shapes.options("dustwire " + command, result)
        for program in ("dustwired", "dustwire-load"):
            text = run(program, "--help").out
            lines += shapes.options(program, text)
            lines += ["%s %s" % (program, case) for case in re.findall(
                "^  ([a-z]+) ", text.partition("Options:")[0], re.MULTILINE)]
        result = subprocess.run([sys.executable, "-B", ADAPTER, "--help"], capture_output=True, text=True)
        lines += shapes.options("dustwire-bitdust", result.stdout)
        golden.check(self, {"options": lines})

    def test_event_names(self):
        result = run("dustwire", "--socket", "/nonexistent/socket", "events", "--on", "none of them").err
        golden.check(self, {"event names": re.findall(r"^  (\S+)$", result, re.MULTILINE)})

    def test_settings_keys(self):
        own = os.path.join(self.folder(), "own.ini")  # not that of a daemon on this machine
        dump = run("dustwired", "--settings-file", own, "--dump-config").out.replace('"%s"' % own, '""')
        lines = shapes.settings(dump) + ["first line: " + dump.partition("\n")[0]]
        for section, key, value in FORMER_KEYS:
            node = self.node("former", {"%s/%s" % (section, key): value}, is_started=False)
            result = run("dustwired", "--config", node.config, "--check-config")
            text = result.out + result.err
            lines.append("%s/%s (former): --check-config ends with %d, names it and release %s" % (
                section, key, result.code, ", ".join(re.findall(r"\brelease (\d+\.\d+)\b", text) if key in text else [])))
        golden.check(self, {"settings keys": lines})


class ExitCodes(harness.SystemTest):
    """A table of commands and their exit status."""

    def setUp(self):
        self.lines, self.files = [], self.folder()
        self.path = harness.make_file(os.path.join(self.files, "file"), 1000)

    def record(self, what, code):
        self.lines.append("%s: %s" % (what, code if code >= 0 else signal.Signals(-code).name))

    @harness.not_under("valgrind", "an immediate exit frees nothing")
    def test_exit_codes(self):
        self.commands_without_a_daemon()
        self.commands()
        self.interrupted_commands()
        self.failed_starts()
        self.stopped_daemons()
        golden.check(self, {"exit codes": self.lines})

    def commands_without_a_daemon(self):
        none = ("--socket", "/nonexistent/socket")
        for words in (("--version",), ("--help",), ("help", "status"), ("status", "--help"), (), ("nonsense",),
                      ("--nonsense", "status"), ("status", "--nonsense"), ("help", "nonsense"), ("status", "more"),
                      ("connect", "no^contact"), ("connect",), ("set", "priority"), ("events", "--on", "nonsense"),
                      ("events", "--count", "x"), ("--url", "nonsense", "status"), ("--socket", "", "status")):
            self.record(" ".join(("dustwire",) + words), run("dustwire", *words).code)
        for words in (("status",), ("sessions",), ("connect", "h:1"), ("events",), ("set", "priority", "1"), ("stop",)):
            self.record("no daemon, dustwire " + " ".join(words), run("dustwire", *none, *words).code)
        self.record("no daemon, dustwire send FILE h:1", run("dustwire", *none, "send", self.path, "h:1").code)
        self.record("no daemon, dustwire --url URL status", run(
            "dustwire", "--url", "http://127.0.0.1:%d" % harness.free_port(), "status").code)
        for words in (("--help",), ("--version",), (), ("nonsense", "h:1"), ("bulk", "--nonsense", "h:1")):
            self.record(" ".join(("dustwire-load",) + words), run("dustwire-load", *words).code)
        self.record("nobody listens, dustwire-load small HOST:PORT", run(
            "dustwire-load", "small", "--files", "1", "--quiet", "127.0.0.1:%d" % harness.free_port()).code)

    def commands(self):
        port = harness.free_port()
        a, b = self.node("alice", {"control/listen": "127.0.0.1:%d" % port, "control/token": "t" * 20}), self.node("bob")

        def record(what, *words):
            self.record("dustwire " + what, a.command(*words).code)

        for words in (("status",), ("sessions",), ("streams",), ("services",), ("received",), ("automata",), ("get",),
                      ("get", "priority"), ("set", "priority", "3"), ("unset", "priority"), ("reload",),
                      ("events", "--after", "0", "--count", "1"), ("get", "nonsense"), ("set", "nonsense", "1"),
                      ("set", "tcp-port", "70000"), ("unset", "nonsense"), ("automata", "nonsense"), ("cancel", "999"),
                      ("disconnect", "127.0.0.1:1"), ("keep-alive", "127.0.0.1:1"), ("connect", "udp://h:1")):
            record(" ".join(words), *words)
        record("connect to a node", "connect", b.contact)
        record("keep-alive to a session", "keep-alive", b.contact)
        record("disconnect from a session", "disconnect", b.contact)
        record("connect where nobody listens", "connect", harness.unused_contact())
        record("send FILE to a node", "send", self.path, b.contact)
        record("send FILE where nobody listens", "send", self.path, harness.unused_contact())
        record("send FILE and one that there is not", "send", self.path, "/nonexistent/file", b.contact)
        record("send FOLDER without -r", "send", self.files, b.contact)
        record("send -r FOLDER", "send", "-r", self.files, b.contact)
        os.mkfifo(os.path.join(self.files, "fifo"))
        record("send -r FOLDER with a pipe in it", "send", "-r", self.files, b.contact)
        self.record("dustwire --url URL status without the token",
                  run("dustwire", "--url", "http://127.0.0.1:%d" % port, "status").code)
        with open("/dev/full", "w") as full:
            self.record("dustwire status to a full disk", subprocess.run(a.cli("status"), stdout=full,
                                                                       stderr=subprocess.DEVNULL).returncode)
        with open(a.config, "a") as out:
            out.write("[nonsense]\n")
        record("reload of a bad file", "reload")
        record("stop", "stop")
        a.wait_exit()

    def interrupted_commands(self):
        a = self.node("alice")
        reader, writer = os.pipe()
        process = subprocess.Popen(a.cli("events", "--after", "0"), stdout=writer, stderr=subprocess.DEVNULL)
        os.close(reader)
        os.close(writer)
        self.record("dustwire events whose reader has gone", process.wait(harness.seconds(20)))
        for number in (signal.SIGINT, signal.SIGTERM):
            name = signal.Signals(number).name
            process = subprocess.Popen(a.cli("events", "--after", "0"), stdout=subprocess.PIPE)
            process.stdout.readline()
            process.send_signal(number)
            process.stdout.read()
            process.stdout.close()
            self.record("dustwire events, " + name, process.wait(harness.seconds(20)))
            job = self.sending(a)
            job.process.send_signal(number)
            self.record("dustwire send under way, " + name, job.result().code)
        job = self.sending(a)
        events = self.job(a.job("events"))
        a.kill()
        self.record("dustwire send under way, the daemon is gone", job.result().code)
        self.record("dustwire events, the daemon is gone", events.result().code)
        a.process = None

    def sending(self, node):
        """A send in progress to a peer that does not read."""
        silent = raw.Listener(receive_buffer=65536)
        self.addCleanup(silent.close)
        path = harness.make_file(os.path.join(self.folder(), "big"), 12 * MIB)
        job = self.job(node.send_job([path], silent.contact))
        peer = silent.accept()
        self.addCleanup(peer.close)
        peer.expect(raw.DATA)
        return job

    def failed_starts(self):
        a = self.node("alice")
        for words in (("--help",), ("--version",), ("--nonsense",), ("more",)):
            self.record("dustwired " + " ".join(words), run("dustwired", *words).code)
        self.record("dustwired --dump-config", run("dustwired", "--config", a.config, "--dump-config").code)
        self.record("dustwired --check-config, good", run("dustwired", "--config", a.config, "--check-config").code)
        bad = os.path.join(self.files, "bad.ini")
        with open(bad, "w") as out:
            out.write("[services/tcp-connections]\ntcp-port = 0\n")
        for what, words in (("bad settings", ("--config", bad)), ("no settings file", ("--config", bad + ".none"))):
            self.record("dustwired --check-config, " + what, run("dustwired", *words, "--check-config").code)
            self.record("dustwired, " + what, run("dustwired", *words).code)
        for what, settings in (("another one has the inbox", {"inbox/path": a.inbox}),
                               ("another one has the control socket", {"control/socket": a.socket}),
                               ("the control port is busy", {"control/listen": "127.0.0.1:%d" % a.port}),
                               ("the inbox cannot be made", {"inbox/path": "/proc/nothing/inbox"})):
            other = self.node("other", settings, is_started=False)
            self.record("dustwired, " + what, run("dustwired", "--config", other.config).code)
        late = self.node("late", port=a.port, is_started=False).spawn()
        harness.wait_until(lambda: late.status().get("network_state") == "DISCONNECTED", late.log)
        self.record("dustwire status, the daemon's port is busy", late.command("status").code)
        self.record("dustwired, the port is busy, SIGTERM", late.stop())

    def stopped_daemons(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            name = signal.Signals(number).name
            node = self.node("bob", {"sessions/stop-timeout-s": 60})
            node.signal(number)
            self.record("dustwired, %s" % name, node.wait_exit())
            node = self.node("bob", {"sessions/stop-timeout-s": 60})
            peer = raw.Raw.greet(node.port)
            peer.send(raw.data(1, 1000, b"x"))
            harness.wait_until(node.streams, "a file in progress")
            node.signal(number)
            harness.wait_until(lambda: node.status().get("is_stopping"), "it stops")
            node.signal(number)
            self.record("dustwired, a file under way, %s twice" % name, node.wait_exit())
            peer.close()
            node.process = None


class Comparison(harness.SystemTest):
    """The comparison fails for every section, and for every missing, new or changed line."""

    def setUp(self):
        if golden.is_rewriting():
            self.skipTest("the file is being rewritten")

    def test_every_section_is_compared(self):
        self.assertEqual(set(golden.read()), SECTIONS)

    def test_a_missing_new_or_changed_line_is_reported(self):
        for name, lines in golden.read().items():
            with self.subTest(name):
                self.assertEqual(golden.difference(name, lines, reversed(lines)), "")
                for at, line in enumerate(lines):
                    for seen, expected in ((lines[:at] + lines[at + 1:], "-" + line),
                                       (lines + [line + "x"], "+" + line + "x"),
                                       (lines[:at] + [line + "x"] + lines[at + 1:], "-" + line)):
                        self.assertIn("\n" + expected, golden.difference(name, lines, seen))

    def test_a_difference_fails_the_test(self):
        for name, lines in golden.read().items():
            with self.assertRaises(AssertionError) as failed:
                golden.check(self, {name: lines[1:]})
            self.assertIn("-" + lines[0], str(failed.exception))


if __name__ == "__main__":
    harness.main()
