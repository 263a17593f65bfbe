"""A BitDust-like peer on Twisted's own Int32StringReceiver: behaves on the wire as the reference,
written from docs/protocol.md alone. A separate process: one JSON object per line, commands on stdin
and events on stdout. Shares no code with the daemon.

It behaves as the current reference, including the defects that a peer can observe: chunks of
16,384 bytes, 20 files in flight, ok as soon as the bytes are written, an abort from a receiver is
ignored, after a bad frame in CONNECTED it stops reading, a half-close ends the session.

    {"do": "listen", "port": 0}                          -> listening
    {"do": "connect", "host": H, "port": P}              -> opened (or connect-failed)
    {"do": "send", "session": N, "path": F, "name": ..}  -> sent / send-failed
    {"do": "send-single", "host": H, "port": P, "path": F}  one file on a session of its own
    {"do": "keep-alive" | "disconnect" | "drop" | "pause" | "resume", "session": N}
    {"do": "cancel", "name": ..}                            just stops sending it
"""
import hashlib
import json
import os
import struct
import sys
import time

from twisted.internet import endpoints, error, fdesc, protocol, reactor, stdio
from twisted.protocols import basic

CHUNK, IN_FLIGHT, OPEN_FILES, HANDSHAKE = 16384, 20, 40, 10


def tell(event, **fields):
    fields["event"] = event
    fdesc.setBlocking(1)
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Outgoing:
    def __init__(self, path, name):
        self.path, self.name = path, name
        self.stream = open(path, "rb")
        self.size = os.fstat(self.stream.fileno()).st_size
        self.sent = 0
        self.file_id = None


class Incoming:
    def __init__(self, folder, number, size):
        self.path = os.path.join(folder, "peer-%06d" % number)
        self.stream = open(self.path, "wb")
        self.sum = hashlib.sha256()
        self.size, self.taken = size, 0


