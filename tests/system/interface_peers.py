"""What a node sends to peers and to a gateway, compared with the golden file: frames, callbacks, reasons. The
node has a remote gateway; the peers are raw sockets."""
import contextlib
import os

import gateway as remote
import interface_golden as golden
import interface_shapes as shapes
import node as harness
import raw

MIB = 1 << 20
BIG = 12 * MIB  # more than the socket buffers hold if the peer does not read
ENDS = {"receiving_failed", "disconnected", "unregister_file_sending", "unregister_file_receiving",
        "cancelled_file_sending", "file_result"}  # their last argument is a reason, or nil


class Peers(harness.SystemTest):
    """A node with a remote gateway, and raw peers: callbacks, frames, texts."""

    def setUp(self):
        self.files = self.folder()
        self.wire, self.texts, self.aborts, self.callbacks = set(), set(), set(), set()
        self.gateway = remote.Gateway(self.files).start()
        self.addCleanup(lambda: self.gateway.kill())
        self.near = self.node("near", {"gateway/url": self.gateway.url, "gateway/file-result": True,
                                       "gateway/patience-s": 60, "inbox/largest-file-mib": 1,
                                       "network/retry-s": 3600, "network/retry-long-s": 3600,
                                       "node/host": "127.0.0.1"}, is_started=False)
        self.near.spawn()
        harness.wait_until(self.near.status, self.near.log)
        self.control = remote.control(self.near)
        self.seen = 0

    def file(self, size=10):
        return harness.make_file(os.path.join(self.files, "f%d" % len(os.listdir(self.files))), size)

    def listener(self):
        listener = raw.Listener(receive_buffer=65536)
        self.addCleanup(listener.close)
        return listener

    # ---- one case, and the calls that the gateway received

    @contextlib.contextmanager
    def case(self, name, last):
        """Records the calls since the previous case, up to the call `last`."""
        yield
        harness.wait_until(lambda: last in [call["call"] for call in self.gateway.calls()[self.seen:]],
                           lambda: "%s: %s\n%s" % (name, last, self.near.log()[-4000:]), 20)
        calls = self.gateway.calls()[self.seen:]
        self.seen += len(calls)
        self.callbacks.add("%s: %s" % (name, ", ".join(call["call"] for call in calls)))
        for call in calls:
            self.callbacks.add(call["call"] + shapes.arguments(call["args"]))
            if call["call"] in ENDS and call["args"][-1] is not None:
                self.texts.add("%s: %s" % (name, shapes.fixed_part(call["args"][-1])))

    def outgoing(self, name, act, size=10, is_greeted=True):
        """Sends a file to a raw peer; `act` is the peer's reaction."""
        listener, path = self.listener(), self.file(size)
        with self.case(name, "file_result"):
            request = self.control.send_file("http://127.0.0.1:8000/raw.xml", path, listener.contact, "note")
            peer = listener.accept(is_greeted=is_greeted)
            got = peer.expect(raw.DATA) if is_greeted else peer.expect(raw.HELLO)
            act(peer, got, request, path, listener)
        peer.close()

    def incoming(self, name, act):
        """A raw peer sends what `act` says."""
        with self.case(name, "unregister_file_receiving"):
            peer = raw.Raw.greet(self.near.port)
            act(peer)
        peer.close()

    def abort(self, name, peer):
        """Reads frames up to an abort, and records its text."""
        while (got := peer.next()) is None or got.command != raw.ABORT:
            self.assertIsNotNone(got, name + ": closed without an abort")
        self.aborts.add("%s: %s" % (name, got.text.lstrip().partition(": ")[0]))
        return got

    # ---- the test

    def test_peers_and_gateway(self):
        self.transport()
        self.frames_out()
        self.frames_in()
        self.frames_without_identity()
        self.sends()
        self.received()
        self.instances()
        golden.check(self, {"callbacks": self.callbacks, "texts to a gateway": self.texts,
                            "texts to a peer": self.aborts, "wire": self.wire})

    def connect(self, **options):
        self.control.connect({"idurl": "http://127.0.0.1:8000/near.xml", "host": "127.0.0.1",
                              "tcp_port": self.near.port, **options})

    def transport(self):
        with self.case("start", "transport_initialized"):
            pass
        with self.listener().socket as taken, self.case("a port that is taken", "receiving_failed"):
            self.connect(tcp_port=taken.getsockname()[1])
        with self.case("connect", "receiving_started"):
            self.connect()
        with self.case("connect again", "receiving_started"):
            self.connect()
        with self.case("disconnect", "disconnected"):
            self.control.disconnect()
        with self.case("connect after disconnect", "receiving_started"):
            self.connect()
        harness.wait_until(self.near.is_serving, self.near.log)

    def frames_out(self):
        listener, port = self.listener(), str(self.near.port).encode()
        with self.case("a file that is sent", "file_result"):
            self.control.send_file("", self.file(), listener.contact, None)
            peer = listener.accept(is_greeted=False)
            self.wire.add("hello: " + shapes.frame(peer.expect(raw.HELLO), (port, "port")))
            peer.send(raw.wazap())
            self.send_ok(peer, "data")
        with self.case("an empty file that is sent", "file_result"):
            self.control.send_file("", self.file(0), listener.contact, None)
            self.send_ok(peer, "data, an empty file")
        self.control.send_keep_alive(listener.contact)
        self.wire.add("wazap, to keep alive: " + shapes.frame(peer.expect(raw.WAZAP)))
        with self.case("a large file that is sent", "file_result"):
            self.control.send_file("", self.file(MIB), listener.contact, None)
            self.send_ok(peer, "data, the first of a large file")
        self.control.disconnect_from(listener.contact)
        self.assertEqual(peer.expect_end(), [], "the peer gets nothing before the end")
        peer.close()

    def send_ok(self, peer, name):
        got = peer.expect(raw.DATA)
        self.wire.add("%s: %s" % (name, shapes.frame(got, (got.payload[:4], "id"), longest=30)))
        while got.file_id not in peer.check.done:
            peer.next()
        peer.send(raw.ok(got.file_id))

    def frames_in(self):
        with self.case("a file that is received", "unregister_file_receiving"):
            peer = raw.Raw.dial(self.near.port)
            peer.send(raw.hello())
            self.wire.add("wazap: " + shapes.frame(peer.expect(raw.WAZAP)))
            peer.send(raw.data(0x01020304, 5, b"hello"))
            self.wire.add("ok for id 0x01020304: " + shapes.frame(peer.expect(raw.OK)))
        with self.case("an empty file that is received", "unregister_file_receiving"):
            peer.send(raw.data(-2, 0))
            self.wire.add("ok for id -2: " + shapes.frame(peer.expect(raw.OK)))
        peer.close()
        for name, first in (("data", raw.data(1, 1, b"x")), ("a wazap", raw.wazap()), ("a bad hello", raw.hello("x"))):
            peer = raw.Raw.dial(self.near.port)
            peer.send(first)
            self.wire.add("%s first: %s" % (name, [shapes.frame(got) for got in peer.expect_end()] or "closed"))
            peer.close()

    def frames_without_identity(self):
        node, listener = self.node("plain", {"node/idurl": None}), self.listener()
        peer = raw.Raw.dial(node.port)
        peer.send(raw.hello())
        self.wire.add("wazap without an identity: " + shapes.frame(peer.expect(raw.WAZAP)))
        peer.close()
        job = self.job(node.job("connect", listener.contact))
        peer = listener.accept(is_greeted=False)
        self.wire.add("hello without a host and an identity: " + shapes.frame(
            peer.expect(raw.HELLO), (str(node.port).encode(), "port")))
        peer.send(raw.wazap())
        self.assertEqual(job.result().code, 0)
        peer.close()

    def sends(self):
        with self.case("nobody listens", "file_result"):
            self.control.send_file("", self.file(), harness.unused_contact(), "note")
        with self.case("a single file", "file_result"):
            listener = self.listener()
            self.control.send_file_single("", self.file(), listener.contact, "note")
            peer = listener.accept()
            peer.send(raw.ok(peer.expect(raw.DATA).file_id))
            peer.expect_end()
            peer.close()

        def removed(peer, got, request, path, listener):
            os.unlink(path)
            peer.send(raw.wazap())

        def rewritten(peer, got, request, path, listener):
            with open(path, "r+b") as stream:
                stream.write(b"changed")
            self.abort("the file is changed", peer)

        def confirmed(peer, got, request, path, listener):
            peer.send(raw.ok(got.file_id))
            self.abort("ok before the last byte", peer)

        def cancelled(peer, got, request, path, listener):
            self.assertTrue(self.control.cancel_send(request))
            got = self.abort("we cancel the sending", peer)
            self.wire.add("abort, we cancel the sending: " + shapes.frame(got, (got.payload[:4], "id")))

        def disconnected(peer, got, request, path, listener):
            self.assertTrue(self.control.disconnect_from(listener.contact))
            got = self.abort("we disconnect, sending", peer)
            self.wire.add("abort, we disconnect: " + shapes.frame(got, (got.payload[:4], "id")))

        self.outgoing("the file is removed before its turn", removed, is_greeted=False)
        self.outgoing("cancelled before its turn", lambda peer, got, request, *_: self.control.cancel_send(request),
                      is_greeted=False)
        self.outgoing("the peer closes before its wazap", lambda peer, *_: peer.close(), is_greeted=False)
        self.outgoing("the peer closes", lambda peer, *_: peer.close())
        self.outgoing("the peer aborts, sending", lambda peer, got, *_: peer.send(raw.abort(got.file_id, " no room")))
        self.outgoing("the peer aborts without a text, sending",
                      lambda peer, got, *_: peer.send(raw.abort(got.file_id, "")))
        for name, act in (("the file is changed", rewritten), ("ok before the last byte", confirmed),
                          ("we cancel the sending", cancelled), ("we disconnect, sending", disconnected)):
            self.outgoing(name, act, size=BIG)

    def received(self):
        def begin(*frames):
            return lambda peer: peer.send(raw.data(1, 100, b"x"), *frames)

        def refused(name, *frames):
            def act(peer):
                peer.send(*frames)
                self.abort(name, peer)
            return act

        def in_progress():
            """The stream, once the gateway has assigned its id."""
            ids = [call["answer"] for call in self.gateway.calls("register_file_receiving")[-1:]]
            return [stream for stream in self.control.list_streams() if stream["transfer_id"] in ids]

        def cancel(peer):
            begin()(peer)
            stream, = harness.wait_until(in_progress, "the file is in progress")
            self.assertTrue(self.control.cancel_file_receiving(stream["transfer_id"]))
            self.abort("we cancel the receiving", peer)

        def disconnect(peer):
            begin()(peer)
            stream, = harness.wait_until(in_progress, "the file is in progress")
            self.assertTrue(self.control.disconnect_from(stream["host"]))
            self.abort("we disconnect, receiving", peer)

        def close(peer):
            begin()(peer)
            peer.close()

        self.incoming("the peer aborts, receiving", begin(raw.abort(1)))
        self.incoming("the peer aborts without a text, receiving", begin(raw.abort(1, "")))
        self.incoming("the peer closes, receiving", close)
        for name, frames in (("more bytes than announced", [raw.data(1, 5, b"x"), raw.data(1, 5, b"123456")]),
                             ("another size in a later frame", [raw.data(1, 5, b"x"), raw.data(1, 6, b"x")])):
            self.incoming(name, refused(name, *frames))
        self.incoming("we cancel the receiving", cancel)
        self.incoming("we disconnect, receiving", disconnect)
        for name, first in (("a negative size", raw.data(1, -1)), ("a file beyond largest-file-mib",
                                                                   raw.data(1, 2 * MIB, b"x"))):
            peer = raw.Raw.greet(self.near.port)
            refused(name, first)(peer)
            peer.close()

    def instances(self):
        """Node and gateway are killed before the gateway answers; a new gateway gets the call again."""
        self.gateway.order("hang", ["unregister_file_receiving"])
        with self.case("an end that is not answered", "unregister_file_receiving"):
            peer = raw.Raw.greet(self.near.port)
            peer.send(raw.data(1, 1, b"x"))
            peer.expect(raw.OK)
        self.near.kill()
        self.gateway.kill()
        peer.close()
        self.gateway.start()
        self.near.spawn()
        harness.wait_until(self.near.status, self.near.log)
        self.control.init(self.gateway.url, {"file_result": True})
        expected = {"register_file_receiving", "transport_initialized", "unregister_file_receiving"}
        again = harness.wait_until(lambda: self.new_calls() >= expected and self.new_calls(), "the call is repeated")
        self.callbacks.add("init by a new one: " + ", ".join(sorted(again)))

    def new_calls(self):
        return {call["call"] for call in self.gateway.calls()[self.seen:]}
