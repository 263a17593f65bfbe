"""Misbehaving peers. Every test has a bystander, a session with a half-sent file that must complete
unaffected, and checks that the node serves afterwards."""
import os
import random
import select
import socket
import struct

import node as harness
import raw

HALF = 40000  # of the bystander's file
CONTENT = harness.pattern(2 * HALF)


class Hostile(harness.SystemTest):
    settings = {}

    def setUp(self):
        self.files = self.folder()
        self.bob = self.node("bob", self.settings)
        self.bystander = self.greet(idurl="http://127.0.0.1:8000/bystander.xml")
        self.bystander.send(raw.data(1, len(CONTENT), CONTENT[:HALF]))
        self.bob.events.wait("file-receiving-started")
        self.addCleanup(self.check_bystander)

    def check_bystander(self):
        self.assertIsNone(self.bob.process.poll(), self.bob.log()[-6000:])
        self.bystander.send(raw.data(1, len(CONTENT), CONTENT[HALF:]))
        self.bystander.expect_ok(1)
        late = self.greet()
        late.send(*raw.file_frames(9, b"late"))
        late.expect_ok(9)

    def keep(self, thing):
        self.addCleanup(thing.close)
        return thing

    def dial(self, **more):
        return self.keep(raw.Raw.dial(self.bob.port, **more))

    def greet(self, *arguments, **more):
        return self.keep(raw.Raw.greet(self.bob.port, *arguments, **more))

    def listener(self, **more):
        return self.keep(raw.Listener(**more))

    def make(self, size, name="f"):
        return harness.make_file(os.path.join(self.files, name), size)

    def assert_failed_files(self, count, status="failed"):
        rows = self.bob.events.wait("file-received", count, status=status)
        self.assertEqual(len(rows), count, rows)
        for row in rows:
            self.assertTrue(row["error"], row)
            self.assertFalse(os.path.exists(row["path"]), row)
        harness.wait_until(lambda: len(self.bob.partials()) <= 1, self.bob.partials)  # the bystander's
        return rows

    def assert_only_aborts(self, frames):
        self.assertEqual([f for f in frames if f.command != raw.ABORT], [])


BAD_FRAMES = {
    "version 2": raw.frame(raw.WAZAP, b"x", version=b"2"),
    "version 0": raw.frame(raw.DATA, struct.pack("<ii", 5, 1) + b"x", version=b"\0"),
    "unknown command": raw.frame(b"x", b"payload"),
    "capital command": raw.frame(b"D", struct.pack("<ii", 5, 1) + b"x"),
    "length 0": struct.pack(">I", 0),
    "length 1": struct.pack(">I", 1) + b"1",
    "length 100,000, four bytes of it": struct.pack(">I", 100000),
    "length 0x80000000": struct.pack(">I", 0x80000000),
    "length 0xffffffff": struct.pack(">I", 0xffffffff),
    "data of 7": raw.frame(raw.DATA, b"1234567"),
    "data of 0": raw.frame(raw.DATA),
    "ok of 3": raw.frame(raw.OK, b"123"),
    "abort of 3": raw.frame(raw.ABORT, b"123"),
    "wazap over the limit": raw.frame(raw.WAZAP, b"w" * 5000),
    "hello over the limit": raw.frame(raw.HELLO, b"h:1 " + b"i" * 5000),
    "abort reason over the limit": raw.frame(raw.ABORT, struct.pack("<i", 5) + b"r" * 5000),
}


