"""The control socket of a running daemon: its file is removed, requests of every kind arrive while the
daemon stops, and long lists are read while they change."""
import http.client
import os
import shutil
import signal
import socket
import sys
import threading
import unittest
import xmlrpc.client
import zlib
from xml.parsers import expat

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gateway  # noqa: E402
import node as harness  # noqa: E402
import raw  # noqa: E402


class Reachable(harness.SystemTest):
    def setUp(self):
        self.bob = self.node("bob", {"control/socket": None}, is_started=False)
        self.run_folder = os.path.join(self.bob.folder, "run")
        self.bob.socket = os.path.join(self.run_folder, "control.sock")
        self.bob.change({"control/socket": self.bob.socket})
        self.bob.start()

    def wait_reachable(self):
        harness.wait_until(lambda: self.bob.command("status").code == 0,
                           lambda: "the daemon answers:\n" + self.bob.log(), 20)

    def make_other_file(self):
        os.unlink(self.bob.socket)
        with open(self.bob.socket, "w"):
            pass

    def make_dead_socket(self):
        os.unlink(self.bob.socket)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.bob.socket)

    def make_link(self):
        os.unlink(self.bob.socket)
        os.symlink("/nowhere", self.bob.socket)

    def test_a_removed_socket_is_recreated(self):
        removals = [("removed", lambda: os.unlink(self.bob.socket), False),
                ("removed, and SIGHUP", lambda: os.unlink(self.bob.socket), True),
                ("moved away", lambda: os.rename(self.bob.socket, self.bob.socket + ".old"), True),
                ("replaced by a dead one", self.make_dead_socket, True)]
        for count, (name, remove, is_signalled) in enumerate(removals, 1):
            with self.subTest(name):
                remove()
                if is_signalled:
                    self.bob.signal(signal.SIGHUP)
                self.wait_reachable()
                self.assertEqual(os.stat(self.bob.socket).st_mode & 0o777, 0o600)
                self.assertEqual(self.bob.log().count("was removed: recreated"), count, self.bob.log())
        self.assertEqual(self.bob.stop(), 0)
        self.assertFalse(os.path.exists(self.bob.socket))

    def test_another_file_in_its_place_is_not_removed(self):
        for name, replace in (("a file", self.make_other_file), ("a link", self.make_link)):
            with self.subTest(name):
                before = self.bob.log().count("commands cannot reach the daemon")
                replace()
                self.bob.signal(signal.SIGHUP)
                self.bob.wait_log("commands cannot reach the daemon", count=before + 1)
                self.assertTrue(os.path.lexists(self.bob.socket))
                os.unlink(self.bob.socket)
                self.bob.signal(signal.SIGHUP)
                self.wait_reachable()
                self.assertEqual(self.bob.log().count("commands cannot reach the daemon"), before + 1)

    def test_a_removed_folder_is_reported(self):
        shutil.rmtree(self.run_folder)
        self.bob.signal(signal.SIGHUP)
        harness.wait_until(lambda: "commands cannot reach the daemon" in self.bob.log()
                           or self.bob.is_serving(), self.bob.log)


class Stop(harness.SystemTest):
    """Six threads call every method while the daemon stops: each gets an answer or a closed connection,
    and the daemon exits with 0."""

    CALLS = [("status",), ("services",), ("list_sessions",), ("list_streams",), ("received",),
             ("events", 0, 10, 0), ("find_session", "127.0.0.1:1"), ("find_stream", 1),
             ("build_contacts",), ("verify_contacts", "127.0.0.1:1"), ("settings_dump",),
             ("settings_get",), ("cancel_send", 1), ("cancel_file_sending", 1),
             ("cancel_file_receiving", 1), ("cancel_outbox_file", "127.0.0.1:1", "/x"),
             ("disconnect_from", "127.0.0.1:1"), ("send_keep_alive", "127.0.0.1:1"),
             ("send_wait", [1], 10), ("connect_to", "127.0.0.1:1"), ("disconnect_from", "localhost:1"),
             ("check_reconnect",), ("automata", "network_connector"), ("system.listMethods",)]

    def poll(self, node, offset):
        control = gateway.control(node)
        at = offset
        while not self.is_done.is_set():
            method, *parameters = self.CALLS[at % len(self.CALLS)]
            at += 1
            try:
                getattr(control, method)(*parameters)
            except xmlrpc.client.Fault:
                pass
            except (OSError, http.client.HTTPException, xmlrpc.client.Error, expat.ExpatError):
                control = gateway.control(node)
                if node.process.poll() is not None:
                    return

    def test_calls_of_every_kind_while_it_stops(self):
        for _ in range(5):
            node = self.node("bob")
            self.is_done = threading.Event()
            pollers = [threading.Thread(target=self.poll, args=(node, i * 4)) for i in range(6)]
            for poller in pollers:
                poller.start()
            node.command("status")
            node.signal(signal.SIGTERM)
            code = node.wait_exit()
            self.is_done.set()
            for poller in pollers:
                poller.join()
            self.assertEqual(code, 0, node.log())


