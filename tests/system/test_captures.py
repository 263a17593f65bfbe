"""Recorded sessions of the reference (tests/captures), replayed to a real node in both roles: a
capture's client side to a node that listens, its server side to a node that dials."""
import os
import struct

import node as harness
import raw

# name: sizes of the files that the client sends completely, in order of completion
COMPLETE = {
    "hello-1k": [1024],
    "hello-100000": [100000],
    "three-interleaved": [1000, 50000, 120000],
    "both-directions": [20000],
    "keep-alive": [1024, 10],
    "disconnect-mid-file": [],
    "cancel-mid-file": [10],
    "receiver-disconnects-mid-file": [],
    "single": [5],
}
UNFINISHED = {"disconnect-mid-file": 131072, "cancel-mid-file": 131072,
              "receiver-disconnects-mid-file": 98304}
BIG = 30000000


def transcript(name, side):
    with open(os.path.join(harness.CAPTURES, "%s.%s.bin" % (name, side)), "rb") as stream:
        return stream.read()


def pieces(content, length):
    return [content[at:at + length] for at in range(0, len(content), length)]


class AsClient(harness.SystemTest):
    """Connects to dustwired and replays the reference's client."""

    def setUp(self):
        self.bob = self.node("bob")

    def play(self, name, piece=None):
        """Replays NAME.client.bin and checks the answers; returns the sizes that got an ok."""
        content = transcript(name, "client")
        session = raw.Raw.dial(self.bob.port)
        self.addCleanup(session.close)
        for part in pieces(content, piece or len(content)):
            session.send(part)
        greeting = session.expect(raw.WAZAP)
        self.assertEqual(greeting.payload.decode(), self.bob.settings["node/idurl"])
        sizes = self.take_oks(session, raw.split(content)[0], len(COMPLETE[name]))
        session.half_close()
        rest = session.expect_end()
        self.assertEqual([f for f in rest if f.command != raw.ABORT], [])
        return sizes

    def take_oks(self, session, frames, count):
        sizes = {f.file_id: f.size for f in frames if f.command == raw.DATA}
        return [sizes[session.expect(raw.OK).file_id] for _ in range(count)]

    def check_inbox(self, name):
        self.assertEqual(self.bob.received_sums(), sorted(
            harness.sha256_bytes(harness.pattern(size)) for size in COMPLETE[name]))
        self.bob.wait_no_partials()

    def check_events(self, name):
        finished = COMPLETE[name]
        self.bob.events.wait("file-received", len(finished), status="finished")
        if name in UNFINISHED:
            row = self.bob.events.wait("file-received", 1, status="failed")[0]
            self.assertEqual(row["size"], BIG)
            self.assertIn(row["error"], {"disconnect-mid-file": ("disconnecting",)}.get(
                name, ("connection closed",)))
            self.assertFalse(os.path.exists(row["path"]))
        self.bob.events.wait("session-closed")
        rows = self.bob.events.all("file-received")
        self.assertEqual(len(rows), len(finished) + (name in UNFINISHED), rows)
        self.assertEqual({row["idurl"] for row in rows}, {"http://127.0.0.1:8000/alice.xml"})

    def test_each_capture_is_taken(self):
        for name in COMPLETE:
            with self.subTest(capture=name):
                bob = self.bob = self.node("bob-" + name)
                self.assertEqual(sorted(self.play(name)), sorted(COMPLETE[name]))
                self.check_events(name)
                self.check_inbox(name)
                self.assertIsNone(bob.close())

    def test_the_cutting_into_segments_does_not_matter(self):
        names = ("hello-1k", "three-interleaved", "keep-alive", "cancel-mid-file")
        for piece in (1, 13, 1009, 16398):
            for name in names:
                content = transcript(name, "client")
                if len(content) / piece > 2000:
                    continue
                with self.subTest(capture=name, piece=piece):
                    self.assertEqual(sorted(self.play(name, piece)), sorted(COMPLETE[name]))
        self.bob.wait_no_partials()

    def test_a_file_is_sent_to_the_address_that_the_client_announced_on_the_same_session(self):
        content = transcript("both-directions", "client")
        frames = raw.split(content)[0]
        announced = frames[0].payload.decode().split(" ")[0]
        session = raw.Raw.dial(self.bob.port)
        self.addCleanup(session.close)
        ack_length = 10
        session.send(content[:-ack_length])
        session.expect(raw.WAZAP)
        session.expect_ok(frames[1].file_id)
        path = harness.make_file(os.path.join(self.folder(), "back"), 30000)
        job = self.job(self.bob.send_job([path], announced))
        (_, got), = session.take_files(1)
        self.assertEqual(got, harness.pattern(30000))
        self.assert_sent(job.result(), 1)


