"""Answers of commands and calls, compared with the golden file: the members of JSON and XML-RPC values,
events, metrics, automata. Two nodes exchange files, with failed sends and transfers in progress."""
import os
import re
import subprocess
import xmlrpc.client

import gateway as remote
import interface_golden as golden
import interface_shapes as shapes
import node as harness
import raw

MIB = 1 << 20
LONG = 3 * MIB  # takes seconds at 1 MiB/s, so that progress is reported


class Answers(harness.SystemTest):
    """Two nodes that exchange files."""

    def setUp(self):
        self.json = shapes.Shapes(shapes.JSON_TYPES, maps=("limits_hit",), hidden=("metrics",))
        self.rpc = shapes.Shapes(shapes.RPC_TYPES, maps=("limits_hit",), hidden=("metrics",))
        self.words, self.forms = set(), set()
        self.files = self.folder()
        self.a = self.node("alice", {"bandwidth/out-kib-per-s": 1024, "inbox/largest-file-mib": 1,
                                     "node/host": "127.0.0.1"})
        self.b = self.node("bob")
        self.control = remote.control(self.a)

    def file(self, name, size=1000):
        return harness.make_file(os.path.join(self.files, name), size)

    def run_json(self, *command, code=0, node=None):
        """Runs a command with --json and records the members of its output."""
        result = (node or self.a).command(command[0], "--json", *command[1:])
        self.assertEqual(result.code, code, (command, result))
        self.forms.add("%s: %s" % (command[0], "an array" if result.out.startswith("[") else "an object a line"))
        for value in result.json():
            self.json.add(command[0], value)
        return result.json()

    def call(self, method, *parameters):
        """Calls a method and records the members of its answer."""
        answer = getattr(self.control, method)(*parameters)
        self.rpc.add(method, answer)
        return answer

    def record(self, what, *words):
        self.words.update("%s: %s" % (what, word) for word in words)

    def raw(self, **more):
        peer = raw.Raw.greet(self.a.port, **more)
        self.addCleanup(peer.close)
        return peer

    def send(self, *arguments, code=0, node=None):
        for row in self.run_json("send", *arguments, code=code, node=node):
            self.record("send status", row["status"])

    def test_answers(self):
        self.files_in_both_directions()
        self.files_that_fail()
        self.files_in_progress()
        self.calls_and_commands()
        self.settings()
        self.reconnect()
        self.lists()
        self.load()
        self.events()
        methods, metrics = self.methods(), self.a.status()["metrics"]
        automata, can_be_set = self.run_json("automata")[0]["dot"], self.run_json("get")
        environment = self.environment()
        self.run_json("stop")
        golden.check(self, {
            "automata": shapes.transitions(automata),
            "control answers": self.rpc.lines(),
            "control methods": methods,
            "event members": self.event_shapes.lines(),
            "json members": self.json.lines() + list(self.forms),
            "metrics": ["%s: %s" % (name, shapes.JSON_TYPES[type(value)])
                        for name, value in metrics.items()],
            "settings that can be set": ["%s/%s (%s)" % (row["section"], row["name"], shapes.kind(row["allowed"]))
                                         for row in can_be_set],
            "environment of exec": environment,
            "words": self.words,
        })

    def files_in_both_directions(self):
        """A long file with progress events, one whose name is not UTF-8, and one in the other direction."""
        job = self.job(self.a.send_job([self.file("long", LONG)], self.b.contact))
        self.a.events.wait("file-sending-progress")
        self.b.events.wait("file-receiving-progress")
        self.assert_sent(job.result(), 1)
        self.odd = self.file(os.fsdecode(b"odd-\xff"))
        self.send(self.odd, self.b.contact)
        self.send(self.file("back"), self.a.contact, node=self.b)

    def files_that_fail(self):
        folder = os.path.join(self.files, "folder")
        os.mkdir(folder)
        os.mkfifo(os.path.join(folder, "fifo"))
        self.file("folder/file")
        self.send("-r", folder, self.b.contact)
        self.send(self.file("refused"), harness.unused_contact(), code=1)
        peer = self.raw()
        peer.send(raw.data(1, 2 * MIB, b"x"))  # beyond largest-file-mib
        peer.expect_end()
        peer = self.raw()
        peer.send(raw.data(1, 100, b"x"), raw.abort(1))
        self.a.events.wait("file-received", status="failed", size=100)

    def files_in_progress(self):
        """An incoming file, an outgoing one that the peer does not read, and one that waits for its ok."""
        peer = self.raw()
        peer.send(raw.data(1, 20000, b"x"))
        silent, slow = raw.Listener(), raw.Listener(receive_buffer=65536)
        self.addCleanup(silent.close)
        self.addCleanup(slow.close)
        jobs = [self.job(self.a.send_job([self.odd], silent.contact))]
        jobs.append(self.job(self.a.send_job([self.file("big", 4 * LONG)], slow.contact)))
        ends = [silent.accept(), slow.accept()]
        for end in ends:
            end.expect(raw.DATA)
        harness.wait_until(lambda: {"receiving", "sending", "ok awaited"} <= {row["state"] for row in self.a.streams()},
                           "files in three states")
        for row in self.run_json("streams"):
            self.record("stream state", row["state"])
            self.record("stream type", row["type"])
        for row in self.call("list_streams"):
            self.call("find_stream", None, row["transfer_id"])
        for row in self.run_json("sessions"):
            self.record("session direction", row["direction"])
        self.call("status")
        self.run_json("status")
        for end, job in zip(ends, jobs):
            end.close()
            self.assertEqual(job.result().code, 1)

    def calls_and_commands(self):
        self.run_json("connect", self.b.contact)
        self.run_json("keep-alive", self.b.contact)
        self.run_json("cancel", "999999", code=1)
        self.call("connect_to", self.b.contact)
        self.call("send_keep_alive", self.b.contact)
        self.call("find_session", self.b.contact)
        self.call("list_sessions")
        self.call("build_contacts")
        self.call("verify_contacts", [self.a.contact])
        plain, odd = self.file("plain"), os.fsencode(self.odd)
        self.call("send_wait", [self.call("send_file", None, plain, self.b.contact, "note"),
                                self.call("send_file_single", None, odd, harness.unused_contact())])
        self.call("send_wait", [self.call("send_file", None, plain, harness.unused_contact())])
        for method in ("send_spooled", "send_spooled_single"):
            spool = self.call("spool_begin", "name", 3)
            self.call("spool_write", spool, xmlrpc.client.Binary(b"abc"))
            self.call("send_wait", [self.call(method, None, spool, self.b.contact)])
        self.call("cancel_send", 999999)
        self.call("cancel_file_sending", 999999)
        self.call("cancel_file_receiving", 999999)
        self.call("cancel_outbox_file", self.b.contact, "/nothing")
        self.call("disconnect_from", self.b.contact)
        self.run_json("connect", self.b.contact)
        self.run_json("disconnect", self.b.contact)

    def settings(self):
        self.run_json("get", "tcp-port")
        self.run_json("set", "priority", "5")
        self.run_json("unset", "priority")
        self.run_json("reload")
        self.call("settings_get", "priority")
        self.call("settings_set", "priority", 6)
        self.call("settings_unset", "priority")
        self.call("settings_dump")
        self.call("reload")
        self.call("automata", "network_connector")
        self.call("system.listMethods")
        self.call("system.methodHelp", "status")

    def reconnect(self):
        count = len(self.a.events.all("receiving-state-changed", to="receiving-started"))
        self.run_json("reconnect")
        self.a.events.wait("receiving-state-changed", count + 1, to="receiving-started")
        harness.wait_until(self.a.is_serving, "the node serves again")
        self.call("reconnect")
        self.a.events.wait("receiving-state-changed", count + 2, to="receiving-started")
        harness.wait_until(self.a.is_serving, "the node serves again")
        self.call("check_reconnect")

    def lists(self):
        for name in ("services", "received"):
            self.run_json(name)
            self.call(name)
        status, = self.run_json("status")
        self.record("network state", status["network_state"])
        for row in self.run_json("services"):
            self.record("service", row["name"])
            self.record("service state", row["state"])

    def load(self):
        result = subprocess.run([os.path.join(harness.BUILD, "dustwire-load"), "small", "--files", "4", "--size", "1K",
                                 "--quiet", "--socket", self.b.socket, "--json", "-",
                                 self.b.contact.removeprefix("tcp://")], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result)
        for value in harness.json_values(result.stdout):
            self.json.add("dustwire-load", value)

    def events(self):
        self.call("events", 0)
        self.event_shapes = shapes.Shapes(shapes.JSON_TYPES)
        for event in self.a.events.seen + self.b.events.seen:
            self.event_shapes.add(event["event"], event)
            if "status" in event:
                self.record("event status", event["status"])
            if event["event"] == "receiving-state-changed":
                self.record("receiving state", event["to"])

    def environment(self):
        """The environment variables that --exec programs get, over all events so far."""
        path = os.path.join(self.files, "names")
        result = self.a.command("events", "--after", "0", "--count", len(self.a.events.seen), "--jobs", "1", "--exec",
                                "sh", "-c", "env -0 | cut -z -d= -f1 >>%s" % path)
        self.assertEqual(result.code, 0, result)
        with open(path) as stream:
            names = set(stream.read().split("\0"))
        return [name for name in names if name.startswith("DUSTWIRE_") and name not in os.environ]

    def methods(self):
        return [re.match(r"([\w.]+\(.*?\)): ", self.control.system.methodHelp(name)).group(1)
                for name in self.control.system.listMethods()]