class FilesOfASession(harness.SystemTest):
    """Pages of the files of one session, by cursor, while some of them end."""

    SIZE, COUNT = 2000, 12

    def test_each_file_is_listed_exactly_once(self):
        self.bob = self.node("bob", {"log/level": "warning"})
        self.control = gateway.control(self.bob)
        for ends in ([[1], [2, 5], [3], [], [4, 9], [12]], [[1, 2]], [[2, 1], [4, 3], [6, 5]], [[], [12, 11]],
                     [[3, 4]], [[1], [3], [5], [7], [9], [11]], [[2], [4], [6], [8]], [list(range(1, 12))],
                     [list(range(3, 13))], [[], [], [], [], [], [11, 12]], []):
            with self.subTest(ends=ends):
                listed, gone = self.walk(iter(ends))
                self.assertEqual(len(listed), len(set(listed)))
                self.assertEqual(set(range(1, self.COUNT + 1)) - set(listed) - gone, set(), "omitted")

    def walk(self, ends):
        """The files that pages of two listed, and those that ended before they could be listed."""
        session = raw.Raw.greet(self.bob.port)
        content = harness.pattern(self.SIZE)
        for file_id in range(1, self.COUNT + 1):
            session.send(raw.data(file_id, self.SIZE, content[:1000]))
        harness.wait_until(lambda: len(self.control.list_streams()) == self.COUNT, "every file has begun")
        listed, gone, cursor = [], set(), ""
        while len(page := self.control.list_streams({"limit": 2, "cursor": cursor})) == 2:
            listed += [row["stream_id"] for row in page]
            cursor = page[-1]["cursor"]
            for file_id in next(ends, []):
                session.send(raw.data(file_id, self.SIZE, content[1000:]))
                gone |= {file_id} - set(listed)
                harness.wait_until(lambda: file_id not in [row["stream_id"] for row in self.control.list_streams()], "the file has ended")
        listed += [row["stream_id"] for row in page]
        session.close()
        harness.wait_until(lambda: not self.control.list_streams(), "the session is closed")
        return listed, gone


class Lists(harness.SystemTest):
    """Pages by cursor, while sessions are closed."""

    SESSIONS, FILES = 150, 4

    def setUp(self):
        self.bob = self.node("bob", {"workers/threads": 3, "log/level": "warning"})
        self.sessions = [raw.Raw.greet(self.bob.port) for _ in range(self.SESSIONS)]
        for session in self.sessions:
            self.addCleanup(session.close)
        for session in self.sessions[::10]:
            for file_id in range(1, self.FILES + 1):
                session.send(raw.data(file_id, 20000, harness.pattern(1000)))
        harness.wait_until(lambda: len(self.all("list_streams", 200)) == self.FILES * self.SESSIONS // 10,
                           "every file has begun")
        self.control = gateway.control(self.bob)

    def all(self, method, limit, after_page=None):
        control, cursor, items = gateway.control(self.bob), "", []
        while True:
            page = getattr(control, method)({"limit": limit, "cursor": cursor})
            items += page
            if len(page) < limit:
                return items
            cursor = page[-1]["cursor"]
            if after_page:
                after_page()

    def test_each_is_listed_once_for_every_page_size(self):
        ids = sorted(s["id"] for s in self.control.list_sessions())
        files = sorted((s["session"], s["stream_id"]) for s in self.control.list_streams())
        self.assertEqual(len(ids), self.SESSIONS)
        for limit in (1, 2, 7, 49, 50, 75, 149, 150, 151, 200):
            with self.subTest(limit):
                self.assertEqual(sorted(s["id"] for s in self.all("list_sessions", limit)), ids)
                listed = [(s["session"], s["stream_id"]) for s in self.all("list_streams", limit)]
                self.assertEqual(sorted(listed), files)

    def test_open_sessions_are_listed_once_while_others_close(self):
        self.sessions[0].close()
        going = iter(self.sessions[1:100:3])
        ports = {s.socket.getsockname()[1] for s in self.sessions[2::3]}

        def end_one():
            session = next(going, None)
            if session is not None:
                session.close()

        listed = [int(s["host"].rsplit(":", 1)[1]) for s in self.all("list_sessions", 5, end_one)]
        self.assertEqual(len(listed), len(set(listed)), listed)
        self.assertLessEqual(ports, set(listed))

    def test_an_invalid_cursor_is_refused(self):
        for cursor in ("x", "1", "0.0.1", "0.0.1.0.0", "0.0.1.x", "0,0,1,0"):
            for method in ("list_sessions", "list_streams"):
                with self.assertRaises(xmlrpc.client.Fault) as refused:
                    getattr(self.control, method)({"cursor": cursor})
                self.assertEqual(refused.exception.faultCode, -32602, cursor)
        with self.assertRaises(xmlrpc.client.Fault):
            self.control.list_sessions({"cursor": "", "offset": 1})
        self.assertEqual(self.control.list_sessions({"cursor": "99.0.0.0"}), [])
        self.assertEqual(self.control.list_sessions({"cursor": "0.99.0.0"}), [])