class AsServer(harness.SystemTest):
    """dustwired dials the test, which replays the reference's server."""

    def setUp(self):
        self.alice = self.node("alice", {"sessions/linger-ms": int(harness.seconds(2000))})
        self.files = self.folder()

    def make(self, sizes):
        return [harness.make_file(os.path.join(self.files, "f%d-%d" % (i, size)), size)
                for i, size in enumerate(sizes)]

    def listener(self, **more):
        listener = raw.Listener(**more)
        self.addCleanup(listener.close)
        return listener

    def answer(self, name, session):
        """Sends NAME.server.bin frame by frame, each ok after a complete file and with its id."""
        answered = 0
        for frame in raw.split(transcript(name, "server"))[0]:
            if frame.command == raw.OK:
                answered += 1
                while sum(map(len, session.check.done.values())) < answered:
                    self.assertIsNotNone(session.next(), "the end before file %d" % answered)
                done = list(session.check.done)[answered - 1]
                session.send(raw.frame(raw.OK, struct.pack("<i", done) + frame.payload[4:]))
            else:
                session.send(raw.frame(frame.command, frame.payload))

    def begin(self, name, listener, paths):
        job = self.job(self.alice.send_job(paths, listener.contact))
        session = listener.accept(is_greeted=False)
        self.addCleanup(session.close)
        greeting = session.expect(raw.HELLO)
        self.assertEqual(greeting.payload.decode().split(" ")[1], self.alice.settings["node/idurl"])
        self.assertTrue(session.is_quiet(), "nothing is sent before the wazap")
        return job, session

    def check_sent(self, session, paths):
        got = sorted(harness.sha256_bytes(content) for contents in session.check.done.values()
                     for content in contents)
        self.assertEqual(got, sorted(harness.sha256(path) for path in paths))

    def test_each_capture_without_a_break_answers_our_files(self):
        for name in ("hello-1k", "hello-100000", "three-interleaved", "single"):
            with self.subTest(capture=name):
                paths = self.make(COMPLETE[name])
                job, session = self.begin(name, self.listener(), paths)
                self.answer(name, session)
                self.assert_sent(job.result(), len(paths))
                self.check_sent(session, paths)
                session.half_close()
                self.assertEqual(session.expect_end(), [])

    def test_a_file_that_the_server_sends_back_is_taken(self):
        paths = self.make(COMPLETE["both-directions"])
        job, session = self.begin("both-directions", self.listener(), paths)
        self.answer("both-directions", session)
        self.assert_sent(job.result(), 1)
        theirs = next(f for f in raw.split(transcript("both-directions", "server"))[0]
                      if f.command == raw.DATA)
        session.expect_ok(theirs.file_id)
        self.assertEqual(self.alice.received_sums(), [harness.sha256_bytes(harness.pattern(30000))])
        row, = self.alice.events.wait("file-received")
        self.assertEqual(row["idurl"], "http://127.0.0.1:8000/bob.xml")

    def test_a_keep_alive_of_the_server_is_not_answered(self):
        first, second = self.make(COMPLETE["keep-alive"])
        frames = raw.split(transcript("keep-alive", "server"))[0]
        listener = self.listener()
        job, session = self.begin("keep-alive", listener, [first])
        session.send(raw.frame(raw.WAZAP, frames[0].payload))
        session.take_files(1)
        self.assert_sent(job.result(), 1)
        session.send(raw.frame(raw.WAZAP, frames[2].payload))
        job = self.job(self.alice.send_job([second], listener.contact))
        session.take_files(1)
        self.assert_sent(job.result(), 1)
        self.assertEqual(session.check.keep_alives, 0)
        self.check_sent(session, [first, second])

    def start_big(self, name):
        """Starts a file of 30,000,000 bytes, of which we read about 100,000."""
        listener = self.listener(receive_buffer=65536)
        path = harness.make_file(os.path.join(self.files, "big"), BIG)
        job, session = self.begin(name, listener, [path])
        session.send(transcript(name, "server")[:35])
        taken = 0
        while taken < 100000:
            taken += len(session.expect(raw.DATA).content)
        return listener, job, session

    def test_our_disconnect_mid_file_sends_an_abort_and_closes(self):
        listener, job, session = self.start_big("disconnect-mid-file")
        self.job(self.alice.job("disconnect", listener.contact))
        row = self.assert_not_sent(job.result(), "disconnecting", "disconnected")
        self.assertLess(row["bytes"], BIG)
        frames = session.expect_end()
        self.assertEqual(frames[-1].command, raw.ABORT, frames[-1])
        self.assertTrue(frames[-1].text.startswith(" disconnect"), frames[-1])

    def test_our_cancel_mid_file_sends_an_abort_and_the_session_lives(self):
        listener, job, session = self.start_big("cancel-mid-file")
        stream, = self.alice.streams()
        result = self.alice.command("cancel", stream["transfer_id"])
        self.assertEqual(result.code, 0, str(result))
        while session.next().command != raw.ABORT:
            pass
        self.assert_not_sent(job.result(), "cancelled")
        path, = self.make([10])
        job = self.job(self.alice.send_job([path], listener.contact))
        session.take_files(1)
        self.assert_sent(job.result(), 1)
        self.check_sent(session, [path])

    def test_a_server_that_closes_mid_file_fails_it(self):
        _, job, session = self.start_big("receiver-disconnects-mid-file")
        session.close()
        self.assert_not_sent(job.result(), "connection closed")
        self.alice.events.wait("file-sent", status="failed")
        self.alice.events.wait("session-closed")


if __name__ == "__main__":
    harness.main()
