"""Calls from the daemon: an XML-RPC server on a Unix socket in the adapter's folder, which only its
user can enter. Each call is handed to a method `heard_<name>` of whoever listens, which answers a
value or a Deferred; a failure becomes an XML-RPC fault, and the daemon calls again. Those that register are
given `is_heard` too: whether the daemon still waits for the answer.
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


def _plain(value):
    """base64 is bytes here."""
    return value.data if isinstance(value, xmlrpc.client.Binary) else value


def _heard(request):
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
        heard = getattr(self._listener, "heard_" + procedurePath)

        def call(request, *args):
            more = {}
            if procedurePath.startswith("register_"):
                more["is_heard"] = _heard(request)
            return maybeDeferred(heard, *map(_plain, args), **more).addErrback(
                self._failed, procedurePath)
        call.withRequest = True
        return call

    def listProcedures(self):
        return list(METHODS)

    @staticmethod
    def _failed(failure, method):
        if failure.check(xmlrpc.client.Fault):
            return failure.value
        log.warn("the gateway failed in {method}: {error!r}", method=method, error=failure.value)
        return xmlrpc.client.Fault(8002, "the gateway failed in %s: %r" % (method, failure.value))


class _Site(server.Site):
    """Without a line in the node's log for each call."""

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
        """The folder exists. Raises SettingsError if another adapter has the socket."""
        if self._port is not None:
            return
        try:
            # The lock beside the socket tells one that is left from one that is served.
            self._port = self._reactor.listenUNIX(self._path, self._site, mode=0o600, wantPID=True)
        except (CannotListenError, OSError) as e:
            raise SettingsError("the socket %s cannot be opened: %s; if another node uses this "
                                "folder, set DUSTWIRE_FOLDER to one of its own" % (self._path, e)) from e

    def drop(self):
        """What a daemon that is gone has left unread is no news: it has been reported failed, and
        the numbers in it are those of the next daemon too."""
        for connection in list(self._site.protocols):
            connection.abortConnection()

    def stop(self):
        port, self._port = self._port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)