class BadFrames(Hostile):
    def test_each_before_the_handshake_closes_with_nothing_sent(self):
        for name, bad in BAD_FRAMES.items():
            with self.subTest(frame=name):
                session = self.dial()
                session.send_unless_closed(bad)
                self.assertEqual(session.expect_end(), [])

    def test_each_in_connected_closes_and_fails_the_files_of_that_session(self):
        for number, (name, bad) in enumerate(BAD_FRAMES.items(), 1):
            with self.subTest(frame=name):
                session = self.greet()
                session.send(raw.data(5, 100, b"x" * 50))
                session.send_unless_closed(bad, *raw.file_frames(6, b"not to be used"))
                self.assert_only_aborts(session.expect_end())
                self.assert_failed_files(number)
        self.assertEqual(self.bob.received(), [])
        self.assertIn("127.0.0.1:%d" % self.bystander.socket.getsockname()[1], self.bob.log())

    def test_the_log_names_the_peer_of_a_bad_frame(self):
        session = self.greet()
        peer = "127.0.0.1:%d" % session.socket.getsockname()[1]
        session.send(raw.frame(b"x"))
        session.expect_end()
        harness.wait_until(lambda: sum(peer in line for line in self.bob.log().splitlines()) >= 2,
                           self.bob.log)

    def test_frames_not_allowed_as_the_first(self):
        for first in (raw.wazap(), raw.data(1, 1, b"x"), raw.ok(1), raw.abort(1)):
            session = self.dial()
            session.send_unless_closed(first, raw.hello())
            self.assertEqual(session.expect_end(), [])

    def test_random_bytes_and_bitten_captures(self):
        source = random.Random(7771)
        with open(os.path.join(harness.CAPTURES, "three-interleaved.client.bin"), "rb") as stream:
            good = stream.read()[:20000]
        for i in range(60):
            if i % 3 == 0:
                content = source.randbytes(source.randrange(1, 3000))
            else:
                content = bytearray(good)
                for _ in range(source.randrange(1, 4)):
                    content[source.randrange(200 if i % 3 == 1 else len(content))] = source.randrange(256)
            session = self.dial()
            if session.send_unless_closed(bytes(content)):
                try:
                    session.half_close()
                except OSError:
                    pass  # it was closed meanwhile
            session.expect_end()
            session.close()


ACCEPTED = [b"127.0.0.1:7771 id", b":7771 id", b"h:1 ", b": id".replace(b":", b":5"), b"\xff\xfe:1 \x80\x81",
            b"h:0 id", b"h:-1 id", b"h:70000 id", b"h:" + b"9" * 30 + b" id", b"h:+7 id", b"h:007 id",
            b"127.0.0.1:7771 None", b"a%\x01b:1 id", b"[::1]:7771 id"]
REJECTED = [b"", b" ", b"h:1", b"h:1  id", b" h:1 id", b"h:1 id ", b"h:1\tid", b"h id", b"::1:7771 id",
            b"1:2:3 id", b"h: id", b"h:x id", b"h:1x id", b": id", b"h:1 i d"]


class Hellos(Hostile):
    def test_those_that_the_reference_accepts(self):
        for payload in ACCEPTED:
            with self.subTest(hello=payload):
                session = self.dial()
                session.send(raw.frame(raw.HELLO, payload))
                session.expect(raw.WAZAP)
                session.send(*raw.file_frames(1, b"x"))
                session.expect_ok(1)
                session.close()
        for arguments in (("sessions",), ("sessions", "--json"), ("received", "--json")):
            result = self.bob.command(*arguments)
            self.assertEqual(result.code, 0, str(result))
        self.assertNotIn("\x01", self.bob.log())

    def test_those_that_it_rejects(self):
        for payload in REJECTED:
            with self.subTest(hello=payload):
                session = self.dial()
                session.send_unless_closed(raw.frame(raw.HELLO, payload))
                self.assertEqual(session.expect_end(), [])

    def test_one_in_pieces_and_one_with_data_behind_it_in_the_same_segment(self):
        session = self.dial()
        for i in range(len(raw.hello())):
            session.send(raw.hello()[i:i + 1])
        session.expect(raw.WAZAP)
        session = self.dial()
        session.send(raw.hello(), *raw.file_frames(3, CONTENT), *raw.file_frames(4, b""))
        session.expect(raw.WAZAP)
        self.assertEqual({session.expect(raw.OK).file_id for _ in range(2)}, {3, 4})

    def test_a_second_one_is_ignored_whatever_it_holds(self):
        session = self.greet()
        for payload in ACCEPTED + REJECTED:
            session.send(raw.frame(raw.HELLO, payload))
        session.send(*raw.file_frames(1, b"x"))
        session.expect_ok(1)


