"""A stop ends even if a disk does not answer: each thread that works on files, with a call that hangs for longer
than the limit of the stop."""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "faults"))

import layer  # noqa: E402
import raw  # noqa: E402
from field import FaultNode  # noqa: E402
from node import SystemTest, main, wait_until  # noqa: E402

STEP_S = 30  # STEP_LIMIT_S of src/daemon/rooms.c


@unittest.skipUnless(os.path.exists(layer.LIBRARY), "the fault layer is not built here")
class HungDisk(SystemTest):
    def test_a_hanging_call_does_not_block_the_stop(self):
        # All run at the same time, since each takes the full limit of a step of the stop.
        waiting = [(name, self.hang(name, call, begin)) for name, call, begin in (
            ("received", "pread", lambda node, peer: self.job(node.job("received"))),
            ("control", "accept4-control", lambda node, peer: self.job(node.job("status"))),
            ("settings", "fsync", lambda node, peer: self.job(node.job("set", "priority", "3"))),
            ("committer", "fdatasync", lambda node, peer: peer.send(*raw.file_frames(1, b"x" * 50000))),
            ("worker", "write", lambda node, peer: peer.send(*raw.file_frames(1, b"x" * 50000))))]
        for name, node in waiting:
            with self.subTest(name):
                self.assertEqual(node.wait_exit(10 * STEP_S), 1)
                self.assertIn("possibly blocked by a hung disk; exiting anyway", node.log())

    def test_a_call_that_returns_before_the_limit_allows_a_clean_stop(self):
        node = self.hang("received", "pread", lambda node, peer: self.job(node.job("received")), block_s=1.5)
        self.assertEqual(node.wait_exit(), 0)
        self.assertIn("dustwired stopped", node.log())

    def hang(self, name, call, begin, block_s=3600):
        """A daemon in which the call hangs, after SIGTERM."""
        node = FaultNode(name, {"sessions/stop-timeout-s": 1}).with_layer()
        self.addCleanup(node.close)
        node.start()
        peer = raw.Raw.greet(node.port)
        self.addCleanup(peer.close)
        node.layer.arm(call, times=layer.EVER, mode=layer.BLOCK, block_ms=int(block_s * 1000))
        begin(node, peer)
        wait_until(lambda: node.layer.hits > 0, "a call of " + call)
        node.layer.disarm()
        node.signal(signal.SIGTERM)
        return node


if __name__ == "__main__":
    main()