class Peer(basic.Int32StringReceiver):
    """One session, either role."""

    is_client = False
    is_shaken = False
    is_deaf = False
    is_single = False
    is_producing = False

    def __init__(self, node):
        self.node = node
        self.number = node.next_session()
        self.waiting, self.sending, self.unanswered, self.incoming = [], [], {}, {}
        self.their_idurl = self.announced = None

    # ---- frames

    def frame(self, command, payload=b""):
        self.sendString(b"1" + command + payload)

    def connectionMade(self):
        self.node.sessions[self.number] = self
        self.timer = reactor.callLater(HANDSHAKE, self.transport.loseConnection)
        self.transport.setTcpNoDelay(True)
        if self.is_client:
            self.frame(b"h", ("%s %s" % (self.node.announced(), self.node.idurl)).encode())

    def stringReceived(self, body):
        if self.is_deaf:
            return
        command, payload = body[1:2], body[2:]
        if body[:1] != b"1" or command not in (b"h", b"w", b"d", b"o", b"a"):
            self.bad("%r" % body[:16])
        elif not self.is_shaken:
            self.handshake(command, payload)
        elif command == b"d":
            self.take_data(payload)
        elif command == b"o":
            self.take_ok(payload)
        elif command == b"a":
            self.take_abort(payload)
        elif command == b"w":
            tell("keep-alive", session=self.number)

    def lengthLimitExceeded(self, length):
        self.bad("length %d" % length)

    def bad(self, what):
        """Before the handshake: hang up. After it: deaf for ever, and the connection stays."""
        tell("bad-frame", session=self.number, what=what)
        if not self.is_shaken:
            self.transport.loseConnection()
        else:
            self.is_deaf = True
            self.transport.pauseProducing()

    # ---- the handshake

    def handshake(self, command, payload):
        if command != (b"w" if self.is_client else b"h"):
            return self.bad("%r before the handshake" % command)
        if self.is_client:
            self.their_idurl = payload.decode(errors="replace")
            if self.node.is_hanging_up and not self.waiting:
                return self.transport.loseConnection()  # the reference, with nothing to send
        elif not self.read_hello(payload):
            return self.transport.loseConnection()
        self.is_shaken = True
        self.timer.cancel()
        if not self.is_client:
            self.frame(b"w", self.node.idurl.encode())
        tell("opened", session=self.number, role="client" if self.is_client else "server",
             idurl=self.their_idurl, announced=self.announced,
             host=self.transport.getPeer().host, port=self.transport.getPeer().port)
        self.start_files()

    def read_hello(self, payload):
        words = payload.split(b" ")
        address = words[0].split(b":")
        if len(words) != 2 or len(address) != 2:
            return False
        try:
            int(address[1])
        except ValueError:
            return False
        self.announced, self.their_idurl = (word.decode(errors="replace") for word in words)
        return True

    # ---- sending: a pull producer, asked whenever the socket's buffer is empty

    def send(self, outgoing):
        self.waiting.append(outgoing)
        if self.is_shaken:
            self.start_files()

    def start_files(self):
        while self.waiting and len(self.sending) + len(self.unanswered) < IN_FLIGHT:
            outgoing = self.waiting.pop(0)
            outgoing.file_id = self.node.next_file_id()
            self.sending.append(outgoing)
        if self.sending and not self.is_producing:
            self.is_producing = True
            self.transport.registerProducer(self, False)

    def resumeProducing(self):
        if not self.sending:
            self.is_producing = False
            return self.transport.unregisterProducer()
        outgoing = self.sending.pop(0)
        bytes_ = outgoing.stream.read(CHUNK)
        outgoing.sent += len(bytes_)
        self.frame(b"d", struct.pack("<ii", outgoing.file_id, outgoing.size) + bytes_)
        if outgoing.sent < outgoing.size:
            self.sending.append(outgoing)
        else:
            self.unanswered[outgoing.file_id] = outgoing

    def pauseProducing(self):
        pass

    def stopProducing(self):
        self.transport.loseConnection()

    def take_ok(self, payload):
        if len(payload) < 4:
            return
        outgoing = self.unanswered.pop(struct.unpack("<i", payload[:4])[0], None)
        if outgoing is None:
            return tell("stray-ok", session=self.number)
        outgoing.stream.close()
        tell("sent", session=self.number, name=outgoing.name, size=outgoing.size)
        self.start_files()
        if self.is_single and not (self.waiting or self.sending or self.unanswered):
            self.transport.loseConnection()

    def cancel(self, name):
        """The reference just stops: no frame, and the receiver waits."""
        for files in (self.waiting, self.sending):
            for outgoing in [o for o in files if o.name == name]:
                files.remove(outgoing)
                tell("send-failed", session=self.number, name=name, error="cancelled")

    # ---- receiving

    def take_data(self, payload):
        if len(payload) < 8:
            return
        file_id, size = struct.unpack("<ii", payload[:8])
        if file_id not in self.incoming:
            if len(self.incoming) >= OPEN_FILES:
                tell("too-many-files", session=self.number)
                return self.transport.loseConnection()
            self.incoming[file_id] = Incoming(self.node.folder, self.node.next_incoming(), size)
        incoming = self.incoming[file_id]
        incoming.stream.write(payload[8:])
        incoming.sum.update(payload[8:])
        incoming.taken += len(payload) - 8
        if incoming.taken == incoming.size:
            del self.incoming[file_id]
            incoming.stream.close()
            self.frame(b"o", struct.pack("<i", file_id))
            tell("received", session=self.number, path=incoming.path, size=incoming.size,
                 sha256=incoming.sum.hexdigest())

    def take_abort(self, payload):
        if len(payload) < 4:
            return
        incoming = self.incoming.pop(struct.unpack("<i", payload[:4])[0], None)
        if incoming is not None:
            self.drop_incoming(incoming, payload[4:].decode(errors="replace"))

    def drop_incoming(self, incoming, why):
        incoming.stream.close()
        os.unlink(incoming.path)
        tell("receive-failed", session=self.number, size=incoming.size, taken=incoming.taken, error=why)

    # ---- the end

    def disconnect(self):
        """An abort for each file still being read, then FIN behind what is written."""
        for outgoing in self.sending:
            self.frame(b"a", struct.pack("<i", outgoing.file_id) + b" disconnecting")
            tell("send-failed", session=self.number, name=outgoing.name, error="disconnecting")
        self.sending = []
        if self.is_producing:
            self.is_producing = False
            self.transport.unregisterProducer()
        self.transport.loseConnection()

    def readConnectionLost(self):
        self.transport.loseConnection()

    def connectionLost(self, reason):
        if self.timer.active():
            self.timer.cancel()
        self.node.sessions.pop(self.number, None)
        for incoming in self.incoming.values():
            self.drop_incoming(incoming, "connection closed")
        for outgoing in self.waiting + self.sending + list(self.unanswered.values()):
            outgoing.stream.close()
            tell("send-failed", session=self.number, name=outgoing.name, error="connection closed")
        tell("closed", session=self.number, clean=bool(reason.check(error.ConnectionDone)))


