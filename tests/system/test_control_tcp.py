"""The control server at a TCP address: the token, and a gateway's calls with Python's XML-RPC client."""
import http.client
import os
import socket
import subprocess
import sys
import time
import xmlrpc.client

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import node as harness  # noqa: E402

TOKEN = "correct-horse-battery-staple"
STATUS = xmlrpc.client.dumps((), "status")


class Daemon(harness.SystemTest):
    def at_tcp(self, token=TOKEN, **more):
        port = harness.free_port()
        node = self.node("alice", dict({"control/listen": "127.0.0.1:%d" % port,
                                        "control/token": token}, **more))
        node.control_port = port
        return node

    def proxy(self, node, token=TOKEN):
        headers = [("Authorization", "Bearer " + token)] if token else []
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1:%d/RPC2" % node.control_port,
                                          headers=headers, allow_none=True)
        self.addCleanup(proxy("close"))
        return proxy

    def post(self, node, path="/RPC2", headers=(), body=STATUS, method="POST"):
        connection = http.client.HTTPConnection("127.0.0.1", node.control_port,
                                                timeout=harness.seconds(10))
        try:
            connection.request(method, path, body,
                               dict({"Content-Type": "text/xml"}, **dict(headers)))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def lines(self, node, text, start_time):
        """The log lines with `text`: at least one, and at most one per ten seconds since `start_time`."""
        lines = [line for line in node.log().splitlines() if text in line]
        self.assertTrue(1 <= len(lines) <= 1 + (time.monotonic() - start_time) // 10, lines)
        return lines

    def fault(self, code, function, *arguments):
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.faultCode, code, caught.exception)
        self.assertTrue(caught.exception.faultString)
        return caught.exception.faultString


class Unauthenticated(Daemon):
    def test_slow_requests_are_closed_and_do_not_block_others(self):
        node = self.at_tcp()
        held = []
        for i in range(100):
            connection = socket.create_connection(("127.0.0.1", node.control_port))
            self.addCleanup(connection.close)
            connection.settimeout(harness.seconds(30))
            connection.sendall(b"POST /RPC2 HTTP/1.1\r\nHost: x\r\n")
            held.append(connection)
        self.assertEqual(self.proxy(node).status()["network_state"], "CONNECTED")
        start_time = time.monotonic()
        open_ones = held[:10]
        while open_ones and time.monotonic() - start_time < harness.seconds(20):
            time.sleep(1)  # a byte per second does not extend the timeout
            for connection in list(open_ones):
                try:
                    connection.sendall(b"x")
                except OSError:
                    open_ones.remove(connection)
        self.assertEqual(open_ones, [])
        for connection in held[10:]:
            self.assertEqual(connection.recv(1), b"")

    @harness.needs_backlog(512)
    def test_clients_that_close_during_a_request_are_released(self):
        """The end of the connection arrives together with the last bytes. Connections whose end is not
        noticed would occupy the 128 of the address until a timeout."""
        node = self.at_tcp()
        head = (b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: text/xml\r\n"
                b"Content-Length: 100\r\n\r\n" % TOKEN.encode())

        before = node.descriptors()
        for part in (head + b"<?xml", head[:40], b""):
            with node.stopped():  # all arrive at once: the backlog holds them
                for _ in range(512):
                    with socket.create_connection(("127.0.0.1", node.control_port)) as connection:
                        connection.sendall(part)
            start_time = time.monotonic()
            self.assertEqual(self.post(node, headers=(("Authorization", "Bearer " + TOKEN),))[0], 200)
            harness.wait_until(lambda: node.descriptors() < before + 10, "the descriptors are closed")
            self.assertLess(time.monotonic() - start_time, harness.seconds(2))

    def test_a_client_that_shuts_down_after_a_request_is_answered(self):
        node = self.at_tcp()
        after = self.proxy(node).events()["last"]
        a_second_later = xmlrpc.client.dumps((after, 1, 1000), "events").encode()
        for body in (STATUS.encode(), a_second_later, STATUS.encode() + b" " * 900000):
            with socket.create_connection(("127.0.0.1", node.control_port)) as connection:
                connection.settimeout(harness.seconds(10))
                connection.sendall(b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
                                   b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
                                   % (TOKEN.encode(), len(body), body))
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:200])
            self.assertTrue(answer.rstrip().endswith(b"</methodResponse>"), answer[-200:])

    def test_the_limit_per_address_is_logged_once(self):
        node, start_time = self.at_tcp(), time.monotonic()
        held = [socket.create_connection(("127.0.0.1", node.control_port)) for _ in range(148)]
        for connection in held:
            self.addCleanup(connection.close)
        node.wait_log("limit of 128 connections per address")
        for connection in held[128:]:
            connection.settimeout(harness.seconds(5))
            self.assertEqual(connection.recv(1), b"")
        self.lines(node, "limit of 128 connections per address", start_time)

    def test_too_many_connections_do_not_stop_the_service(self):
        node = self.at_tcp()
        held = []
        for i in range(600):
            connection = socket.socket()
            self.addCleanup(connection.close)
            connection.bind(("127.0.0.%d" % (1 + i % 6), 0))
            connection.settimeout(harness.seconds(5))
            try:
                connection.connect(("127.0.0.1", node.control_port))
                connection.sendall(b"POST /RPC2 HTTP/1.1\r\nX")
            except OSError:
                pass
            held.append(connection)
        time.sleep(0.5)
        for connection in held:
            connection.close()
        harness.wait_until(lambda: self.post(node, headers=(("Authorization", "Bearer " + TOKEN),))[0] == 200,
                           "the daemon answers")