class Silence(Hostile):
    # Scaled like the tests' own timeouts: the bystander must send its hello within it.
    settings = {"sessions/handshake-timeout-s": round(harness.seconds(1))}

    def test_a_peer_that_never_says_hello(self):
        self.assertEqual(self.dial().expect_end(limit=5), [])

    def test_one_deadline_for_a_hello_that_drips(self):
        session = self.dial()
        for byte in raw.hello():
            if select.select([session.socket], [], [], harness.seconds(0.25))[0]:
                break
            session.send_unless_closed(bytes([byte]))
        else:
            self.fail("a hello that took %d quarters of a second was taken" % len(raw.hello()))
        self.assertEqual(session.expect_end(), [])

    def test_a_server_that_never_says_wazap(self):
        listener = self.listener()
        job = self.job(self.bob.send_job([self.make(10)], listener.contact))
        session = self.keep(listener.accept(is_greeted=False))
        session.expect(raw.HELLO)
        self.assertEqual(session.expect_end(limit=5), [])
        self.assert_not_sent(job.result(), "disconnected", "connection failed")

    def test_a_server_that_says_something_else(self):
        for first in (raw.hello(), raw.data(1, 1, b"x"), raw.ok(1), b"HTTP/1.1 400 Bad Request\r\n\r\n"):
            listener = self.listener()
            job = self.job(self.bob.send_job([self.make(10)], listener.contact))
            session = self.keep(listener.accept(is_greeted=False))
            session.expect(raw.HELLO)
            session.send(first)
            self.assertEqual(session.expect_end(), [])
            self.assert_not_sent(job.result(), "disconnected", "connection failed")