@unittest.skipIf(harness.SLOW > 4, "a sanitizer's memory hides the daemon's")
class Memory(harness.SystemTest):
    """Memory that clients can occupy in the daemon is bounded, whatever they send."""

    LONG = 60000

    def setUp(self):
        self.bob = self.node("bob", {"outbox/spool-limit-mib": 8, "log/level": "error"})
        self.silent = raw.Listener()
        self.addCleanup(self.silent.close)
        self.path = harness.make_file(os.path.join(self.folder(), "f"), 1)
        self.control = gateway.control(self.bob)
        self.open = []
        self.addCleanup(lambda: [s.close() for s in self.open])

    def repeat(self, count, call):
        """The fault codes of `count` calls."""
        faults = set()
        for i in range(count):
            try:
                call(i)
            except xmlrpc.client.Fault as fault:
                faults.add(fault.faultCode)
        return faults

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(harness.seconds(30))
        s.connect(self.bob.socket)
        self.open.append(s)
        return s

    def post(self, body, length=None):
        s = self.connect()
        s.sendall(b"POST /RPC2 HTTP/1.1\r\nHost: n\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s"
                  % (length or len(body), body))
        return s

    def send(self, **more):
        parameters = {"filename": self.path, "host": self.silent.contact}
        parameters.update(more)
        return self.control.send_file(parameters)

    def wait_calls(self, method, parameters, count):
        """Clients that send a request and close the connection without waiting."""
        body = xmlrpc.client.dumps(parameters, method).encode()
        for _ in range(count):
            self.post(body)
            if len(self.open) >= 100:
                while self.open:
                    self.open.pop().close()

    def test_memory_for_client_requests_is_bounded(self):
        many = "x" * self.LONG
        deep = "/" + "./" * 1990 + self.path.lstrip("/")
        kinds = [
            ("descriptions", lambda: self.repeat(1200, lambda i: self.send(description=many)), 2),
            ("identities", lambda: self.repeat(50, lambda i: self.send(remote_idurl=many)), None),
            ("identities that grow when they are escaped",
             lambda: self.repeat(50, lambda i: self.send(remote_idurl="\u20ac" * 20000)), None),
            ("descriptions beyond their own bound",
             lambda: self.repeat(20, lambda i: self.send(description=many * 2)), -32602),
            ("long paths", lambda: self.repeat(300, lambda i: self.send(filename=deep)), None),
            ("paths beyond all", lambda: self.repeat(50, lambda i: self.send(filename="/" + many)), 4),
            ("contacts", lambda: self.repeat(50, lambda i: self.send(host=[many + ":1"] * 10)), None),
            ("waits", lambda: self.wait_calls("send_wait", (list(range(1, 1001)), 60000), 300), None),
            ("events waited for", lambda: self.wait_calls("events", (10 ** 9, 500, 60000), 300), None),
            ("sessions dialled", lambda: self.wait_calls("connect_to", (self.silent.contact,), 500), None),
            ("received asked for", lambda: self.wait_calls("received", (), 300), None),
            ("bodies half sent", lambda: [self.post(b" " * 900000, 1000000) for _ in range(60)] and set(), None),
            ("spool files", lambda: self.repeat(50, lambda i: self.control.spool_begin("f", 1 << 20)), 2),
            ("names of spool files", lambda: self.repeat(50, lambda i: self.control.spool_begin(many, 1)), 4),
            ("settings", lambda: self.repeat(50, lambda i: self.control.settings_set("tcp-port", many)), 5),
            ("names of settings", lambda: self.repeat(50, lambda i: self.control.settings_get(many)), 1),
            ("names of methods", lambda: self.repeat(50, lambda i: getattr(self.control, "m" * self.LONG)()),
             -32601),
        ]
        for name, run, fault in kinds:
            with self.subTest(name):
                before = self.bob.memory_kib("VmRSS")
                faults = run()
                while self.open:
                    self.open.pop().close()
                harness.wait_until(lambda: self.bob.command("status").code == 0, "the daemon answers after " + name)
                grown = self.bob.memory_kib("VmRSS") - before
                self.assertLess(grown, 90 << 10, "%s: %d KiB" % (name, grown))
                if fault is not None:
                    self.assertIn(fault, faults, name)


