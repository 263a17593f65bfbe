"""The daemon's sessions and streams, as objects for listings.

The callers want their answers at once, and nothing here may wait for the daemon. So what it has is
kept here and brought up to date in the background: soon after somebody asked or a file moved on a session that
is not known yet, and now and then. A refresh that takes long (many thousands of sessions) makes the
next ones rarer, so that at most a small share of the node's thread goes into it.

Objects live as long as their session or stream, and change under whoever keeps them.
"""
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.logger import Logger

from .control import ControlError, as_bytes

PAGE = 200
SOON_S = 0.05
RARELY_S = 5.0
SHARE = 20      # a refresh of 1 s is followed by 20 s of rest

log = Logger()


def address_of(text):
    """(host, port) of `host:port`, `[v6]:port` or `proto://host:port`; port 0 if there is none."""
    if isinstance(text, (tuple, list)):
        return address_of("%s:%s" % (as_text(text[0]), as_text(text[1])))
    text = as_text(text)
    text = text.partition("://")[2] or text
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        return text, 0
    return host[1:-1] if host.startswith("[") else host, int(port)


def as_text(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return "" if value is None else str(value)


def host_bytes(host):
    """`host:port` as bytes, of whatever form a host may have."""
    if isinstance(host, (tuple, list)):
        host = "%s:%s" % (as_text(host[0]), as_text(host[1]))
    return host if isinstance(host, bytes) else as_bytes(as_text(host))


class FileStream:
    """One file on its way. `bytes_sent` exists on one that goes out, `bytes_received` on one that
    comes in."""

    def __init__(self, is_outgoing):
        self.is_outgoing = is_outgoing
        self.type = "out" if is_outgoing else "in"
        self.file_id = None
        self.transfer_id = None
        self.peer_address = ("", 0)
        self.peer_idurl = ""
        self.filename = ""
        self.size = 0
        self.started = 0.0
        self.state = ""
        self.session_id = None
        self.moved(0)

    def moved(self, count):
        if self.is_outgoing:
            self.bytes_sent = count
        else:
            self.bytes_received = count

    @property
    def stream_id(self):
        return self.file_id

    def update(self, row):
        self.file_id = row["stream_id"]
        self.transfer_id = row["transfer_id"] or self.transfer_id
        self.session_id = row["session"]
        self.peer_address = address_of(row["host"])
        self.peer_idurl = row["idurl"]
        self.filename = row["filename"]
        self.size = row["bytes_total"]
        self.started = row["started_at"]
        self.state = row["state"]
        self.moved(row["bytes_current"])


class SessionStream:
    """What moves on one session."""

    def __init__(self):
        self.outgoing, self.incoming = [], []

    def __iter__(self):
        return iter(self.outgoing + self.incoming)

    def __len__(self):
        return len(self.outgoing) + len(self.incoming)


class Connection:
    """One session. `connection_address`, the address dialled, only while it is still connecting."""

    def __init__(self, peer_address, state=""):
        self.id = None
        self.peer_address = peer_address
        self.peer_idurl = ""
        self.state = state
        self.is_outgoing = True
        self.announced_address = None
        self.total_bytes_sent = self.total_bytes_received = 0
        self.stream = SessionStream()

    @classmethod
    def connecting(cls, address):
        connection = cls(address, "CLIENT?")
        connection.connection_address = address
        return connection

    @property
    def is_connected(self):
        return self.state == "CONNECTED"

    def update(self, row):
        self.id = row["id"]
        self.peer_address = address_of(row["host"])
        self.peer_idurl = row["idurl"]
        self.state = row["state"]
        self.is_outgoing = row["direction"] == "out"
        self.announced_address = None
        if row["announced"] and row["verified"]:
            host, port = address_of(row["announced"])
            # Without a host it is the one that the session comes from.
            self.announced_address = host or self.peer_address[0], port
        self.total_bytes_sent = row["bytes_sent"]
        self.total_bytes_received = row["bytes_received"]
        if self.is_outgoing and not self.is_connected:
            self.connection_address = self.peer_address
        elif hasattr(self, "connection_address"):
            del self.connection_address

    def is_of(self, address):
        return address in (self.peer_address, self.announced_address)


class Sessions:
    def __init__(self, reactor, control):
        self._reactor = reactor
        self._control = control
        self._connections = {}  # by id
        self._streams = {}      # by (session, direction, stream id)
        self._ended = set()     # transfer ids: over since the list under way was asked for, which may hold them
        self._dialling = set()  # addresses with a connect_to under way
        self._timer = None
        self._is_asking = False
        self._is_wanted = False     # asked for while one is under way
        self._waiters = []          # Deferreds that wait for the next one
        self._rest_until = 0.0
        self._is_on = False

    # ---- what is known

    def connections(self):
        return list(self._connections.values())

    def opened(self):
        return [c for c in self._connections.values() if not hasattr(c, "connection_address")]

    def started(self):
        rows = [c for c in self._connections.values() if hasattr(c, "connection_address")]
        known = {c.connection_address for c in rows}
        return rows + [Connection.connecting(a) for a in self._dialling if a not in known]

    def streams(self):
        return list(self._streams.values())

    def ended(self, transfer_id):
        """The file is over: it is no longer listed, whatever the daemon's last list said."""
        for key in [k for k in self._streams if k[3] == transfer_id]:
            del self._streams[key]
        if self._is_asking:
            self._ended.add(transfer_id)

    def is_connected(self, address):
        return any(c.is_connected and c.is_of(address) for c in self._connections.values())

    def is_known(self, address):
        return any(c.is_of(address) for c in self._connections.values())

    def dial(self, address):
        """False if a connect_to for it is under way already."""
        if address in self._dialling:
            return False
        self._dialling.add(address)
        return True

    def dialled(self, address):
        self._dialling.discard(address)
        self.want(0)

    # ---- keeping it fresh

    def start(self):
        self._is_on = True
        self.want()

    def stop(self):
        """The daemon is gone, and all its sessions with it."""
        self._is_on = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._connections.clear()
        self._streams.clear()

    def want(self, seconds=SOON_S):
        """A refresh soon, but for a daemon with so many sessions that it has to rest."""
        if not self._is_on:
            return
        if self._is_asking:
            self._is_wanted = True
            return
        now = self._reactor.seconds()
        at = max(now + seconds, self._rest_until)
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= at:
                return
            self._timer.cancel()
        self._timer = self._reactor.callLater(max(at - now, 0), self._begin)

    def refresh(self):
        """Now; fires when what is known is what the daemon had after this call."""
        if not self._is_on:
            return succeed(None)
        waiter = Deferred()
        self._waiters.append(waiter)
        if not self._is_asking:
            self._begin()
        return waiter

    def _begin(self):
        self._is_asking, self._is_wanted = True, False
        self._ended.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        waiters, self._waiters = self._waiters, []
        asked = self._ask()
        asked.addErrback(self._failed)
        asked.addCallback(self._asked, waiters)

    @staticmethod
    def _failed(failure):
        if failure.check(ControlError):     # it is gone, or going
            log.debug("the daemon's lists could not be read: {error}", error=failure.value)
        else:
            log.failure("the daemon's lists could not be read", failure)

    def _asked(self, value, waiters):
        self._is_asking = False
        for waiter in waiters:
            waiter.callback(None)
        if self._waiters and not self._is_asking:
            self._begin()
        else:
            self.want(SOON_S if self._is_wanted else RARELY_S)

    @inlineCallbacks
    def _ask(self):
        began = self._reactor.seconds()
        sessions = yield self._pages("list_sessions")
        streams = yield self._pages("list_streams")
        if self._is_on:
            self._take_sessions(sessions)
            self._take_streams(streams)
        now = self._reactor.seconds()
        self._rest_until = now + SHARE * (now - began) if now - began > 0.1 else 0.0

    @inlineCallbacks
    def _pages(self, method):
        rows = []
        while True:
            page = yield self._control.ask(method, len(rows), PAGE)
            rows.extend(page)
            if len(page) < PAGE:
                return rows

    def _take_sessions(self, rows):
        known, self._connections = self._connections, {}
        for row in rows:
            connection = known.get(row["id"]) or Connection(address_of(row["host"]))
            connection.update(row)
            self._connections[row["id"]] = connection

    def _take_streams(self, rows):
        known, self._streams = self._streams, {}
        for connection in self._connections.values():
            connection.stream.outgoing.clear()
            connection.stream.incoming.clear()
        for row in (r for r in rows if r["transfer_id"] not in self._ended):
            is_outgoing = row["type"] == "out"
            key = row["session"], is_outgoing, row["stream_id"], row["transfer_id"]
            stream = known.get(key) or FileStream(is_outgoing)
            stream.update(row)
            self._streams[key] = stream
            connection = self._connections.get(row["session"])
            if connection is not None:
                side = connection.stream
                (side.outgoing if stream.is_outgoing else side.incoming).append(stream)