class IncomingFiles(Hostile):
    def test_40_files_may_be_open_and_41_drop_the_session(self):
        session = self.greet()
        session.send(*[raw.data(i, 10, b"12345") for i in range(40)])
        session.send(*[raw.data(i, 10, b"67890") for i in range(40)])
        self.assertEqual({session.expect(raw.OK).file_id for _ in range(40)}, set(range(40)))
        session.send(*[raw.data(i, 10, b"12345") for i in range(40)])
        self.bob.events.wait("file-receiving-started", 81)
        session.send(raw.data(40, 10, b"12345"))
        self.assert_only_aborts(session.expect_end())
        self.assert_failed_files(40)

    BROKEN = {
        "more bytes than announced": (raw.data(2, 10, b"12345"), raw.data(2, 10, b"1234567890")),
        "more bytes in the first frame": (raw.data(2, 10, b"12345678901"),),
        "another size": (raw.data(2, 10, b"12345"), raw.data(2, 11, b"67890")),
        "negative size": (raw.data(2, -1, b"12345"),),
        "most negative size": (raw.data(2, -2147483648),),
    }

    def test_a_broken_file_fails_alone_and_the_session_goes_on_while_another_is_open(self):
        for number, (name, frames) in enumerate(self.BROKEN.items(), 1):
            with self.subTest(kind=name):
                session = self.greet()
                session.send(raw.data(1, 10, b"12345"), *frames)
                self.assertEqual(session.expect(raw.ABORT).file_id, 2)
                # the rest of its data is discarded: no new file, no answer
                session.send(*frames, raw.data(2, 3, b"abc"), raw.data(1, 10, b"67890"))
                session.expect_ok(1)
                # nothing else is open: only the end of the session notifies a BitDust sender
                self.assert_only_aborts(session.expect_end())
        rows = [row for row in self.bob.events.wait("file-received", len(self.BROKEN), status="finished")]
        self.assertEqual(len(rows), len(self.BROKEN))
        self.assert_failed_files(len(self.bob.events.all("file-received", status="failed")))

    def test_a_dropped_id_is_free_again_after_the_senders_abort(self):
        session = self.greet()
        session.send(raw.data(1, 10, b"12345"), raw.data(2, 1, b"12"))
        self.assertEqual(session.expect(raw.ABORT).file_id, 2)
        session.send(raw.abort(2), raw.data(2, 3, b"abc"))
        session.expect_ok(2)

    def test_40_dropped_ids_and_one_more_closes(self):
        session = self.greet()
        session.send(raw.data(1000, 10, b"12345"))
        session.send(*[raw.data(i, 1, b"12") for i in range(40)])
        self.assertEqual([session.expect(raw.ABORT).file_id for _ in range(40)], list(range(40)))
        session.send(raw.wazap(), raw.data(1001, 1, b"1"))
        session.expect_ok(1001)
        session.send_unless_closed(raw.data(40, 1, b"12"))
        self.assert_only_aborts(session.expect_end())

    def test_empty_chunks_and_an_empty_file(self):
        session = self.greet()
        session.send(raw.data(1, 4), raw.data(1, 4, b"ab"), raw.data(1, 4), raw.data(1, 4, b"cd"))
        session.expect_ok(1)
        session.send(raw.data(2, 0))
        session.expect_ok(2)
        self.assertEqual(self.bob.received_sums(), sorted(map(harness.sha256_bytes, (b"abcd", b""))))

    def test_the_id_of_a_completed_file_again_in_the_same_segment(self):
        session = self.greet()
        contents = [b"first", b"second, longer", b"", harness.pattern(20000)]
        session.send(*[frame for content in contents for frame in raw.file_frames(7, content)])
        for _ in contents:
            session.expect_ok(7)
        self.assertEqual(self.bob.received_sums(), sorted(map(harness.sha256_bytes, contents)))

    def test_every_int32_is_an_id(self):
        session = self.greet()
        ids = [0, -1, 2147483647, -2147483648]
        for file_id in ids:
            session.send(*raw.file_frames(file_id, b"%d" % file_id))
            session.expect_ok(file_id)
        self.assertEqual(len(self.bob.received()), len(ids))

    def test_an_abort_in_the_segment_that_brought_the_first_data(self):
        session = self.greet()
        session.send(raw.data(1, 10, b"12345"), raw.abort(1, " cancelled"))
        row, = self.assert_failed_files(1)
        self.assertEqual(row["error"], "cancelled")
        session.send(*raw.file_frames(2, b"x"))
        session.expect_ok(2)

    def test_an_abort_with_any_text(self):
        session = self.greet()
        for i, text in enumerate((b"", b" \xff\xfe\x00\n", b" " * 4000)):
            session.send(raw.data(i, 10, b"12345"),
                         raw.frame(raw.ABORT, struct.pack("<i", i) + text))
        self.bob.events.wait("file-received", 3, status="failed")
        session.send(*raw.file_frames(2, b"x"))
        session.expect_ok(2)

    def test_oks_and_aborts_of_unknown_ids_are_ignored(self):
        session = self.greet()
        session.send(raw.ok(1), raw.abort(2), raw.frame(raw.OK, struct.pack("<i", 3) + b"more"),
                     *raw.file_frames(4, b"x"))
        session.expect_ok(4)

    def test_a_half_close_is_the_end_and_what_was_whole_is_kept(self):
        session = self.greet()
        session.send(*raw.file_frames(1, b"whole"), raw.data(2, 10, b"12345"))
        session.half_close()
        session.expect_end()
        self.bob.events.wait("file-received", 1, status="finished")
        row, = self.assert_failed_files(1)
        self.assertEqual(row["error"], "connection closed")
        self.assertEqual(self.bob.received_sums(), [harness.sha256_bytes(b"whole")])

    def test_a_reset_mid_frame(self):
        session = self.greet()
        session.send(raw.data(1, 100000, harness.pattern(50000))[:30000])
        self.bob.events.wait("file-receiving-started", 2)
        session.reset()
        self.assert_failed_files(1)