class Received(harness.SystemTest):
    """A journal with records whose files do not exist."""

    COUNT = 1000

    def record(self, number):
        fields = ["F", str(number), "127.0.0.1", "7771", "0", "10", str(number * 1000), str(number * 1000),
                  "20260101T000000Z-%016x.in" % number, "0", "http%3A//a"]
        line = "\t".join(fields)
        return "%s\t%08x\n" % (line, zlib.crc32(line.encode()))

    def setUp(self):
        self.bob = self.node("bob", is_started=False)
        self.bob.start()
        self.bob.stop()
        with open(os.path.join(self.bob.inbox, ".dustwire", "journal"), "a") as journal:
            for number in range(1, self.COUNT + 1):
                line = "R\t%d" % number
                journal.write(self.record(number) + "%s\t%08x\n" % (line, zlib.crc32(line.encode())))
        self.bob.start()

    def ids(self, *options):
        result = self.bob.command("received", "--json", *options)
        self.assertEqual(result.code, 0, str(result))
        return [row["transfer_id"] for row in result.json()]

    def test_count_selects_the_newest_files(self):
        everything = list(range(1, self.COUNT + 1))
        for options, expected in (((), everything),
                                  (("--count", 1), everything[-1:]),
                                  (("--count", 20), everything[-20:]),
                                  (("--count", 200), everything[-200:]),
                                  (("--count", 201), everything[-201:]),
                                  (("--count", 400), everything[-400:]),
                                  (("--count", self.COUNT), everything),
                                  (("--count", 10 * self.COUNT), everything)):
            with self.subTest(str(options)):
                self.assertEqual(self.ids(*options), expected)

    def test_pages_and_cursors_of_the_call(self):
        control = gateway.control(self.bob)
        self.assertEqual([f["transfer_id"] for f in control.received(0, 5, 3)], [6, 7, 8])
        newest = control.received(0, 0, 2, "newest")
        self.assertEqual([f["transfer_id"] for f in newest], [self.COUNT - 1, self.COUNT])
        before = control.received({"limit": 2, "cursor": "before:" + newest[0]["cursor"]})
        self.assertEqual([f["transfer_id"] for f in before], [self.COUNT - 3, self.COUNT - 2])
        after = control.received({"cursor": "after:" + before[0]["cursor"]})
        self.assertEqual([f["transfer_id"] for f in after], [self.COUNT - 2, self.COUNT - 1, self.COUNT])
        self.assertEqual(control.received({"cursor": "after:" + newest[1]["cursor"]}), [])
        for cursor in ("after:", "after:1", "oldest", "before:1.x", "after:1.2.3", "newest ", "1.1"):
            with self.assertRaises(xmlrpc.client.Fault) as refused:
                control.received({"cursor": cursor})
            self.assertEqual(refused.exception.faultCode, -32602, cursor)

    def test_a_removed_file_is_listed_as_no_longer_there(self):
        alice = self.node("alice")
        path = harness.make_file(os.path.join(self.folder(), "f"), 10)
        for _ in range(2):
            self.assert_sent(alice.send([path], self.bob.contact), 1)
        os.unlink(self.bob.received()[0])
        last = self.bob.command("received", "--json", "--count", 2).json()
        self.assertEqual([row["is_there"] for row in last], [os.path.exists(row["path"]) for row in last])
        self.assertEqual(sorted(row["is_there"] for row in last), [False, True])
        text = self.bob.command("received", "--count", 2).out
        self.assertEqual(text.count("(no longer there)"), 1, text)

    def test_concurrent_calls_are_answered_or_refused(self):
        outcomes, lock = [], threading.Lock()

        def ask():
            try:
                count = len(gateway.control(self.bob).received())
            except xmlrpc.client.Fault as fault:
                count = -fault.faultCode
            with lock:
                outcomes.append(count)

        askers = [threading.Thread(target=ask) for _ in range(60)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        self.assertEqual(len(outcomes), 60)
        self.assertLessEqual(set(outcomes), {200, -2}, outcomes)
        self.assertIn(200, outcomes)


if __name__ == "__main__":
    harness.main()
