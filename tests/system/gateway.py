"""The tests' gateway from outside (gateway_process.py), and calls to a daemon as Python makes them."""
import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import xmlrpc.client

import node as harness

HERE = os.path.dirname(os.path.abspath(__file__))


class Gateway:
    """One address; the process behind it can be killed and started again, and then counts its ids
    from another million on."""

    def __init__(self, folder, is_unix=True):
        self.folder = folder
        self.address = ("unix:" + os.path.join(folder, "gateway.sock") if is_unix
                        else str(harness.free_port()))
        self.url = self.address if is_unix else "http://127.0.0.1:%s/" % self.address
        self.calls_path = os.path.join(folder, "calls.jsonl")
        self.process, self.starts = None, 0

    def start(self):
        self.starts += 1
        self.process = subprocess.Popen(
            [sys.executable, "-B", os.path.join(HERE, "gateway_process.py"), self.address,
             self.calls_path, str(self.starts * 1000000)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("ready")
        return self

    def _expect(self, word):
        line = self.process.stdout.readline().strip()
        if line != word:
            raise AssertionError("the gateway said %r instead of %r" % (line, word))

    def order(self, mode, methods=None, times=None):
        self.process.stdin.write(json.dumps({"mode": mode, "methods": methods, "times": times}) + "\n")
        self.process.stdin.flush()
        self._expect("done")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None

    def calls(self, *methods):
        """The calls so far, of these methods or all. A line cut off by a kill is left out."""
        try:
            with open(self.calls_path) as stream:
                lines = stream.read().split("\n")[:-1]
        except FileNotFoundError:
            return []
        calls = [json.loads(line) for line in lines if line]
        return [c for c in calls if not methods or c["call"] in methods]

    def taken(self, *methods):
        """Those that got a real answer."""
        return [c for c in self.calls(*methods) if c["mode"] in ("ok", "nil", "slow")]

    def wait(self, method, count=1, limit=20.0):
        harness.wait_until(lambda: len(self.taken(method)) >= count,
                           lambda: "%d of %d %s" % (len(self.taken(method)), count, method), limit)
        return self.taken(method)


def text_of(value):
    """An argument, whether it came as text or as base64."""
    return base64.b64decode(value["base64"]).decode() if isinstance(value, dict) else value


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path):
        super().__init__()
        self._path = path

    def single_request(self, host, handler, request_body, verbose=False):
        """A connection for each call, closed after it."""
        self.verbose = verbose
        connection = _UnixConnection(self._path)
        try:
            connection.request("POST", handler, request_body, {"Content-Type": "text/xml"})
            return self.parse_response(connection.getresponse())
        finally:
            connection.close()


def control(node):
    """The daemon's methods, by XML-RPC over its Unix socket."""
    return xmlrpc.client.ServerProxy("http://localhost/RPC2", allow_none=True,
                                     transport=_UnixTransport(node.socket))
