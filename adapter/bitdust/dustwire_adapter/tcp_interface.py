"""What takes the place of BitDust's tcp_interface: GateInterface, driven by the node's gateway.

Its calls never wait. What the gateway wants to know at once (a bool, a list) is answered from what
the adapter knows of the daemon; what only the daemon can decide comes by callback, or by a Deferred.
Callbacks of the daemon are handed to the gateway through gateway.callRemote(method, *args).
"""
import os

from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.logger import Logger

from . import PROTO
from .callbacks import CallbackServer
from .control import Control
from .daemon import Daemon
from .reports import LOST, Reports
from .sessions import Sessions, address_of, as_text, host_bytes
from .settings import Settings, SettingsError
from .transfers import Send

__all__ = ["GateInterface", "PROTO", "proto", "current"]

log = Logger()
proto = PROTO
RETRY_S = 1.0
TELL_LIMIT_S = 5.0      # at shutdown, for a gateway that does not answer

_current = None


def current():
    """The interface that was initialised last: the one that tcp_node's functions speak for."""
    return _current


def text_or_none(value):
    """The text of an identity that may be an object of the caller's; None for no identity."""
    text = as_text(value)
    return None if text in ("", "None") else text


class GateInterface:
    def __init__(self, settings=None, reactor=None):
        self._settings = settings
        self._given_reactor = reactor
        self._is_open = False           # from init to shutdown
        self._is_ready = False          # the daemon is up and knows the gateway
        self._generation = 0            # of the daemon
        self._waiting_ready = []        # Deferreds of init
        self._waiting_connect = []      # Deferreds of connect
        self._unsent = []               # (send, error) that could not be asked for
        self._reports = Reports()
        self._control = self._daemon = self._callbacks = self._sessions = None
        self._trigger = None
        self._shutdown = None

    # ---- life

    def init(self, gateway):
        """`gateway` has callRemote(method, *args). Fires with True when the daemon knows us."""
        if isinstance(gateway, (str, bytes)):
            from twisted.web.xmlrpc import Proxy
            gateway = Proxy(gateway if isinstance(gateway, bytes) else gateway.encode(),
                            allowNone=True)
        try:
            return self._init(gateway)
        except SettingsError as e:
            log.error("the tcp transport cannot be started: {error}", error=e)
            return fail(e)

    def _init(self, gateway):
        global _current
        self._reports.new_gateway(gateway)
        _current = self
        if not self._is_open:
            self._open()
        ready = Deferred()
        self._waiting_ready.append(ready)
        if self._is_ready:
            self._is_ready = False
            self._introduce(self._generation)
        return ready

    def _open(self):
        if self._given_reactor is None:
            from twisted.internet import reactor
        else:
            reactor = self._given_reactor
        try:
            settings = self._settings = self._settings or Settings.from_environment()
            settings.prepare()
            self._reactor = reactor
            self._control = Control(reactor, settings.control_socket)
            self._sessions = Sessions(reactor, self._control)
            self._callbacks = CallbackServer(reactor, settings.gateway_socket, self._reports)
            self._daemon = Daemon(reactor, settings, self._control, self._daemon_up,
                                  self._daemon_down)
            self._reports.open(reactor, self._sessions)
            self._callbacks.start()
            self._daemon.start()
        except SettingsError:
            if self._callbacks is not None:
                self._callbacks.stop()
            raise
        self._is_open, self._shutdown = True, None
        self._trigger = reactor.addSystemEventTrigger("before", "shutdown", self.shutdown)

    def connect(self, options):
        """Listen. `options`: idurl, host (`H:P`), tcp_port. Fires with True when the daemon does."""
        self._reports.options = dict(options or {})
        if self._is_ready:
            return self._connect()
        connected = Deferred()
        self._waiting_connect.append(connected)
        return connected

    def _wire_options(self):
        options = {}
        if text_or_none(self._reports.options.get("idurl")) is not None:
            options["idurl"] = text_or_none(self._reports.options["idurl"])
        if self._reports.options.get("host"):
            options["host"] = as_text(self._reports.options["host"])
        if self._reports.options.get("tcp_port"):
            options["tcp_port"] = int(self._reports.options["tcp_port"])
        return options

    def _connect(self):
        return self._control.call("connect", self._wire_options()).addCallbacks(
            lambda answer: True, self._not_done, errbackArgs=("connect", False))

    def disconnect(self):
        """Stop listening, and end the sessions. Fires with True when the daemon has begun to."""
        self._reports.options = None
        self._answer_waiting(self._waiting_connect, False)
        if not self._is_ready:
            return succeed(True)
        return self._control.call("disconnect").addCallbacks(
            lambda answer: True, self._not_done, errbackArgs=("disconnect", True))

    @staticmethod
    def _not_done(failure, what, answer):
        log.error("{what}: {error}", what=what, error=failure.value)
        return answer

    def shutdown(self):
        """Ends the daemon. Fires with True when it is gone and all is reported."""
        if self._shutdown is None:
            self._shutdown = self._end() if self._is_open else succeed(True)
        done = Deferred()
        self._shutdown.addCallback(lambda value: (done.callback(True), value)[1])
        return done

    @inlineCallbacks
    def _end(self):
        if self._trigger is not None:
            try:
                self._reactor.removeSystemEventTrigger(self._trigger)
            except (KeyError, ValueError):  # it is what calls us
                pass
            self._trigger = None
        if not self._daemon.is_ours:
            yield self.disconnect()
        self._answer_waiting(self._waiting_connect, False)
        yield self._daemon.stop()
        told = self._lose()
        self._end_unsent()
        yield self._or_late(told)
        yield self._callbacks.stop()
        self._control.close()
        self._answer_waiting(self._waiting_ready, False)
        self._is_open = False
        return True

    def _or_late(self, told):
        """What `told` answers, or None when it takes too long."""
        done = Deferred()
        timer = self._reactor.callLater(TELL_LIMIT_S, done.callback, None)

        def is_told(answer):
            if timer.active():
                timer.cancel()
                done.callback(answer)
        told.addBoth(is_told)
        return done

    @staticmethod
    def _answer_waiting(waiting, answer):
        waiting[:], those = [], list(waiting)
        for deferred in those:
            deferred.callback(answer)

    # ---- the daemon's life

    def _daemon_up(self):
        self._introduce(self._generation)

    @inlineCallbacks
    def _introduce(self, generation):
        """A daemon that is up hears who the gateway is, and what it is to do."""
        try:
            yield self._reports.settle_received(self._control)
            yield self._control.call("init", self._settings.gateway_url, {"file_result": True})
            connected = yield (self._connect() if self._reports.options is not None else succeed(None))
        except Exception as e:  # refused, or gone again
            if generation == self._generation and self._shutdown is None:
                log.error("dustwired does not take us for its gateway: {error}", error=e)
                self._reactor.callLater(RETRY_S, self._introduce_again, generation)
            return
        if generation != self._generation or self._shutdown is not None:
            return
        self._is_ready = True
        self._sessions.start()
        if connected is not None and self._reports.options is None:     # taken back meanwhile
            self._control.call("disconnect").addErrback(self._not_done, "disconnect", None)
        elif connected is not None:
            self._answer_waiting(self._waiting_connect, connected)
        elif self._reports.options is not None:     # asked for meanwhile
            self._connect().addCallback(
                lambda answer: self._answer_waiting(self._waiting_connect, answer))
        # Last: who waited for this may connect at once.
        self._answer_waiting(self._waiting_ready, True)

    def _introduce_again(self, generation):
        if generation == self._generation and self._shutdown is None:
            self._introduce(generation)

    def _daemon_down(self, reason):
        self._lose()
        self._reports.tell("disconnected", PROTO, reason)

    def _lose(self):
        self._generation += 1
        self._is_ready = False
        self._sessions.stop()
        self._callbacks.drop()
        return self._reports.lose()

    # ---- sending

    def send_file(self, remote_idurl, filename, host, description="", single=False):
        """Fires with (file, status, error), always, when the outcome is known."""
        send = Send(text_or_none(remote_idurl), filename, host_bytes(host), description, single)
        if not self._is_ready:
            self._not_sent(send, LOST)
            return send.deferred
        self._reports.sends.add(send)
        asked = self._control.call("send_file_single" if single else "send_file",
                                   send.idurl, send.path, send.host,
                                   None if description is None else as_text(description))
        asked.addCallbacks(self._send_queued, self._send_refused,
                           callbackArgs=(send,), errbackArgs=(send,))
        return send.deferred

    def send_file_single(self, remote_idurl, filename, host, description=""):
        return self.send_file(remote_idurl, filename, host, description, single=True)

    def _not_sent(self, send, error):
        """The caller hears of it when it has our answer, and not before."""
        self._unsent.append((send, error))
        if self._is_open:
            self._reactor.callLater(0, self._end_unsent)
        else:
            self._end_unsent()

    def _end_unsent(self):
        unsent, self._unsent = self._unsent, []
        for send, error in unsent:
            self._reports.end_unsent(send, error)

    def _send_queued(self, request_id, send):
        outcome = self._reports.sends.queued(send, request_id)
        if outcome is not None:
            self._reports.end_send(send, outcome)

    def _send_refused(self, failure, send):
        if self._reports.sends.refused(send):
            self._reports.sends.remove(send)
            self._reports.end_unsent(send, self._why_refused(send, failure.value))

    @staticmethod
    def _why_refused(send, error):
        if not os.path.exists(send.path):
            return "file not exist"
        return getattr(error, "faultString", None) or str(error)

    def cancel_file_sending(self, transfer_id):
        """True if the file is under way. One whose last frame has begun is sent all the same."""
        transfer = self._reports.transfers.get(transfer_id)
        if not self._is_ready or transfer is None or not transfer.is_outgoing:
            return False
        self._order("cancel_file_sending", transfer_id)
        return True

    def cancel_file_receiving(self, transfer_id):
        """The daemon refuses the rest of it; the answer is False, as in the reference."""
        transfer = self._reports.transfers.get(transfer_id)
        if transfer is not None and not transfer.is_outgoing and self._is_ready:
            self._order("cancel_file_receiving", transfer_id)
        return False

    def cancel_outbox_file(self, host, filename):
        if self._is_ready:
            self._order("cancel_outbox_file", host_bytes(host), os.path.abspath(filename))

    def _order(self, method, *args):
        self._control.call(method, *args).addErrback(self._not_done, method, None)

    # ---- hosts

    def connect_to(self, host):
        """True if a session is there already; False when one is being opened."""
        address = address_of(host)
        if not self._is_ready:
            return False
        if self._sessions.is_connected(address):
            return True
        if self._sessions.dial(address):
            asked = self._control.ask("connect_to", host_bytes(host))
            asked.addErrback(self._not_done, "connect_to", None)
            asked.addCallback(lambda answer: self._sessions.dialled(address))
        return False

    def disconnect_from(self, host):
        """True if there is a session to end."""
        return self._to_known("disconnect_from", host)

    def send_keep_alive(self, host):
        """True if there is a session for it."""
        return self._to_known("send_keep_alive", host)

    def _to_known(self, method, host):
        if not self._is_ready:
            return False
        asked = self._control.ask(method, host_bytes(host))
        asked.addErrback(self._not_done, method, None)
        asked.addCallback(lambda answer: self._sessions.want(0))
        return self._sessions.is_known(address_of(host))

    # ---- contacts

    def port(self):
        """The port that we listen on, or are to."""
        return self._reports.bound_port or self.wanted_port()

    def wanted_port(self):
        wanted = (self._reports.options or {}).get("tcp_port")
        if wanted:
            return int(wanted)
        return self._settings.port if self._settings is not None else Settings.from_environment().port

    def host(self):
        """`H:P` as bytes: where others reach us; empty if nobody has said."""
        host = host_bytes((self._reports.options or {}).get("host") or b"")
        if host and address_of(host)[1] == 0:
            host += b":%d" % self.port()
        return host

    def build_contacts(self, id_obj=None):
        host = self.host()
        return [PROTO.encode() + b"://" + host] if host else []

    def verify_contacts(self, id_obj):
        contacts = self.build_contacts(id_obj)
        return (bool(contacts) and id_obj.getContactIndex(contact=contacts[0]) != -1
                and self.port() == self.wanted_port())

    # ---- lists

    def refresh(self):
        """Asks the daemon now: fires when the lists are up to date."""
        return succeed(None) if self._sessions is None else self._sessions.refresh()

    def list_sessions(self):
        if self._sessions is None:
            return []
        self._sessions.want()
        return self._sessions.connections()

    def list_streams(self, sorted_by_time=True):
        if self._sessions is None:
            return []
        self._sessions.want()
        streams = self._sessions.streams()
        listed = {s.transfer_id for s in streams}
        for is_outgoing in (True, False):
            streams.extend(t.stream() for t in self._reports.transfers.all(is_outgoing)
                           if t.transfer_id not in listed)
        return sorted(streams, key=lambda s: s.started) if sorted_by_time else streams

    def find_session(self, host=None, idurl=None):
        address = None if host is None else address_of(host)
        idurl = text_or_none(idurl)
        return [c for c in self.list_sessions()
                if (address is None or c.is_of(address)) and idurl in (None, c.peer_idurl)]

    def find_stream(self, stream_id=None, transfer_id=None):
        if stream_id is None and transfer_id is None:
            return None
        for stream in self.list_streams():
            if stream_id in (None, stream.file_id) and transfer_id in (None, stream.transfer_id):
                return stream
        return None

    def opened_connections(self):
        self.list_sessions()
        return [] if self._sessions is None else self._sessions.opened()

    def started_connections(self):
        self.list_sessions()
        return [] if self._sessions is None else self._sessions.started()
