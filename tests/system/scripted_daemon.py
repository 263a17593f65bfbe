"""A fake dustwired for cases that the real one produces only by chance: messages in an unusual order,
a file that never ends. It has no network; the name of a file determines its result:

hang…       registered, never finished
early…      the result is reported before send_file is answered
refuse…     send_file answers a fault
stopping…   reported; afterwards the lists are answered as by a stopping daemon
impatient…  the registering call is cancelled; the result is reported without an id
other       registered, unregistered, and the result reported
"""
import argparse
import configparser
import os
import sys

from twisted.internet import reactor, task
from twisted.internet.defer import inlineCallbacks, returnValue
from twisted.web import server, xmlrpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "adapter", "bitdust"))

from dustwire_adapter.control import Control  # noqa: E402


class Daemon(xmlrpc.XMLRPC):
    def __init__(self, gateway_path):
        super().__init__(allowNone=True)
        self._gateway = Control(reactor, gateway_path)
        self._last = 0
        self._options = None
        self._is_stopping = False

    def xmlrpc_status(self):
        return {"pid": os.getpid()}

    def xmlrpc_received(self, since, offset, limit):
        return []

    def xmlrpc_list_sessions(self, offset, limit):
        if self._is_stopping:
            raise xmlrpc.Fault(6, "the daemon stopped before the call completed")
        return []

    xmlrpc_list_streams = xmlrpc_list_sessions

    @inlineCallbacks
    def xmlrpc_init(self, url, options):
        self._options = options
        yield self._gateway.call("transport_initialized", "tcp")
        returnValue(True)

    @inlineCallbacks
    def xmlrpc_connect(self, options):
        yield self._gateway.call("receiving_started", "tcp", "127.0.0.1:%d" % options["tcp_port"],
                                 options)
        returnValue(True)

    def xmlrpc_disconnect(self):
        return True

    @inlineCallbacks
    def xmlrpc_send_file(self, idurl, filename, host, description):
        if isinstance(filename, xmlrpc.Binary):
            filename = filename.data.decode()
        self._last += 1
        request, word = self._last, os.path.basename(filename)
        if word.startswith("refuse"):
            raise xmlrpc.Fault(2, "send not accepted: retry later")
        self._is_stopping = word.startswith("stopping")
        done = self._send(request, idurl, filename, host.data.decode(), description, word)
        if word.startswith("early"):
            yield done
        returnValue(request)

    def _hang_up(self):
        for connection in list(self._gateway._parallel._connections):
            connection.transport.abortConnection()

    @inlineCallbacks
    def _send(self, request, idurl, filename, host, description, word):
        if word.startswith("impatient"):
            self._gateway.call_parallel("register_file_sending", "tcp", host, idurl, filename, 5,
                                        description).addErrback(lambda failure: None)
            yield task.deferLater(reactor, 0.1, self._hang_up)
            yield self._gateway.call("file_result", request, "finished", 5, None)
            return
        transfer = None
        while transfer is None:
            try:
                transfer = yield self._gateway.call("register_file_sending", "tcp", host, idurl,
                                                    filename, 5, description)
            except xmlrpc.Fault:
                pass
        if word.startswith("hang"):
            return
        yield self._gateway.call("unregister_file_sending", transfer, "finished", 5, None)
        yield self._gateway.call("file_result", request, "finished", 5, "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(parser.parse_args().config)
    control, gateway = (ini[section][key].strip('"') for section, key in (
        ("control", "socket"), ("gateway", "url")))
    if os.path.exists(control):
        os.unlink(control)
    reactor.listenUNIX(control, server.Site(Daemon(gateway.partition(":")[2])))
    reactor.run()


main()
