"""Calls to the daemon: XML-RPC over HTTP/1.1 on its Unix control socket, without blocking.

A pool is a queue of calls and the connections that process it, one call at a time each. The ordered
pool has one connection, so that sends and cancels reach the daemon in order. Slow calls (connect_to
waits for a peer) and calls whose order does not matter use a pool of several connections.
"""
import xmlrpc.client
from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

CALL_TIMEOUT_S = 120
# Below the daemon's limit of 120 s, so that it does not close a connection that is being reused.
IDLE_TIMEOUT_S = 60
PARALLEL_CONNECTIONS = 4
FAULT_STOPPING = 6      # the daemon is stopping and rejects calls


class ControlError(Exception):
    """The daemon was unreachable, or the connection was lost before its answer."""


def as_bytes(text):
    """Encodes any text as UTF-8: surrogate escapes become the original bytes, and other surrogates
    are encoded as such, although no file has that name."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _is_plain_text(text):
    """Whether XML-RPC can carry the text as a string: XML characters of the BMP, without carriage
    returns, which XML converts to newlines."""
    return all(c >= " " or c in "\t\n" for c in text) and not any(
        c > "\ufffd" or "\ud800" <= c <= "\udfff" for c in text)


def wire_value(value):
    """The value to pass to XML-RPC: bytes and text that is not plain become base64."""
    return as_bytes(value) if isinstance(value, str) and not _is_plain_text(value) else value


class _Marshaller(xmlrpc.client.Marshaller):
    """Encodes integers beyond 32 bits, such as times in microseconds, as i8."""

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
        self.timer = reactor.callLater(CALL_TIMEOUT_S, self._expire)
        self.connection = None

    def _expire(self):
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
        except Exception as e:  # invalid input: expat and xmlrpc.client raise various types
            self.fail("%s: the answer is not valid XML-RPC: %s" % (self.method, e))
        else:
            self._end().callback(value)


class _Connection(LineReceiver):
    """One persistent connection to the daemon."""

    MAX_LENGTH = 65536

    def __init__(self, pool):
        self.pool = pool
        self.call = None
        self.idle = None
        self._status, self._remaining, self._body, self._is_closing = 0, 0, [], False

    def connectionMade(self):
        self.pool.connected(self)

    def begin(self, call):
        self._stop_idle_timer()
        self.call, call.connection = call, self
        self._status, self._remaining, self._body, self._is_closing = 0, 0, [], False
        self.setLineMode()
        self.transport.write(call.request)

    def _stop_idle_timer(self):
        if self.idle is not None and self.idle.active():
            self.idle.cancel()
        self.idle = None

    def start_idle_timer(self):
        self.idle = self.pool.reactor.callLater(IDLE_TIMEOUT_S, self.transport.loseConnection)

    def lineReceived(self, line):
        if self._status == 0:
            self._parse_status(line)
        elif line:
            self._parse_header(line)
        elif self._status == 100:
            self._status = 0
        elif self._remaining == 0:
            self._complete_call()
        else:
            self.setRawMode()

    def _parse_status(self, line):
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            self.transport.abortConnection()
            return
        self._status = int(words[1])

    def _parse_header(self, line):
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if name == b"content-length" and value.isdigit():
            self._remaining = int(value)
        elif name == b"connection":
            self._is_closing = value.lower() == b"close"
        elif name == b"transfer-encoding":  # the daemon always sends Content-Length
            self.transport.abortConnection()

    def rawDataReceived(self, data):
        taken, rest = data[:self._remaining], data[self._remaining:]
        self._body.append(taken)
        self._remaining -= len(taken)
        if self._remaining == 0:
            self._complete_call()
            if rest:
                self.setLineMode(rest)

    def _complete_call(self):
        call, self.call = self.call, None
        if call is None:
            self.transport.abortConnection()
            return
        call.answer(self._status, b"".join(self._body))
        if self._is_closing:
            self.transport.loseConnection()
        else:
            self.pool.release(self)

    def connectionLost(self, reason):
        self._stop_idle_timer()
        call, self.call = self.call, None
        self.pool.lost(self)
        if call is not None:
            call.fail("connection to the daemon lost before its answer to %s" % call.method)


class _Factory(Factory):
    noisy = False

    def __init__(self, pool):
        self._pool = pool

    def buildProtocol(self, addr):
        return _Connection(self._pool)


class _Pool:
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
            self._dispatch()
        return deferred

    def _next(self):
        while self._waiting:
            call = self._waiting.popleft()
            if not call.is_done:
                return call
        return None

    def _dispatch(self):
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
            self.release(connection)

    def _not_connected(self, failure):
        self._connecting -= 1
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call.fail("cannot connect to the control socket %s: %s" % (
                self._path, failure.getErrorMessage()))

    def release(self, connection):
        self._idle.append(connection)
        connection.start_idle_timer()
        self._dispatch()

    def lost(self, connection):
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._is_closed:
            self._dispatch()

    def close(self):
        self._is_closed = True
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call.fail("the adapter is stopping")
        for connection in list(self._connections):
            connection.transport.loseConnection()


class Control:
    """Each call returns a Deferred: the value, or a failure with xmlrpc.client.Fault (rejected by the
    daemon) or ControlError (daemon unreachable)."""

    def __init__(self, reactor, path):
        self._ordered = _Pool(reactor, path, 1)
        self._parallel = _Pool(reactor, path, PARALLEL_CONNECTIONS)

    def call(self, method, *args):
        """In order with the other calls made by this method."""
        return self._ordered.call(method, args)

    def call_parallel(self, method, *args):
        """In parallel with other calls."""
        return self._parallel.call(method, args)

    def close(self):
        self._ordered.close()
        self._parallel.close()
