"""dustwire-load against a real daemon: each case, its figures against what the daemon itself saw, and
its end. No test here judges a speed."""
import json
import os
import signal
import subprocess
import unittest

import node as harness


class Load(harness.SystemTest):
    def setUp(self):
        self.bob = self.node("bob", {"inbox/durability": "none", "sessions/limit": 2000})

    def start(self, case, *options):
        path = os.path.join(self.bob.folder, "figures.json")
        process = subprocess.Popen(
            [os.path.join(harness.BUILD, "dustwire-load"), case, *map(str, options), "--socket", self.bob.socket,
             "--json", path, "127.0.0.1:%d" % self.bob.port],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        return process, path

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def figures(self, process, path, code=0):
        out, err = process.communicate(timeout=harness.seconds(60))
        self.assertEqual(process.returncode, code, out + err)
        with open(path) as stream:
            return json.load(stream)["parts"]

    def run_load(self, case, *options):
        return self.figures(*self.start(case, *options))

    def assert_daemon_counted(self, part):
        """The figures are of this daemon, and it did work."""
        self.assertEqual(part["daemon"]["pid"], self.bob.process.pid)
        self.assertGreater(part["daemon"]["cpu_s"], 0)
        self.assertGreater(part["daemon"]["peak_kib"], 0)

    def assert_latency_in_order(self, role):
        steps = [role["latency_us"][name] for name in ("p50", "p90", "p99", "p99_9", "max")]
        self.assertEqual(steps, sorted(steps))
        self.assertGreater(steps[0], 0)

    def test_bulk_files_arrive_whole(self):
        part, = self.run_load("bulk", "--size", "3M", "--files", 4, "--sessions", 2)
        role = part["roles"][0]
        self.assertEqual((role["files"], role["failed"], role["lost"]), (4, 0, 0))
        self.assertEqual([os.path.getsize(path) for path in self.bob.received()], [3 << 20] * 4)
        self.assertEqual(len(set(self.bob.received_sums())), 1)
        self.assertGreater(role["bytes_per_s"], 0)
        self.assert_daemon_counted(part)

    def test_small_files_are_counted_one_by_one(self):
        part, = self.run_load("small", "--files", 500, "--sessions", 3, "--threads", 2)
        role = part["roles"][0]
        self.assertEqual((role["files"], role["failed"], role["unanswered"]), (500, 0, 0))
        self.assertEqual(role["latency_us"]["count"], 500)
        self.assert_latency_in_order(role)
        self.assertEqual(len(self.bob.received()), 500)
        self.assertEqual({os.path.getsize(path) for path in self.bob.received()}, {1024})
        self.assert_daemon_counted(part)

    def test_empty_files_are_files(self):
        part, = self.run_load("small", "--files", 50, "--size", 0)
        self.assertEqual(part["roles"][0]["files"], 50)
        self.assertEqual({os.path.getsize(path) for path in self.bob.received()}, {0})

    def test_a_rate_is_kept_and_ends_with_the_time(self):
        part, = self.run_load("small", "--rate", 200, "--seconds", 2)
        role = part["roles"][0]
        self.assertLessEqual(role["files"], 402)
        self.assertGreaterEqual(role["files"], 300)
        self.assertLess(part["seconds"], harness.seconds(3))

    def test_more_threads_than_sessions_send_no_file_less(self):
        part, = self.run_load("small", "--files", 51, "--threads", 3)
        self.assertEqual(part["roles"][0]["files"], 51)

    def test_what_warms_up_is_done_and_not_counted(self):
        part, = self.run_load("small", "--rate", 200, "--warm-up", 2, "--seconds", 1)
        role = part["roles"][0]
        self.assertLessEqual(role["files"], 202)
        self.assertEqual(role["latency_us"]["count"], role["files"])
        self.assertGreaterEqual(len(self.bob.received()), role["files"] + 300)
        self.assertLess(part["seconds"], harness.seconds(2))

    def test_latency_counts_from_when_a_file_was_due_not_from_when_it_could_go(self):
        """One in flight and 20 a second, to a daemon that stands still for a second: without what was
        due in that time only one file would have waited."""
        process, path = self.start("small", "--rate", 20, "--window", 1, "--seconds", 4)
        harness.wait_until(lambda: self.bob.received(), "the first files are there")
        self.bob.signal(signal.SIGSTOP)
        try:
            harness.time.sleep(1)
        finally:
            self.bob.signal(signal.SIGCONT)
        role = self.figures(process, path)[0]["roles"][0]
        waited = sum(1 for share, us in role["latency_us"]["curve"] if us > 100000)
        self.assertGreaterEqual(role["latency_us"]["max"], 900000)
        self.assertGreater(waited, 0)
        self.assertGreater(role["latency_us"]["p90"], 100000, role["latency_us"])

    def test_handshakes_are_sessions_opened_and_closed(self):
        part, = self.run_load("handshake", "--files", 300, "--sessions", 10)
        role = part["roles"][0]
        self.assertEqual((role["opened"], role["refused"]), (300, 0))
        self.assert_latency_in_order(role)
        self.bob.events.wait("session-closed", count=300)

    def test_idle_sessions_stay_open_and_tell_memory(self):
        part, = self.run_load("idle", "--sessions", 300, "--seconds", 2, "--keep-alive", 1, "--spread", 3)
        role = part["roles"][0]
        self.assertEqual((role["opened"], role["lost"]), (300, 0))
        daemon = part["daemon"]
        self.assertGreaterEqual(daemon["rss_anon_after_kib"], daemon["rss_anon_before_kib"])
        addresses = {e["host"].rsplit(":", 1)[0] for e in self.bob.events.wait("session-opened", count=300)}
        self.assertEqual(addresses, {"127.0.1.1", "127.0.1.2", "127.0.1.3"})

    @harness.needs_descriptors(2048)
    def test_more_sessions_than_settle_at_once_are_all_opened(self):
        for _ in range(5):
            part, = self.run_load("idle", "--sessions", 1500, "--seconds", 1)
            self.assertEqual(part["roles"][0]["opened"], 1500)

    def test_mixed_tells_small_alone_and_beside_bulk(self):
        alone, beside = self.run_load("mixed", "--seconds", 1, "--rate", 100, "--bulk-size", "1M",
                                      "--bulk-rate", "20M")
        self.assertEqual([role["role"] for role in alone["roles"]], ["small"])
        self.assertEqual([role["role"] for role in beside["roles"]], ["small", "bulk"])
        self.assertGreater(beside["roles"][0]["files"], 0)
        bulk = beside["roles"][1]
        self.assertGreater(bulk["files"], 0)
        self.assertLess(bulk["files"] * (1 << 20) / beside["seconds"], 22 << 20)

    def test_slow_peers_are_slow_and_the_others_are_served(self):
        alone, beside = self.run_load("slow", "--seconds", 2, "--sessions", 20, "--slow-percent", 20, "--rate", 100)
        small, writers, readers = beside["roles"]
        self.assertEqual((small["sessions"], writers["sessions"], readers["sessions"]), (16, 2, 2))
        self.assertGreater(small["files"], 0)
        self.assertEqual((small["lost"], writers["files"]), (0, 0))

    def test_received_files_are_removed_on_request(self):
        part, = self.run_load("small", "--files", 500, "--inbox", self.bob.inbox)
        self.assertEqual(part["roles"][0]["files"], 500)
        self.assertEqual(self.bob.received(), [])

    def test_ctrl_c_ends_it_with_the_figures_so_far(self):
        process, path = self.start("small", "--seconds", 600, "--rate", 100)
        harness.wait_until(lambda: len(self.bob.received()) > 10, "some files are there")
        process.send_signal(signal.SIGINT)
        part, = self.figures(process, path)
        self.assertTrue(part["interrupted"])
        self.assertGreater(part["roles"][0]["files"], 0)

    def test_a_daemon_that_dies_is_told_and_ends_it(self):
        process, path = self.start("small", "--seconds", 600, "--rate", 100)
        harness.wait_until(lambda: len(self.bob.received()) > 10, "some files are there")
        self.bob.kill()
        part, = self.figures(process, path, code=1)
        self.assertEqual(part["roles"][0]["lost"], 1)
        self.assertTrue(part["roles"][0]["problem"])

    def test_what_cannot_be_done_is_told_before_the_work(self):
        def problem(*arguments):
            result = harness.Job([os.path.join(harness.BUILD, "dustwire-load"), "small", "--files", "5",
                                  *arguments, "127.0.0.1:%d" % self.bob.port]).result()
            self.assertEqual(result.code, 1, result)
            return result.err
        nowhere = os.path.join(self.bob.folder, "nowhere")
        self.assertIn(nowhere + "/x: not found", problem("--json", nowhere + "/x"))
        self.assertIn(nowhere, problem("--inbox", nowhere))
        self.assertIn("--pid 4194304", problem("--pid", "4194304"))
        self.assertEqual(self.bob.received(), [])

    def test_handshakes_of_the_warming_up_are_not_counted(self):
        part, = self.run_load("handshake", "--sessions", 4, "--rate", 100, "--warm-up", 2, "--seconds", 1)
        self.assertLessEqual(part["roles"][0]["opened"], 102)
        self.assertEqual(part["roles"][0]["opened"], part["roles"][0]["latency_us"]["count"])

    def test_nobody_there_is_told(self):
        result = harness.Job([os.path.join(harness.BUILD, "dustwire-load"), "small",
                              "127.0.0.1:%d" % harness.free_port()]).result()
        self.assertEqual(result.code, 1)
        self.assertIn("connection refused", result.out)
        result = harness.Job([os.path.join(harness.BUILD, "dustwire-load"), "small", "--socket",
                              self.bob.socket + "x", "127.0.0.1:1"]).result()
        self.assertEqual(result.code, 1)
        self.assertIn(self.bob.socket + "x", result.err)


if __name__ == "__main__":
    harness.main()
