"""Calls from the daemon: an XML-RPC server on a Unix socket in the adapter's directory, which only its
user can access. Each call is passed to the listener's method `on_<name>`, which returns a value or a
Deferred; a failure becomes an XML-RPC fault, and the daemon retries the call. The register methods
also get `is_awaited`, a function: whether the daemon still waits for the answer.
"""
import xmlrpc.client

from twisted.internet.defer import maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.protocols.policies import WrappingFactory
from twisted.web import server, xmlrpc as web_xmlrpc

from .settings import SettingsError

log = Logger()

METHODS = ("transport_initialized", "receiving_started", "receiving_failed", "disconnected",
           "register_file_sending", "unregister_file_sending", "register_file_receiving",
           "unregister_file_receiving", "cancelled_file_sending", "file_result")


def _decoded(value):
    """Decodes base64 to bytes."""
    return value.data if isinstance(value, xmlrpc.client.Binary) else value


def _awaited_check(request):
    lost = []
    request.notifyFinish().addErrback(lost.append)
    return lambda: not lost


class _Callbacks(web_xmlrpc.XMLRPC):
    def __init__(self, listener):
        super().__init__(allowNone=True)
        self._listener = listener

    def lookupProcedure(self, procedurePath):
        if procedurePath not in METHODS:
            raise web_xmlrpc.NoSuchFunction(self.NOT_FOUND,
                                            "procedure %s not found" % procedurePath)
        handler = getattr(self._listener, "on_" + procedurePath)

        def call(request, *args):
            extra = {}
            if procedurePath.startswith("register_"):
                extra["is_awaited"] = _awaited_check(request)
            return maybeDeferred(handler, *map(_decoded, args), **extra).addErrback(
                self._failed, procedurePath)
        call.withRequest = True
        return call

    def listProcedures(self):
        return list(METHODS)

    @staticmethod
    def _failed(failure, method):
        if failure.check(xmlrpc.client.Fault):
            return failure.value
        log.warn("gateway error in {method}: {error!r}", method=method, error=failure.value)
        return xmlrpc.client.Fault(8002, "gateway error in %s: %r" % (method, failure.value))


class _Site(server.Site):
    """Does not log each request."""

    displayTracebacks = False
    noisy = False

    def log(self, request):
        pass


class CallbackServer:
    def __init__(self, reactor, path, listener):
        self._reactor = reactor
        self._path = path
        self._site = WrappingFactory(_Site(_Callbacks(listener), timeout=None))
        self._site.noisy = False
        self._port = None

    def start(self):
        """The directory must exist. Raises SettingsError if another adapter uses the socket."""
        if self._port is not None:
            return
        try:
            # The lock file distinguishes a stale socket from one in use.
            self._port = self._reactor.listenUNIX(self._path, self._site, mode=0o600, wantPID=True)
        except (CannotListenError, OSError) as e:
            raise SettingsError("cannot open the socket %s: %s; if another node uses this "
                                "directory, set DUSTWIRE_FOLDER to a different one"
                                % (self._path, e)) from e

    def abort_connections(self):
        """Discards unread calls of a daemon that has exited: their files have been reported failed,
        and the next daemon reuses their ids."""
        for connection in list(self._site.protocols):
            connection.abortConnection()

    def stop(self):
        port, self._port = self._port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)


