"""The daemon's sessions and streams, as objects for listings.

The listings are synchronous and must not wait for the daemon, so its lists are cached here and
refreshed in the background: shortly after a listing or a file on an unknown session, and
periodically. After a slow refresh (many thousands of sessions) the next one is delayed, to limit the
share of the node's thread that it uses.

An object exists as long as its session or stream, and is updated in place.
"""
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.logger import Logger

from .control import ControlError, as_bytes

PAGE = 200
REFRESH_DELAY_S = 0.05
REFRESH_INTERVAL_S = 5.0
PAUSE_FACTOR = 20       # a refresh of 1 s is followed by a pause of 20 s

log = Logger()


def address_of(text):
    """(host, port) of `host:port`, `[v6]:port` or `proto://host:port`; without a port, 0."""
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
    """`host:port` as bytes, from text, bytes or a (host, port) pair."""
    if isinstance(host, (tuple, list)):
        host = "%s:%s" % (as_text(host[0]), as_text(host[1]))
    return host if isinstance(host, bytes) else as_bytes(as_text(host))


class FileStream:
    """One file in transfer, with `bytes_sent` if outgoing or `bytes_received` if incoming."""

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
        self.set_bytes(0)

    def set_bytes(self, count):
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
        self.set_bytes(row["bytes_current"])


class SessionStream:
    """The files in transfer on one session."""

    def __init__(self):
        self.outgoing, self.incoming = [], []

    def __iter__(self):
        return iter(self.outgoing + self.incoming)

    def __len__(self):
        return len(self.outgoing) + len(self.incoming)


class Connection:
    """One session. `connection_address`, the dialled address, exists only while connecting."""

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
            # Without a host it is that of the peer address.
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
        self._finished_ids = set()  # transfer ids finished since the running refresh started
        self._dialling = set()  # addresses with a connect_to under way
        self._timer = None
        self._is_refreshing = False
        self._is_refresh_requested = False  # requested during a refresh
        self._waiters = []          # Deferreds waiting for the next refresh
        self._not_before = 0.0
        self._is_running = False

    # ---- the cache

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
        """The file is finished: no longer list it, even if the daemon's last list has it."""
        for key in [k for k in self._streams if k[3] == transfer_id]:
            del self._streams[key]
        if self._is_refreshing:
            self._finished_ids.add(transfer_id)

    def is_connected(self, address):
        return any(c.is_connected and c.is_of(address) for c in self._connections.values())

    def is_known(self, address):
        return any(c.is_of(address) for c in self._connections.values())

    def dial(self, address):
        """False if a connect_to for it is already in progress."""
        if address in self._dialling:
            return False
        self._dialling.add(address)
        return True

    def dialled(self, address):
        self._dialling.discard(address)
        self.schedule_refresh(0)

    # ---- refreshing

    def start(self):
        self._is_running = True
        self.schedule_refresh()

    def stop(self):
        """The daemon has exited: clears the cache."""
        self._is_running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._connections.clear()
        self._streams.clear()

    def schedule_refresh(self, seconds=REFRESH_DELAY_S):
        """Schedules a refresh, not before the pause after a slow one has passed."""
        if not self._is_running:
            return
        if self._is_refreshing:
            self._is_refresh_requested = True
            return
        now = self._reactor.seconds()
        at = max(now + seconds, self._not_before)
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= at:
                return
            self._timer.cancel()
        self._timer = self._reactor.callLater(max(at - now, 0), self._start_refresh)

    def refresh(self):
        """Refreshes now; fires when the cache has the daemon's state as of this call or later."""
        if not self._is_running:
            return succeed(None)
        waiter = Deferred()
        self._waiters.append(waiter)
        if not self._is_refreshing:
            self._start_refresh()
        return waiter

    def _start_refresh(self):
        self._is_refreshing, self._is_refresh_requested = True, False
        self._finished_ids.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        waiters, self._waiters = self._waiters, []
        fetch = self._fetch()
        fetch.addErrback(self._log_failure)
        fetch.addCallback(self._refreshed, waiters)

    @staticmethod
    def _log_failure(failure):
        if failure.check(ControlError):     # it has exited or is stopping
            log.debug("cannot read the daemon's lists: {error}", error=failure.value)
        else:
            log.failure("cannot read the daemon's lists", failure)

    def _refreshed(self, value, waiters):
        self._is_refreshing = False
        for waiter in waiters:
            waiter.callback(None)
        if self._waiters and not self._is_refreshing:
            self._start_refresh()
        else:
            self.schedule_refresh(REFRESH_DELAY_S if self._is_refresh_requested else REFRESH_INTERVAL_S)

    @inlineCallbacks
    def _fetch(self):
        began = self._reactor.seconds()
        sessions = yield self._pages("list_sessions")
        streams = yield self._pages("list_streams")
        if self._is_running:
            self._update_sessions(sessions)
            self._update_streams(streams)
        now = self._reactor.seconds()
        self._not_before = now + PAUSE_FACTOR * (now - began) if now - began > 0.1 else 0.0

    @inlineCallbacks
    def _pages(self, method):
        rows = []
        while True:
            page = yield self._control.call_parallel(method, len(rows), PAGE)
            rows.extend(page)
            if len(page) < PAGE:
                return rows

    def _update_sessions(self, rows):
        known, self._connections = self._connections, {}
        for row in rows:
            connection = known.get(row["id"]) or Connection(address_of(row["host"]))
            connection.update(row)
            self._connections[row["id"]] = connection

    def _update_streams(self, rows):
        known, self._streams = self._streams, {}
        for connection in self._connections.values():
            connection.stream.outgoing.clear()
            connection.stream.incoming.clear()
        for row in (r for r in rows if r["transfer_id"] not in self._finished_ids):
            is_outgoing = row["type"] == "out"
            key = row["session"], is_outgoing, row["stream_id"], row["transfer_id"]
            stream = known.get(key) or FileStream(is_outgoing)
            stream.update(row)
            self._streams[key] = stream
            connection = self._connections.get(row["session"])
            if connection is not None:
                side = connection.stream
                (side.outgoing if stream.is_outgoing else side.incoming).append(stream)
