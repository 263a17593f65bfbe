"""Frames over plain sockets, encoded here: for replays, and for misbehaving peers.

Written from docs/protocol.md alone; shares no code with the daemon."""
import socket
import struct
import time

import node as harness

LONGEST = 99999
HELLO, WAZAP, DATA, OK, ABORT = b"h", b"w", b"d", b"o", b"a"


# ---- bytes out

def frame(command, payload=b"", version=b"1"):
    return struct.pack(">I", len(payload) + 2) + version + command + payload


def hello(address="127.0.0.1:7771", idurl="http://127.0.0.1:8000/raw.xml"):
    return frame(HELLO, ("%s %s" % (address, idurl)).encode())


def wazap(idurl="http://127.0.0.1:8000/raw.xml"):
    return frame(WAZAP, idurl.encode())


def data(file_id, size, content=b""):
    return frame(DATA, struct.pack("<ii", file_id, size) + content)


def ok(file_id):
    return frame(OK, struct.pack("<i", file_id))


def abort(file_id, text=" cancelled"):
    return frame(ABORT, struct.pack("<i", file_id) + text.encode())


def file_frames(file_id, content, chunk=16384):
    if not content:
        return [data(file_id, 0)]
    return [data(file_id, len(content), content[at:at + chunk])
            for at in range(0, len(content), chunk)]


# ---- bytes in

class Frame:
    def __init__(self, body):
        self.version, self.command, self.payload = body[:1], body[1:2], body[2:]

    @property
    def file_id(self):
        return struct.unpack("<i", self.payload[:4])[0]

    @property
    def size(self):
        return struct.unpack("<i", self.payload[4:8])[0]

    @property
    def content(self):
        return self.payload[8:]

    @property
    def text(self):
        return self.payload[4:].decode(errors="replace")

    def __repr__(self):
        if self.command == DATA:
            return "<d %d: %d of %d bytes>" % (self.file_id, len(self.content), self.size)
        if self.command in (OK, ABORT):
            return "<%s %d %r>" % (self.command.decode(), self.file_id, self.text)
        return "<%s %r>" % (self.command.decode(errors="replace"), self.payload[:80])


def split(transcript):
    """A transcript's complete frames, and the remaining bytes."""
    frames, at = [], 0
    while at + 4 <= len(transcript):
        length = struct.unpack(">I", transcript[at:at + 4])[0]
        if at + 4 + length > len(transcript):
            break
        frames.append(Frame(transcript[at + 4:at + 4 + length]))
        at += 4 + length
    return frames, transcript[at:]


class ReferencePeer:
    """Checks each frame of a session by the rules of the reference; raises AssertionError at the
    first that the reference would not accept. Collects the files."""

    def __init__(self, is_listening_side):
        self._is_shaken = not is_listening_side  # a client receives a wazap first, a server a hello
        self._first = HELLO if is_listening_side else WAZAP
        self._count = 0
        self.open, self.done, self.aborted, self.oks, self.keep_alives = {}, {}, {}, [], 0
        self.idurl = None

    def take(self, got):
        assert got.version == b"1", "version %r" % got.version
        assert len(got.payload) + 2 <= LONGEST, "a frame of %d" % (len(got.payload) + 2)
        self._count += 1
        if self._count == 1:
            assert got.command == self._first, "the first frame is %r" % got
            self._take_greeting(got)
        elif got.command == WAZAP:
            self.keep_alives += 1
        elif got.command == DATA:
            self._take_data(got)
        elif got.command == OK:
            assert len(got.payload) >= 4
            self.oks.append(got.file_id)
        elif got.command == ABORT:
            assert len(got.payload) >= 4
            assert got.text == "" or got.text.startswith(" "), "the text of %r has no space" % got
            self.open.pop(got.file_id, None)
            self.aborted[got.file_id] = got.text
        else:
            raise AssertionError("the reference does not know %r here" % got)

    def _take_greeting(self, got):
        if got.command == WAZAP:
            self.idurl = got.payload.decode()
            return
        parts = got.payload.decode("ascii").split(" ")
        assert len(parts) == 2, "a hello of %d words: %r" % (len(parts), got)
        address = parts[0].split(":")
        assert len(address) == 2, "no HOST:PORT in %r" % got
        assert 1 <= int(address[1]) <= 65535 and address[1].isdigit(), "the port of %r" % got
        self.announced, self.idurl = parts

    def _take_data(self, got):
        assert len(got.payload) >= 8, "a data frame of %d" % len(got.payload)
        assert got.file_id >= 0 and got.size >= 0, repr(got)
        assert got.content or got.size == 0, "an empty chunk: %r" % got
        size, content = self.open.setdefault(got.file_id, (got.size, bytearray()))
        assert size == got.size, "%r, and it was %d before" % (got, size)
        content += got.content
        assert len(content) <= size, "%r makes %d bytes" % (got, len(content))
        assert len(self.open) <= 20, "%d files in flight" % len(self.open)
        if len(content) == size:
            del self.open[got.file_id]
            self.done.setdefault(got.file_id, []).append(bytes(content))


# ---- sockets

