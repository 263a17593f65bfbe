"""The control server's faults and HTTP statuses, compared with the golden file."""
import contextlib
import http.client
import os
import re
import socket
import xmlrpc.client

import gateway as remote
import interface_golden as golden
import node as harness

GATEWAY_PAGE = os.path.join(os.path.dirname(os.path.dirname(harness.HERE)), "docs", "gateway.md")
MIB = 1 << 20


class Control(harness.SystemTest):
    """The control server: faults and HTTP."""

    def documented(self):
        with open(GATEWAY_PAGE) as stream:
            part = stream.read().partition("### Faults")[2].partition("\n## ")[0]
        return {int(code) for code in re.findall(r"^\| (-?\d+) \|", part, re.MULTILINE)}

    def provoke(self, what, call, *parameters):
        with self.assertRaises(xmlrpc.client.Fault, msg=what) as caught:
            call(*parameters)
        self.faults.add((caught.exception.faultCode, what))

    def test_faults(self):
        self.faults = set()
        node = self.node("alice", {"outbox/spool-limit-mib": 1, "outbox/roots": self.folder()})
        call = remote.control(node)
        self.provoke("a document that is no XML-RPC", self.post_invalid, node)
        self.provoke("an unknown method", call.nonsense)
        self.provoke("a parameter that is missing", call.connect_to)
        self.provoke("a parameter too many", call.status, 1)
        self.provoke("a parameter of another type", call.cancel_send, "x")
        self.provoke("a number out of its range", call.list_sessions, 0, 201)
        self.provoke("an unknown name in the struct", call.list_sessions, {"nonsense": 1})
        self.provoke("a cursor that is none", call.list_sessions, {"cursor": "x"})
        self.provoke("a host that is none", call.connect_to, "no^host")
        self.provoke("init with a url of another machine", call.init, "http://192.0.2.1:1/")
        self.provoke("system.methodHelp of an unknown method", call.system.methodHelp, "nonsense")
        self.provoke("automata of an unknown one", call.automata, "nonsense")
        self.provoke("settings_get of an unknown one", call.settings_get, "nonsense")
        self.provoke("settings_set of an unknown one", call.settings_set, "nonsense", 1)
        self.provoke("settings_set of a bad value", call.settings_set, "tcp-port", 70000)
        self.provoke("connect_to an unknown transport", call.connect_to, "udp://127.0.0.1:1")
        self.provoke("connect_to where nobody listens", call.connect_to, harness.unused_contact())
        self.provoke("send_file of a file that does not exist", call.send_file, None, "/nonexistent/file", "h:1")
        self.provoke("send_file outside the roots", call.send_file, None, __file__, "127.0.0.1:1")
        self.provoke("send_spooled of an unknown id", call.send_spooled, None, 999, "127.0.0.1:1")
        self.provoke("spool_begin beyond the limit", call.spool_begin, "name", 2 * MIB)
        call.spool_begin("name", MIB)
        self.provoke("spool_begin when the spool is full", call.spool_begin, "name", MIB)
        self.provoke("reload of a bad file", self.reload_invalid_file, node, call)
        self.provoke("connect without a transport", self.connect_disabled)
        documented = self.documented()
        self.assertLessEqual({code for code, _ in self.faults}, documented, "docs/gateway.md lists every code")
        golden.check(self, {"faults": ["%d is listed" % code for code in documented]
                            + ["%d for %s" % fault for fault in self.faults]})

    def post(self, node, body):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(harness.seconds(20))
        s.connect(node.socket)
        s.sendall(("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s"
                   % (len(body), body)).encode())
        return s

    def answer(self, s):
        got = http.client.HTTPResponse(s)
        got.begin()
        return xmlrpc.client.loads(got.read())

    def post_invalid(self, node):
        with self.post(node, "hello") as s:
            self.answer(s)

    def reload_invalid_file(self, node, call):
        with open(node.config, "a") as out:
            out.write("[nonsense]\n")
        call.reload()

    def connect_disabled(self):
        node = self.node("near", {"services/tcp-connections/enabled": False,
                                  "gateway/url": "http://127.0.0.1:%d/" % harness.free_port()}, is_started=False)
        node.spawn()
        harness.wait_until(node.status, node.log)
        remote.control(node).connect({})

    def test_http_statuses(self):
        port, token = harness.free_port(), "t" * 20
        self.lines = []
        for name, settings in (("with a token", {"control/token": token}), ("without a token", {})):
            node = self.node("alice", {"control/listen": "127.0.0.1:%d" % port, **settings})
            given = {"Authorization": "Bearer " + token} if settings else {}
            self.request_status(port, name + ", a call", **given)
            self.request_status(port, name + ", a wrong token", **{"Authorization": "Bearer wrong"})
            self.request_status(port, name + ", a web page's Origin", Origin="http://x", **given)
            self.request_status(port, name + ", another path", path="/other", **given)
            self.request_status(port, name + ", GET", method="GET", **given)
            self.request_status(port, name + ", Content-Encoding: gzip", **{"Content-Encoding": "gzip", **given})
            self.request_status(port, name + ", another charset", **{"Content-Type": "text/xml; charset=utf-16", **given})
            self.request_status(port, name + ", more than 1 MiB", body=b"x" * (MIB + 1), **given)
            self.assertEqual(node.stop(), 0)
        golden.check(self, {"http statuses": self.lines})

    def request_status(self, port, what, path="/RPC2", method="POST", body=xmlrpc.client.dumps((), "status"), **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.seconds(10))
        with contextlib.closing(connection):
            connection.putrequest(method, path)
            for name, value in {"Content-Type": "text/xml", "Content-Length": str(len(body)), **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            with contextlib.suppress(OSError):  # the request may be refused before the body is sent
                connection.send(body if isinstance(body, bytes) else body.encode())
            self.lines.append("%s: %d" % (what, connection.getresponse().status))
