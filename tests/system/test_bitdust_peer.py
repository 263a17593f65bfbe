"""A node and a peer that behaves as current BitDust (peer.py, on Twisted), in both directions."""
import os

import node as harness
from peer_process import PeerProcess

PEER_IDURL = "http://127.0.0.1:8000/peer.xml"
SIZES = [1, 2, 16383, 16384, 16385, 99989, 99990, 1 << 20]
MIB = 1 << 20


class WithPeer(harness.SystemTest):
    def setUp(self):
        self.files = self.folder()
        self.node_ = self.node("node", {"node/host": "127.0.0.1"})
        self.peer = PeerProcess(self.folder(), PEER_IDURL)
        self.addCleanup(self.peer.end)
        self.peer_port = self.peer.listen()
        self.peer_contact = "tcp://127.0.0.1:%d" % self.peer_port

    def make(self, sizes, name="f"):
        return [harness.make_file(os.path.join(self.files, "%s-%d" % (name, i)), size, seed=name + str(i))
                for i, size in enumerate(sizes)]

    def sums(self, paths):
        return sorted(harness.sha256(path) for path in paths)

    def peer_sends(self, session, paths):
        before = len(self.peer.all("sent"))
        for path in paths:
            self.peer.do("send", session=session, path=path)
        self.peer.wait("sent", before + len(paths), limit=60)

    def assert_peer_has(self, paths):
        rows = self.peer.wait("received", len(paths), limit=60)
        self.assertEqual(sorted(row["sha256"] for row in rows), self.sums(paths))


class Files(WithPeer):
    def test_files_from_the_peer_on_a_session_that_it_opened(self):
        session = self.peer.connect(self.node_.port)
        paths = self.make(SIZES)
        self.peer_sends(session, paths)
        self.assertEqual(self.node_.received_sums(), self.sums(paths))
        rows = self.node_.events.wait("file-received", len(paths), status="finished")
        self.assertEqual({row["idurl"] for row in rows}, {PEER_IDURL})

    def test_files_to_the_peer_on_a_session_that_we_opened(self):
        paths = self.make([0] + SIZES)
        self.assert_sent(self.node_.send(paths, self.peer_contact), len(paths))
        self.assert_peer_has(paths)
        opened, = self.peer.wait("opened", role="server")
        self.assertEqual(opened["idurl"], self.node_.settings["node/idurl"])
        self.assertEqual(opened["announced"], "127.0.0.1:%d" % self.node_.port)

    def test_files_to_the_address_that_the_peer_announced_take_its_session(self):
        self.peer.connect(self.node_.port)
        paths = self.make(SIZES)
        self.assert_sent(self.node_.send(paths, self.peer_contact), len(paths))
        self.assert_peer_has(paths)
        self.assertEqual(len(self.peer.all("opened")), 1)

    def test_150_files_each_way_at_the_same_time_interleaved(self):
        session = self.peer.connect(self.node_.port)
        out, back = (self.make([1 + i * 700 for i in range(150)], name) for name in ("out", "back"))
        job = self.job(self.node_.send_job(out, self.peer_contact))
        self.peer_sends(session, back)
        self.assert_sent(job.result(), 150)
        self.assert_peer_has(out)
        self.assertEqual(self.node_.received_sums(), self.sums(back))
        self.assertEqual(len(self.node_.sessions()), 1)

    def test_16_mib_each_way_at_the_same_time(self):
        session = self.peer.connect(self.node_.port)
        out, back = self.make([16 * MIB], "out"), self.make([16 * MIB], "back")
        job = self.job(self.node_.send_job(out, self.peer_contact))
        self.peer_sends(session, back)
        self.assert_sent(job.result(), 1)
        self.assert_peer_has(out)
        self.assertEqual(self.node_.received_sums(), self.sums(back))

    def test_one_file_on_a_session_of_its_own_which_the_peer_then_closes(self):
        path, = self.make([5])
        self.peer.do("send-single", host="127.0.0.1", port=self.node_.port, path=path)
        self.peer.wait("sent")
        self.assertTrue(self.peer.wait("closed")[0]["clean"])
        self.assertEqual(self.node_.received_sums(), self.sums([path]))
        self.node_.events.wait("session-closed")
        self.assertEqual(self.node_.sessions(), [])