class OutgoingFiles(Hostile):
    def start(self, size, **more):
        """A file on its way to us, of which the first frame has come."""
        listener = self.listener(**more)
        job = self.job(self.bob.send_job([self.make(size, "out")], listener.contact))
        session = self.keep(listener.accept())
        return listener, job, session, session.expect(raw.DATA).file_id

    def next_file(self, listener, session):
        job = self.job(self.bob.send_job([self.make(1000, "next")], listener.contact))
        session.take_files(1)
        self.assert_sent(job.result(), 1)
        self.assertFalse(listener.has_caller())

    def test_an_ok_before_the_end_fails_the_file_and_aborts_it(self):
        listener, job, session, file_id = self.start(30000000, receive_buffer=65536)
        session.send(raw.ok(file_id))
        while session.expect_any(raw.DATA, raw.ABORT).command != raw.ABORT:
            pass
        self.assert_not_sent(job.result(), "ok before the end")
        self.next_file(listener, session)

    def test_an_abort_from_the_receiver_fails_the_file_with_its_text(self):
        listener, job, session, file_id = self.start(30000000, receive_buffer=65536)
        session.send(raw.abort(file_id, " no space here"))
        self.assert_not_sent(job.result(), "no space here")
        self.next_file(listener, session)

    def test_oks_twice_and_for_what_was_never_sent(self):
        listener, job, session, file_id = self.start(1000)
        session.send(raw.ok(12345), raw.abort(54321), raw.ok(file_id), raw.ok(file_id))
        self.assert_sent(job.result(), 1)
        self.next_file(listener, session)

    def test_a_bad_frame_while_we_send(self):
        _, job, session, _ = self.start(30000000, receive_buffer=65536)
        session.send(raw.frame(b"x"))
        self.assertEqual(job.result().code, 1)
        session.expect_end()

    def test_20_files_are_in_flight_and_the_21st_waits_for_an_ok(self):
        listener = self.listener()
        paths = [self.make(10 + i, "p%d" % i) for i in range(25)]
        job = self.job(self.bob.send_job(paths, listener.contact))
        session = self.keep(listener.accept())
        first = session.take_files(20, is_answered=False)
        harness.wait_until(lambda: sum(s["files_waiting"] for s in self.bob.sessions()) == 5,
                           lambda: "five files wait: %r" % self.bob.sessions())
        self.assertTrue(session.is_quiet())
        session.send(*[raw.ok(file_id) for file_id, _ in first])
        session.take_files(5)
        self.assert_sent(job.result(), 25)


class OkTimeout(Hostile):
    settings = {"sessions/ok-timeout-s": 1, "sessions/stall-window-s": 60}

    def test_an_ok_that_never_comes_fails_the_file(self):
        listener = self.listener()
        job = self.job(self.bob.send_job([self.make(10)], listener.contact))
        session = self.keep(listener.accept())
        session.take_files(1, is_answered=False)
        self.assert_not_sent(job.result(limit=15))


class Stall(Hostile):
    """Without a bystander, whose file would stall too."""
    settings = {"sessions/stall-window-s": 1, "sessions/stall-bytes-per-s": 1024}

    def setUp(self):
        self.bob = self.node("bob", self.settings)

    def test_a_file_that_does_not_come_on_fails(self):
        session = self.greet()
        session.send(raw.data(1, 1000000, b"x" * 100))
        row, = self.bob.events.wait("file-received", status="failed", limit=10)
        self.assertTrue(row["error"])
        self.bob.wait_no_partials()
        other = self.greet()
        other.send(*raw.file_frames(2, b"x"))
        other.expect_ok(2)


