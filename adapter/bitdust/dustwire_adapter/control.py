"""Calls to the daemon: XML-RPC over HTTP/1.1 on its Unix control socket, without blocking.

A lane is a queue of calls and the connections that work it off, each with one call at a time. The
ordered lane has one connection: sends and cancels reach the daemon in the order in which they were
made, and none overtakes another. Calls that may take long (connect_to waits for a peer) or whose order does not matter
go over a lane of several.
"""
import xmlrpc.client
from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

CALL_TIMEOUT_S = 120
# Below the daemon's own limit of 120 s, so that it never closes a connection just as we use it.
IDLE_TIMEOUT_S = 60
ASIDE_CONNECTIONS = 4
FAULT_STOPPING = 6      # the daemon goes away and answers what it cannot do any more


class ControlError(Exception):
    """The daemon could not be asked, or went away before it answered."""


def as_bytes(text):
    """UTF-8, whatever the text holds: names that the system gave as bytes come out as they were, and
    what has no bytes at all comes out as bytes that name nothing."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _is_clean(text):
    """What the daemon's XML-RPC takes as text: XML's characters of the first 65536, and no carriage
    return, which XML makes a newline of."""
    return all(c >= " " or c in "\t\n" for c in text) and not any(
        c > "\ufffd" or "\ud800" <= c <= "\udfff" for c in text)


def wire_value(value):
    """What XML-RPC can carry of a text: bytes and what is no clean text go as base64."""
    return as_bytes(value) if isinstance(value, str) and not _is_clean(value) else value


class _Marshaller(xmlrpc.client.Marshaller):
    """With i8 for what 32 bits do not hold: times are microseconds here."""

    dispatch = dict(xmlrpc.client.Marshaller.dispatch)

    def dump_wide(self, value, write):
        kind = "int" if -2**31 <= value < 2**31 else "i8"
        write("<value><%s>%d</%s></value>\n" % (kind, value, kind))
    dispatch[int] = dump_wide


def request_of(method, args):
    params = _Marshaller("utf-8", allow_none=True).dumps(tuple(wire_value(a) for a in args))
    body = ("<?xml version='1.0'?>\n<methodCall>\n<methodName>%s</methodName>\n%s</methodCall>\n"
            % (method, params)).encode("utf-8")
    return (b"POST /RPC2 HTTP/1.1\r\nHost: dustwire\r\nContent-Type: text/xml\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)) + body


class _Call:
    def __init__(self, reactor, method, args):
        self.method = method
        self.request = request_of(method, args)
        self.deferred = Deferred()
        self.timer = reactor.callLater(CALL_TIMEOUT_S, self._late)
        self.connection = None

    def _late(self):
        connection = self.connection
        self.fail("no answer to %s within %d s" % (self.method, CALL_TIMEOUT_S))
        if connection is not None:
            connection.transport.abortConnection()

    @property
    def is_done(self):
        return self.deferred is None

    def _end(self):
        deferred, self.deferred, self.connection = self.deferred, None, None
        if self.timer.active():
            self.timer.cancel()
        return deferred

    def fail(self, reason):
        if not self.is_done:
            self._end().errback(ControlError(reason))

    def answer(self, status, body):
        if self.is_done:
            return
        if status != 200:
            self.fail("%s: HTTP status %d: %s" % (self.method, status,
                                                  body.decode("utf-8", "replace").strip()))
            return
        try:
            values, _ = xmlrpc.client.loads(body, use_builtin_types=True)
            value = values[0]
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == FAULT_STOPPING:
                self.fail(fault.faultString)
            else:
                self._end().errback(fault)
        except Exception as e:  # any garbage: expat and xmlrpc.client raise many kinds
            self.fail("%s: the answer is no XML-RPC: %s" % (self.method, e))
        else:
            self._end().callback(value)


class _Connection(LineReceiver):
    """One connection to the daemon, kept open from call to call."""

    MAX_LENGTH = 65536

    def __init__(self, lane):
        self.lane = lane
        self.call = None
        self.idle = None
        self._status, self._left, self._body, self._is_last = 0, 0, [], False

    def connectionMade(self):
        self.lane.connected(self)

    def begin(self, call):
        self._stop_idling()
        self.call, call.connection = call, self
        self._status, self._left, self._body, self._is_last = 0, 0, [], False
        self.setLineMode()
        self.transport.write(call.request)

    def _stop_idling(self):
        if self.idle is not None and self.idle.active():
            self.idle.cancel()
        self.idle = None

    def rest(self):
        self.idle = self.lane.reactor.callLater(IDLE_TIMEOUT_S, self.transport.loseConnection)

    def lineReceived(self, line):
        if self._status == 0:
            self._take_status(line)
        elif line:
            self._take_header(line)
        elif self._status == 100:
            self._status = 0
        elif self._left == 0:
            self._answered()
        else:
            self.setRawMode()

    def _take_status(self, line):
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            self.transport.abortConnection()
            return
        self._status = int(words[1])

    def _take_header(self, line):
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if name == b"content-length" and value.isdigit():
            self._left = int(value)
        elif name == b"connection":
            self._is_last = value.lower() == b"close"
        elif name == b"transfer-encoding":  # the daemon knows its answers' length
            self.transport.abortConnection()

    def rawDataReceived(self, data):
        taken, rest = data[:self._left], data[self._left:]
        self._body.append(taken)
        self._left -= len(taken)
        if self._left == 0:
            self._answered()
            if rest:
                self.setLineMode(rest)

    def _answered(self):
        call, self.call = self.call, None
        if call is None:
            self.transport.abortConnection()
            return
        call.answer(self._status, b"".join(self._body))
        if self._is_last:
            self.transport.loseConnection()
        else:
            self.lane.free(self)

    def connectionLost(self, reason):
        self._stop_idling()
        call, self.call = self.call, None
        self.lane.lost(self)
        if call is not None:
            call.fail("the daemon went away before it answered %s" % call.method)


class _Factory(Factory):
    noisy = False

    def __init__(self, lane):
        self._lane = lane

    def buildProtocol(self, addr):
        return _Connection(self._lane)


class _Lane:
    def __init__(self, reactor, path, connections):
        self.reactor = reactor
        self._path = path
        self._limit = connections
        self._waiting = deque()
        self._connections = set()
        self._idle = []
        self._connecting = 0
        self._is_closed = False

    def call(self, method, args):
        call = _Call(self.reactor, method, args)
        deferred = call.deferred
        if self._is_closed:
            call.fail("the adapter is stopping")
        else:
            self._waiting.append(call)
            self._work()
        return deferred

    def _next(self):
        while self._waiting:
            call = self._waiting.popleft()
            if not call.is_done:
                return call
        return None

    def _work(self):
        while self._idle and self._waiting:
            call = self._next()
            if call is not None:
                self._idle.pop().begin(call)
        wanted = min(len(self._waiting), self._limit - len(self._connections))
        while self._connecting < wanted:
            self._connecting += 1
            endpoint = UNIXClientEndpoint(self.reactor, self._path, timeout=10)
            endpoint.connect(_Factory(self)).addErrback(self._not_connected)

    def connected(self, connection):
        self._connecting -= 1
        self._connections.add(connection)
        if self._is_closed:
            connection.transport.loseConnection()
        else:
            self.free(connection)

    def _not_connected(self, failure):
        self._connecting -= 1
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call.fail("the control socket %s cannot be reached: %s" % (
                self._path, failure.getErrorMessage()))

    def free(self, connection):
        self._idle.append(connection)
        connection.rest()
        self._work()

    def lost(self, connection):
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._is_closed:
            self._work()

    def close(self):
        self._is_closed = True
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call.fail("the adapter is stopping")
        for connection in list(self._connections):
            connection.transport.loseConnection()


class Control:
    """Each call answers a Deferred: the value, or a failure with xmlrpc.client.Fault (the daemon
    refused) or ControlError (it could not be asked)."""

    def __init__(self, reactor, path):
        self._ordered = _Lane(reactor, path, 1)
        self._aside = _Lane(reactor, path, ASIDE_CONNECTIONS)

    def call(self, method, *args):
        """In order with the other calls made here."""
        return self._ordered.call(method, args)

    def ask(self, method, *args):
        """Beside the others."""
        return self._aside.call(method, args)

    def close(self):
        self._ordered.close()
        self._aside.close()