class Sessions(WithPeer):
    def test_keep_alives_from_both_sides_are_taken_and_not_answered(self):
        session = self.peer.connect(self.node_.port)
        self.peer.do("keep-alive", session=session)
        self.peer_sends(session, self.make([10], "after"))
        self.assertEqual(self.peer.all("keep-alive"), [])
        self.assertEqual(len(self.node_.sessions()), 1)

    def test_our_keep_alives_are_sent_by_the_settings(self):
        self.node_.change({"sessions/keep-alive-s": 1})
        self.assertEqual(self.node_.command("reload").code, 0)
        session = self.peer.connect(self.node_.port)
        self.peer.wait("keep-alive", session=session, limit=10)
        self.peer_sends(session, self.make([10]))

    def test_a_peer_that_hangs_up_right_after_the_handshake_is_not_broken(self):
        self.peer.do("hang-up-when-idle")
        self.peer.do("connect", host="127.0.0.1", port=self.node_.port)
        self.peer.wait("closed")
        self.node_.events.wait("session-closed")
        path, = self.make([10])
        self.peer.do("send-single", host="127.0.0.1", port=self.node_.port, path=path)
        self.peer.wait("sent")

    def test_a_peer_that_disconnects_while_it_sends(self):
        session = self.peer.connect(self.node_.port)
        path, = self.make([32 * MIB])
        self.peer.do("send", session=session, path=path)
        self.node_.events.wait("file-receiving-started")
        self.peer.do("disconnect", session=session)
        row, = self.node_.events.wait("file-received", status="failed")
        self.assertEqual(row["error"], "disconnecting")
        self.node_.wait_no_partials()
        self.assertEqual(self.node_.received(), [])

    def test_a_peer_that_is_gone_while_it_sends(self):
        session = self.peer.connect(self.node_.port)
        path, = self.make([32 * MIB])
        self.peer.do("send", session=session, path=path)
        self.node_.events.wait("file-receiving-started")
        self.peer.do("drop", session=session)
        row, = self.node_.events.wait("file-received", status="failed")
        self.assertEqual(row["error"], "connection closed")
        self.node_.wait_no_partials()

    def test_a_peer_that_disconnects_while_we_send_fails_all_files_once(self):
        self.peer.connect(self.node_.port)
        server = self.node_.sessions()
        self.assertEqual(len(server), 1)
        session = self.peer.all("opened")[0]["session"]
        self.peer.do("pause", session=session)
        paths = self.make([16 * MIB] + [1000] * 30)
        job = self.job(self.node_.send_job(paths, self.peer_contact))
        self.node_.events.wait("file-sending-started")
        self.peer.do("drop", session=session)
        result = job.result()
        self.assertEqual(result.code, 1, str(result))
        rows = {row["file"]: row for row in result.json()}
        self.assertEqual(len(rows), 31)
        self.assertEqual(rows[paths[0]]["status"], "failed")
        self.assertEqual(rows[paths[0]]["error"], "connection closed")
        self.assertEqual(len(self.node_.events.wait("file-sent", 31)), 31)

    def test_a_file_that_the_peer_just_stops_sending_ends_with_the_session(self):
        session = self.peer.connect(self.node_.port)
        path, = self.make([32 * MIB])
        self.peer.do("send", session=session, path=path, name="big")
        self.node_.events.wait("file-receiving-started")
        self.peer.do("cancel", name="big")
        self.peer.wait("send-failed", name="big")
        self.peer_sends(session, self.make([10], "next"))
        self.assertEqual(len(self.node_.received()), 1)
        self.peer.do("disconnect", session=session)
        self.node_.events.wait("file-received", status="failed")
        self.node_.wait_no_partials()

    def test_our_disconnect_while_we_send_closes_the_peer(self):
        self.peer.connect(self.node_.port)
        session = self.peer.all("opened")[0]["session"]
        self.peer.do("pause", session=session)
        job = self.job(self.node_.send_job(self.make([32 * MIB]), self.peer_contact))
        self.node_.events.wait("file-sending-started")
        self.job(self.node_.job("disconnect", self.peer_contact))
        self.assert_not_sent(job.result(), "disconnect")
        self.peer.do("resume", session=session)
        self.peer.wait("closed")
        self.assertEqual(self.peer.all("received"), [])

    def test_our_stop_sends_aborts_to_the_peer(self):
        self.node_.change({"sessions/stop-timeout-s": 1})
        self.assertEqual(self.node_.command("reload").code, 0)
        self.peer.connect(self.node_.port)
        session = self.peer.all("opened")[0]["session"]
        self.peer.do("pause", session=session)
        job = self.job(self.node_.send_job(self.make([32 * MIB]), self.peer_contact))
        self.node_.events.wait("file-sending-started")
        self.assertEqual(self.node_.stop(), 0)
        self.assertIn(job.result().code, (1, 3))
        self.peer.do("resume", session=session)
        self.peer.wait("closed")
        self.assertEqual(self.peer.all("received"), [])
        self.assertEqual(len(self.peer.all("receive-failed")), 1)


if __name__ == "__main__":
    harness.main()
