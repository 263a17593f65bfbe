"""Replaces BitDust's tcp_interface: GateInterface, called by the node's gateway.

Its calls never block. Synchronous results (a bool, a list) come from the adapter's cached state;
results that depend on the daemon arrive by callback or Deferred. Callbacks of the daemon are forwarded
to the gateway by gateway.callRemote(method, *args).
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
NOTIFY_TIMEOUT_S = 5.0      # at shutdown, for a gateway that does not answer

_current = None


def current():
    """The interface that was initialised last, which tcp_node's functions use."""
    return _current


def text_or_none(value):
    """An identity as text, from text, bytes or an object; None for no identity."""
    text = as_text(value)
    return None if text in ("", "None") else text


class GateInterface:
    def __init__(self, settings=None, reactor=None):
        self._settings = settings
        self._given_reactor = reactor
        self._is_open = False           # from init to shutdown
        self._is_ready = False          # the daemon is up and has the gateway's URL
        self._generation = 0            # of the daemon
        self._waiting_ready = []        # Deferreds of init
        self._waiting_connect = []      # Deferreds of connect
        self._unsent = []               # (send, error) to be reported as failed
        self._reports = Reports()
        self._control = self._daemon = self._callbacks = self._sessions = None
        self._trigger = None
        self._shutdown = None

    # ---- start and shutdown

    def init(self, gateway):
        """`gateway` has callRemote(method, *args). Fires with True when registered with the daemon."""
        if isinstance(gateway, (str, bytes)):
            from twisted.web.xmlrpc import Proxy
            gateway = Proxy(gateway if isinstance(gateway, bytes) else gateway.encode(),
                            allowNone=True)
        try:
            return self._init(gateway)
        except SettingsError as e:
            log.error("cannot start the tcp transport: {error}", error=e)
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
            self._register_gateway(self._generation)
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
        """Starts to listen. `options`: idurl, host (`H:P`), tcp_port. Fires with True when listening."""
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
            lambda answer: True, self._log_failure, errbackArgs=("connect", False))

    def disconnect(self):
        """Stops listening and closes the sessions. Fires with True when the daemon has started to."""
        self._reports.options = None
        self._answer_waiting(self._waiting_connect, False)
        if not self._is_ready:
            return succeed(True)
        return self._control.call("disconnect").addCallbacks(
            lambda answer: True, self._log_failure, errbackArgs=("disconnect", True))

    @staticmethod
    def _log_failure(failure, what, answer):
        log.error("{what}: {error}", what=what, error=failure.value)
        return answer

    def shutdown(self):
        """Stops the daemon. Fires with True when it has exited and all outcomes are reported."""
        if self._shutdown is None:
            self._shutdown = self._shut_down() if self._is_open else succeed(True)
        done = Deferred()
        self._shutdown.addCallback(lambda value: (done.callback(True), value)[1])
        return done

    @inlineCallbacks
    def _shut_down(self):
        if self._trigger is not None:
            try:
                self._reactor.removeSystemEventTrigger(self._trigger)
            except (KeyError, ValueError):  # called by the trigger itself
                pass
            self._trigger = None
        if not self._daemon.is_ours:
            yield self.disconnect()
        self._answer_waiting(self._waiting_connect, False)
        yield self._daemon.stop()
        pending = self._handle_daemon_loss()
        self._fail_unsent()
        yield self._with_timeout(pending)
        yield self._callbacks.stop()
        self._control.close()
        self._answer_waiting(self._waiting_ready, False)
        self._is_open = False
        return True

    def _with_timeout(self, pending):
        """The result of `pending`, or None after NOTIFY_TIMEOUT_S."""
        done = Deferred()
        timer = self._reactor.callLater(NOTIFY_TIMEOUT_S, done.callback, None)

        def completed(answer):
            if timer.active():
                timer.cancel()
                done.callback(answer)
        pending.addBoth(completed)
        return done

    @staticmethod
    def _answer_waiting(waiting, answer):
        waiting[:], those = [], list(waiting)
        for deferred in those:
            deferred.callback(answer)

    # ---- daemon start and exit

    def _daemon_up(self):
        self._register_gateway(self._generation)

    @inlineCallbacks
    def _register_gateway(self, generation):
        """Registers the gateway with a started daemon, and connects if requested."""
        try:
            yield self._reports.report_lost_receives(self._control)
            yield self._control.call("init", self._settings.gateway_url, {"file_result": True})
            connected = yield (self._connect() if self._reports.options is not None else succeed(None))
        except Exception as e:  # rejected, or the daemon has exited
            if generation == self._generation and self._shutdown is None:
                log.error("cannot register as the gateway of dustwired: {error}", error=e)
                self._reactor.callLater(RETRY_S, self._retry_registration, generation)
            return
        if generation != self._generation or self._shutdown is not None:
            return
        self._is_ready = True
        self._sessions.start()
        if connected is not None and self._reports.options is None:     # disconnected meanwhile
            self._control.call("disconnect").addErrback(self._log_failure, "disconnect", None)
        elif connected is not None:
            self._answer_waiting(self._waiting_connect, connected)
        elif self._reports.options is not None:     # connected meanwhile
            self._connect().addCallback(
                lambda answer: self._answer_waiting(self._waiting_connect, answer))
        # Last: the callers may connect at once.
        self._answer_waiting(self._waiting_ready, True)

    def _retry_registration(self, generation):
        if generation == self._generation and self._shutdown is None:
            self._register_gateway(generation)

    def _daemon_down(self, reason):
        self._handle_daemon_loss()
        self._reports.notify("disconnected", PROTO, reason)

    def _handle_daemon_loss(self):
        self._generation += 1
        self._is_ready = False
        self._sessions.stop()
        self._callbacks.abort_connections()
        return self._reports.daemon_lost()

    # ---- sending

    def send_file(self, remote_idurl, filename, host, description="", single=False):
        """Always fires, with (file, status, error), when the outcome is known."""
        send = Send(text_or_none(remote_idurl), filename, host_bytes(host), description, single)
        if not self._is_ready:
            self._defer_failure(send, LOST)
            return send.deferred
        self._reports.sends.add(send)
        call = self._control.call("send_file_single" if single else "send_file",
                                   send.idurl, send.path, send.host,
                                   None if description is None else as_text(description))
        call.addCallbacks(self._send_accepted, self._send_rejected,
                           callbackArgs=(send,), errbackArgs=(send,))
        return send.deferred

    def send_file_single(self, remote_idurl, filename, host, description=""):
        return self.send_file(remote_idurl, filename, host, description, single=True)

    def _defer_failure(self, send, error):
        """Fires the Deferred only after it was returned to the caller."""
        self._unsent.append((send, error))
        if self._is_open:
            self._reactor.callLater(0, self._fail_unsent)
        else:
            self._fail_unsent()

    def _fail_unsent(self):
        unsent, self._unsent = self._unsent, []
        for send, error in unsent:
            self._reports.fail_unsent(send, error)

    def _send_accepted(self, request_id, send):
        outcome = self._reports.sends.accepted(send, request_id)
        if outcome is not None:
            self._reports.complete_send(send, outcome)

    def _send_rejected(self, failure, send):
        if self._reports.sends.rejected(send):
            self._reports.sends.remove(send)
            self._reports.fail_unsent(send, self._rejection_reason(send, failure.value))

    @staticmethod
    def _rejection_reason(send, error):
        if not os.path.exists(send.path):
            return "file not exist"
        return getattr(error, "faultString", None) or str(error)

    def cancel_file_sending(self, transfer_id):
        """True if the file is in progress. If its last frame is being sent, it completes anyway."""
        transfer = self._reports.transfers.get(transfer_id)
        if not self._is_ready or transfer is None or not transfer.is_outgoing:
            return False
        self._send_command("cancel_file_sending", transfer_id)
        return True

    def cancel_file_receiving(self, transfer_id):
        """The daemon rejects the rest of the file. Returns False, as in the reference."""
        transfer = self._reports.transfers.get(transfer_id)
        if transfer is not None and not transfer.is_outgoing and self._is_ready:
            self._send_command("cancel_file_receiving", transfer_id)
        return False

    def cancel_outbox_file(self, host, filename):
        if self._is_ready:
            self._send_command("cancel_outbox_file", host_bytes(host), os.path.abspath(filename))

    def _send_command(self, method, *args):
        self._control.call(method, *args).addErrback(self._log_failure, method, None)

    # ---- hosts

    def connect_to(self, host):
        """True if there is a session already; False while one is being opened."""
        address = address_of(host)
        if not self._is_ready:
            return False
        if self._sessions.is_connected(address):
            return True
        if self._sessions.dial(address):
            call = self._control.call_parallel("connect_to", host_bytes(host))
            call.addErrback(self._log_failure, "connect_to", None)
            call.addCallback(lambda answer: self._sessions.dialled(address))
        return False

    def disconnect_from(self, host):
        """True if there is a session to close."""
        return self._call_if_known("disconnect_from", host)

    def send_keep_alive(self, host):
        """True if there is a session."""
        return self._call_if_known("send_keep_alive", host)

    def _call_if_known(self, method, host):
        if not self._is_ready:
            return False
        call = self._control.call_parallel(method, host_bytes(host))
        call.addErrback(self._log_failure, method, None)
        call.addCallback(lambda answer: self._sessions.schedule_refresh(0))
        return self._sessions.is_known(address_of(host))

    # ---- contacts

    def port(self):
        """The listening port, or the configured one."""
        return self._reports.bound_port or self.wanted_port()

    def wanted_port(self):
        wanted = (self._reports.options or {}).get("tcp_port")
        if wanted:
            return int(wanted)
        return self._settings.port if self._settings is not None else Settings.from_environment().port

    def host(self):
        """The external address `H:P` as bytes; empty if not set."""
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
        """Refreshes the lists now; fires when they are up to date."""
        return succeed(None) if self._sessions is None else self._sessions.refresh()

    def list_sessions(self):
        if self._sessions is None:
            return []
        self._sessions.schedule_refresh()
        return self._sessions.connections()

    def list_streams(self, sorted_by_time=True):
        if self._sessions is None:
            return []
        self._sessions.schedule_refresh()
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