class Token(Daemon):
    def test_calls_with_the_token_are_answered(self):
        node = self.at_tcp()
        self.assertEqual(self.proxy(node).status()["network_state"], "CONNECTED")
        self.assertIn("find_session", self.proxy(node).system.listMethods())

    def test_without_the_token_every_path_and_method_is_401(self):
        node = self.at_tcp()
        for headers in ((), (("Authorization", "Bearer wrong"),),
                        (("Authorization", "Basic " + TOKEN),),
                        (("Authorization", "Bearer " + TOKEN + "x"),)):
            for method, path in (("POST", "/RPC2"), ("POST", "/"), ("GET", "/status"),
                                 ("GET", "/events")):
                status, body = self.post(node, path, headers, method=method)
                self.assertEqual(status, 401, (method, path, headers))
                self.assertNotIn(b"alice", body)
                self.assertNotIn(TOKEN.encode(), body)

    def test_a_request_without_token_is_refused_before_its_body(self):
        node = self.at_tcp()
        with socket.create_connection(("127.0.0.1", node.control_port)) as s:
            s.settimeout(harness.seconds(10))
            s.sendall(b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
                      b"Content-Length: 1000000\r\n\r\n")
            self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 401 "))

    def test_a_thousand_invalid_tokens_are_few_log_lines(self):
        node, start_time = self.at_tcp(), time.monotonic()
        for i in range(1000):
            self.assertEqual(
                self.post(node, headers=(("Authorization", "Bearer %d" % i),))[0], 401)
        self.assertIn("127.0.0.1", self.lines(node, "missing or invalid token", start_time)[0])
        self.assertNotIn(TOKEN, node.log())

    def test_the_unix_socket_needs_no_token(self):
        self.assertEqual(self.at_tcp().command("status").code, 0)

    def test_without_a_token_loopback_answers_all_but_web_pages(self):
        node = self.at_tcp(token=None)
        self.assertEqual(self.proxy(node, None).status()["network_state"], "CONNECTED")
        self.assertEqual(self.post(node, headers=(("Origin", "http://x"),))[0], 403)

    def test_dustwire_takes_a_url_and_a_token_file(self):
        node = self.at_tcp()
        token = os.path.join(node.folder, "token")
        with open(token, "w") as out:
            out.write(TOKEN + "\n")

        def run(*options):
            return subprocess.run([os.path.join(harness.BUILD, "dustwire"), "--url",
                                   "http://127.0.0.1:%d" % node.control_port, *options, "status"],
                                  capture_output=True, text=True, timeout=harness.seconds(20))

        self.assertEqual(run("--token-file", token).returncode, 0)
        refused = run()
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--token-file", refused.stderr)

    def test_a_public_address_without_a_token_is_a_settings_error(self):
        node = self.node("wide", {"control/listen": "0.0.0.0:%d" % harness.free_port()},
                         is_started=False)
        check = subprocess.run([os.path.join(harness.BUILD, "dustwired"), "--config", node.config,
                                "--check-config"], capture_output=True, text=True)
        self.assertEqual(check.returncode, 1)
        self.assertIn("requires [control] token", check.stderr)

    def test_a_busy_port_is_named_at_the_start(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            where = "127.0.0.1:%d" % taken.getsockname()[1]
            node = self.node("late", {"control/listen": where}, is_started=False).spawn()
            self.assertEqual(node.wait_exit(), 1)
            self.assertIn(where, node.log())
        node.process = None


class Calls(Daemon):
    def setUp(self):
        self.alice, self.bob = self.at_tcp(), self.node("bob")
        self.calls = self.proxy(self.alice)

    def test_a_host_is_text_bytes_or_a_pair(self):
        folder, hosts = self.folder(), [self.bob.contact, "127.0.0.1:%d" % self.bob.port,
                                        ("127.0.0.1", self.bob.port),
                                        (b"127.0.0.1", self.bob.port),
                                        ["tcp://127.0.0.1:%d" % self.bob.port]]
        for i, host in enumerate(hosts):
            path = harness.make_file(os.path.join(folder, "f%d" % i), 1000, i)
            call = self.calls.send_file if i % 2 else self.calls.send_file_single
            request = call(b"http://bob/id.xml" if i % 2 else None, path.encode(), host, "note")
            outcome, = self.calls.send_wait([request], 20000)
            self.assertEqual(outcome["status"], "finished", outcome)
        self.assertEqual(len(self.bob.received()), len(hosts))

    def test_a_session_is_listed_and_found_by_every_argument(self):
        self.calls.connect_to(("127.0.0.1", self.bob.port))
        row, = harness.wait_until(lambda: [s for s in self.calls.list_sessions()
                                           if s["idurl"]], "the session is named")
        self.assertEqual((row["proto"], row["state"], row["direction"]), ("tcp", "CONNECTED", "out"))
        self.assertEqual(row["host"], "127.0.0.1:%d" % self.bob.port)
        self.assertLess(abs(row["opened_at"] - row["last_activity"]), 60)
        for arguments in ((self.bob.contact,), (("127.0.0.1", self.bob.port),),
                          (None, row["idurl"]), (row["host"], row["idurl"])):
            self.assertEqual([s["id"] for s in self.calls.find_session(*arguments)], [row["id"]])
        self.assertEqual(self.calls.find_session(None, "http://nobody"), [])
        self.assertEqual(self.calls.find_session("127.0.0.1:9"), [])
        self.assertEqual(self.calls.list_sessions(1, 10), [])
        self.assertTrue(self.calls.send_keep_alive(["127.0.0.1", self.bob.port]))
        self.assertTrue(self.calls.disconnect_from(b"127.0.0.1:%d" % self.bob.port))

    def test_an_accepted_session_is_found_by_its_verified_address(self):
        self.bob.command("connect", self.alice.contact)
        row = harness.wait_until(lambda: next((s for s in self.calls.list_sessions()
                                               if s["verified"]), None), "bob is verified")
        self.assertEqual(row["direction"], "in")
        self.assertEqual([s["id"] for s in self.calls.find_session(self.bob.contact)], [row["id"]])

    def test_contacts_are_built_and_verified(self):
        contacts = self.calls.build_contacts()
        self.assertEqual(contacts, [self.alice.contact])
        self.assertIs(self.calls.verify_contacts([b"udp://1.2.3.4:5", contacts[0].encode()]), True)
        self.assertIs(self.calls.verify_contacts(["tcp://127.0.0.1:1"]), False)

    def test_errors_are_faults_with_their_codes(self):
        self.fault(-32601, self.calls.no_such)
        self.fault(-32602, self.calls.list_sessions, "x")
        self.fault(-32602, self.calls.send_keep_alive, ["127.0.0.1"])
        self.fault(-32602, self.calls.find_stream)
        self.fault(4, self.calls.send_file, None, "/no/such/file", self.bob.contact)
        self.fault(1, self.calls.settings_get, "no-such")
        self.fault(5, self.calls.settings_set, "tcp-port", 70000)
        self.assertIsNone(self.calls.find_stream(None, 99))


if __name__ == "__main__":
    harness.main()