class Raw:
    """One connection, from either side."""

    def __init__(self, connection, is_listening_side=False):
        self.socket = connection
        self._buffer = bytearray()
        self.is_ended = False
        self.check = ReferencePeer(is_listening_side)

    @classmethod
    def dial(cls, port, host="127.0.0.1", source=None, receive_buffer=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(harness.seconds(10))
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            connection.bind((source, 0))
        connection.connect((host, port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(connection)

    @classmethod
    def greet(cls, port, announced="127.0.0.1:7771", idurl="http://127.0.0.1:8000/raw.xml", **more):
        """Connects, sends hello and receives the wazap."""
        raw = cls.dial(port, **more)
        raw.send(hello(announced, idurl))
        raw.expect(WAZAP)
        return raw

    def send(self, *pieces):
        self.socket.settimeout(harness.seconds(20))
        self.socket.sendall(b"".join(pieces))

    def send_unless_closed(self, *pieces):
        """For bytes after which the daemon can close at any moment; False if it did."""
        try:
            self.send(*pieces)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise AssertionError("timeout: nothing received; buffered bytes: %r" % bytes(self._buffer[:64]))
        self.socket.settimeout(left)
        try:
            got = self.socket.recv(1 << 18)
        except socket.timeout:
            raise AssertionError("timeout: nothing received; buffered bytes: %r" % bytes(self._buffer[:64]))
        except ConnectionResetError:
            got = b""
            self.was_reset = True
        if not got:
            self.is_ended = True
        self._buffer += got

    was_reset = False

    def next(self, limit=10.0):
        """The next frame, checked by the rules of the reference; None at the end of the stream."""
        deadline = time.monotonic() + harness.seconds(limit)
        while True:
            if len(self._buffer) >= 4:
                length = struct.unpack(">I", self._buffer[:4])[0]
                assert length <= LONGEST, "a frame of %d" % length
                if len(self._buffer) >= 4 + length:
                    got = Frame(bytes(self._buffer[4:4 + length]))
                    del self._buffer[:4 + length]
                    self.check.take(got)
                    return got
            if self.is_ended:
                return None
            self._fill(deadline)

    def expect(self, command, limit=10.0):
        got = self.next(limit)
        if got is None or got.command != command:
            raise AssertionError("%r instead of a %r frame" % (got or "the end", command))
        return got

    def expect_any(self, *commands, limit=10.0):
        got = self.next(limit)
        if got is None or got.command not in commands:
            raise AssertionError("%r instead of one of %r" % (got or "the end", commands))
        return got

    def expect_ok(self, file_id, limit=20.0):
        got = self.expect(OK, limit)
        assert got.file_id == file_id, "%r instead of an ok for %d" % (got, file_id)

    def expect_end(self, limit=10.0, may_cut=False):
        """Reads to the end of the stream; returns the frames before it. `may_cut`: the end can be within
        a frame, because we did not read while it was sent."""
        frames = []
        while True:
            got = self.next(limit)
            if got is None:
                assert not self._buffer or may_cut or self.was_reset, "the end within a frame: %r" % bytes(
                    self._buffer[:64])
                return frames
            frames.append(got)

    def take_files(self, count, limit=30.0, is_answered=True):
        """Reads until `count` files are complete; answers each with ok; returns (file id, content)."""
        files = []
        while len(files) < count:
            got = self.next(limit)
            assert got is not None, "the end after %d of %d files" % (len(files), count)
            if got.command == DATA and got.file_id not in self.check.open:
                files.append((got.file_id, self.check.done[got.file_id][-1]))
                if is_answered:
                    self.send(ok(got.file_id))
        return files

    def is_quiet(self):
        """True if there is nothing to read now and the connection is open."""
        self.socket.setblocking(False)
        try:
            got = self.socket.recv(1 << 16)
        except BlockingIOError:
            return not self._buffer
        self._buffer += got
        if not got:
            self.is_ended = True
        return False

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


class Listener:
    """A listening side."""

    def __init__(self, host="127.0.0.1", receive_buffer=None, port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind((host, port))
        self.socket.listen(16)
        self.host, self.port = self.socket.getsockname()[:2]

    @property
    def contact(self):
        return "tcp://[%s]:%d" % (self.host, self.port) if ":" in self.host else "tcp://%s:%d" % (
            self.host, self.port)

    def accept(self, limit=10.0, is_greeted=True, idurl="http://127.0.0.1:8000/raw.xml"):
        """The next connection; with `is_greeted` its hello is received and answered."""
        self.socket.settimeout(harness.seconds(limit))
        try:
            connection, _ = self.socket.accept()
        except socket.timeout:
            raise AssertionError("timeout: no connection")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw = Raw(connection, is_listening_side=True)
        if is_greeted:
            raw.expect(HELLO)
            raw.send(wazap(idurl))
        return raw

    def has_caller(self):
        """True if a connection is pending."""
        self.socket.setblocking(False)
        try:
            connection, _ = self.socket.accept()
        except BlockingIOError:
            return False
        connection.close()
        return True

    def close(self):
        self.socket.close()