class Routing(Hostile):
    """Which session receives the files for an announced address."""

    def send_to(self, port):
        return self.job(self.bob.send_job([self.make(100, "route")], "tcp://127.0.0.1:%d" % port))

    def assert_routed(self, session, port):
        job = self.send_to(port)
        session.take_files(1)
        self.assert_sent(job.result(), 1)

    def assert_not_routed(self, stranger, listener):
        job = self.send_to(listener.port)
        session = self.keep(listener.accept())
        session.take_files(1)
        self.assert_sent(job.result(), 1)
        self.assertTrue(stranger.is_quiet())

    def test_an_address_with_the_ip_of_the_session_routes(self):
        port = harness.free_port()
        self.assert_routed(self.greet("127.0.0.1:%d" % port), port)

    def test_an_empty_host_means_the_address_that_is_seen(self):
        port = harness.free_port()
        self.assert_routed(self.greet(":%d" % port), port)

    def test_another_nodes_address_does_not_route(self):
        victim = self.listener()
        stranger = self.greet("127.0.0.1:%d" % victim.port, source="127.0.0.2")
        self.assert_not_routed(stranger, victim)
        rows = [row for row in self.bob.sessions() if row["host"].startswith("127.0.0.2")]
        self.assertEqual(len(rows), 1)
        self.assertFalse(rows[0]["verified"], rows)
        self.assertIn(str(victim.port), rows[0]["announced"])

    def test_a_name_does_not_route(self):
        victim = self.listener()
        self.assert_not_routed(self.greet("localhost:%d" % victim.port), victim)

    def test_our_own_address_does_not_route(self):
        stranger = self.greet("127.0.0.1:%d" % self.bob.port)
        self.assert_not_sent(self.send_to(self.bob.port).result())
        self.assertTrue(stranger.is_quiet())

    def test_a_session_that_we_dialled_is_preferred(self):
        listener = self.listener()
        self.assertEqual(self.dial_out(listener).code, 0)
        stranger = self.greet("127.0.0.1:%d" % listener.port)
        job = self.send_to(listener.port)
        self.dialled.take_files(1)
        self.assert_sent(job.result(), 1)
        self.assertTrue(stranger.is_quiet())

    def dial_out(self, listener):
        job = self.job(self.bob.job("connect", listener.contact))
        self.dialled = self.keep(listener.accept())
        return job.result()

    def test_127_0_0_1_port_7771_from_elsewhere_is_no_address(self):
        address = an_address_of_this_machine()
        if address is None:
            self.skipTest("this machine has only loopback")
        wide = self.node("wide", listen="*")
        stranger = self.keep(raw.Raw.greet(wide.port, host=address))
        self.assertFalse(wide.sessions()[0]["verified"])
        job = self.job(wide.send_job([self.make(10)], "127.0.0.1:7771"))
        job.result()
        self.assertTrue(stranger.is_quiet())


class TrustedAnnouncers(Routing):
    settings = {"sessions/trusted-announcers": "127.0.0.2/32"}

    def test_another_nodes_address_does_not_route(self):
        """An announcement from a trusted network routes; from another network it does not."""
        port = harness.free_port()
        self.assert_routed(self.greet("127.0.0.1:%d" % port, source="127.0.0.2"), port)
        victim = self.listener()
        self.assert_not_routed(self.greet("127.0.0.1:%d" % victim.port, source="127.0.0.3"), victim)


class Limits(Hostile):
    settings = {"sessions/limit": 4}

    def test_sessions_over_the_limit_are_refused_and_room_that_is_free_again_is_used(self):
        first = [self.greet() for _ in range(3)]
        over = self.dial()
        over.send_unless_closed(raw.hello())
        self.assertEqual(over.expect_end(), [])
        for session in first:
            session.close()
        harness.wait_until(lambda: len(self.bob.sessions()) == 1, "the closed sessions are gone")


def an_address_of_this_machine():
    """One that is not loopback, or None. Connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0] if not probe.getsockname()[0].startswith("127.") else None


if __name__ == "__main__":
    harness.main()
