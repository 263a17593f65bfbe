"""A test gateway on Twisted's XML-RPC server: it answers like BitDust's, records every call, and
injects faults on request. It runs as a separate process, so that it can be killed.

    gateway_process.py ADDRESS CALLS FIRST_ID

ADDRESS is unix:/PATH or a port of 127.0.0.1. For each call a JSON line with its answer is appended to
the file CALLS before the answer is sent. Orders are JSON lines on stdin, each answered by a line:
{"mode": MODE, "methods": [names, or none for all], "times": how often, or none for always}

ok       answers
fault    an XML-RPC fault
nil      None instead of an id
garbage  a body that is not XML-RPC
html     HTTP status 500
i8       XML-RPC with an invalid integer
hang     never answers
hang_up  closes the connection without an answer
slow     answers after 0.2 s
"""
import base64
import json
import os
import sys
from xmlrpc.client import Binary

from twisted.internet import reactor, stdio
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.protocols.basic import LineReceiver
from twisted.web import server, xmlrpc


def plain(value):
    """The value for JSON; base64 is marked to distinguish it from text."""
    if isinstance(value, Binary):
        return {"base64": base64.b64encode(value.data).decode()}
    return value


class Gateway(xmlrpc.XMLRPC):
    def __init__(self, calls, first_id):
        super().__init__(allowNone=True)
        self._calls, self._next_id = calls, first_id
        self.orders = []

    def _mode(self, method):
        for order in self.orders:
            if order["methods"] and method not in order["methods"]:
                continue
            if order["times"] == 0:
                continue
            if order["times"]:
                order["times"] -= 1
            return order["mode"]
        return "ok"

    def _record(self, method, args, mode, answer=None):
        self._calls.write(json.dumps({"call": method, "args": [plain(a) for a in args],
                                      "mode": mode, "answer": answer}) + "\n")
        self._calls.flush()

    def render_POST(self, request):
        # The base class decodes and dispatches. Some modes below act on the connection and need the
        # request, so it is stored for the call, which follows immediately.
        self._request = request
        return super().render_POST(request)

    def lookupProcedure(self, procedurePath):
        def call(*args):
            return self._answer(procedurePath, args)
        return call

    def _answer(self, method, args):
        mode, request = self._mode(method), self._request
        value = True
        if method.startswith("register_"):
            value = None if mode == "nil" else self._next_id
            self._next_id += 1
        self._record(method, args, mode, value)
        if mode == "fault":
            return xmlrpc.Fault(8002, "requested by the test")
        if mode == "hang":
            return Deferred()
        if mode == "hang_up":
            request.transport.abortConnection()
            return Deferred()
        if mode == "i8":
            request.write(b"<?xml version='1.0'?><methodResponse><params><param><value><i8>abc</i8>"
                          b"</value></param></params></methodResponse>")
            request.finish()
            return Deferred()
        if mode in ("garbage", "html"):
            request.setResponseCode(500 if mode == "html" else 200)
            request.write(b"<html>this is not XML-RPC &nbsp;" + b"x" * 1000)
            request.finish()
            return Deferred()
        if mode == "slow":
            return deferLater(reactor, 0.2, lambda: value)
        return value


class Orders(LineReceiver):
    delimiter = b"\n"

    def __init__(self, gateway):
        self._gateway = gateway

    def lineReceived(self, line):
        order = json.loads(line)
        if order["mode"] == "ok":
            self._gateway.orders = []
        else:
            self._gateway.orders.append({"mode": order["mode"], "methods": order.get("methods"),
                                         "times": order.get("times")})
        self.sendLine(b"done")

    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()


def main():
    address, calls, first_id = sys.argv[1:4]
    gateway = Gateway(open(calls, "a"), int(first_id))
    site = server.Site(gateway, timeout=None)
    site.log = lambda request: None
    if address.startswith("unix:"):
        path = address[5:]
        if os.path.exists(path):
            os.unlink(path)
        reactor.listenUNIX(path, site)
    else:
        reactor.listenTCP(int(address), site, interface="127.0.0.1")
    stdio.StandardIO(Orders(gateway))
    reactor.callWhenRunning(lambda: (sys.stdout.write("ready\n"), sys.stdout.flush()))
    reactor.run()


main()