class PeerFactory(protocol.Factory):
    def __init__(self, node, is_client, first=None):
        self.node, self.is_client, self.first = node, is_client, first

    def buildProtocol(self, address):
        peer = Peer(self.node)
        peer.is_client = self.is_client
        if self.first is not None:
            peer.is_single = True
            peer.waiting.append(self.first)
        return peer


class PeerNode(basic.LineOnlyReceiver):
    """The commands, and what all sessions share."""

    delimiter = b"\n"

    def __init__(self, folder, idurl):
        self.folder, self.idurl = folder, idurl
        self.sessions, self.port = {}, 7771
        self.is_hanging_up = False
        self._session = self._incoming = 0
        self._file_id = int(time.time() * 100) % 100000000

    def next_session(self):
        self._session += 1
        return self._session

    def next_incoming(self):
        self._incoming += 1
        return self._incoming

    def next_file_id(self):
        self._file_id = (self._file_id + 1) % 100000000
        return self._file_id

    def announced(self):
        return "127.0.0.1:%d" % self.port

    def lineReceived(self, line):
        command = json.loads(line)
        getattr(self, "do_" + command.pop("do").replace("-", "_"))(**command)

    def connectionLost(self, reason=None):
        if reactor.running:
            reactor.stop()

    def do_listen(self, port=0):
        def listening(opened):
            self.port = opened.getHost().port
            tell("listening", port=self.port)
        endpoint = endpoints.TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
        endpoint.listen(PeerFactory(self, False)).addCallback(listening)

    def do_connect(self, host, port, first=None):
        def failed(reason):
            tell("connect-failed", error=reason.getErrorMessage())
        endpoint = endpoints.TCP4ClientEndpoint(reactor, host, port, timeout=10)
        endpoint.connect(PeerFactory(self, True, first)).addErrback(failed)

    def do_hang_up_when_idle(self):
        self.is_hanging_up = True

    def do_send(self, session, path, name=None):
        self.sessions[session].send(Outgoing(path, name or path))

    def do_send_single(self, host, port, path, name=None):
        self.do_connect(host, port, Outgoing(path, name or path))

    def do_keep_alive(self, session):
        self.sessions[session].frame(b"w", self.idurl.encode())

    def do_disconnect(self, session):
        self.sessions[session].disconnect()

    def do_drop(self, session):
        self.sessions[session].transport.abortConnection()

    def do_pause(self, session):
        self.sessions[session].transport.pauseProducing()

    def do_resume(self, session):
        self.sessions[session].transport.resumeProducing()

    def do_cancel(self, name):
        for session in list(self.sessions.values()):
            session.cancel(name)


if __name__ == "__main__":
    stdio.StandardIO(PeerNode(sys.argv[1], sys.argv[2]))
    reactor.run()
