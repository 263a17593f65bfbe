"""dustwire-load against a real daemon: each case, its results compared with what the daemon recorded, and how
it ends. No test requires a speed, so a slow machine fails none."""
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
        """The usage is of this daemon's process, and not zero."""
        self.assertEqual(part["daemon"]["pid"], self.bob.process.pid)
        self.assertGreater(part["daemon"]["cpu_s"], 0)
        self.assertGreater(part["daemon"]["peak_kib"], 0)

    def assert_latency_in_order(self, role):
        steps = [role["latency_us"][name] for name in ("p50", "p90", "p99", "p99_9", "max")]
        self.assertEqual(steps, sorted(steps))
        self.assertGreater(steps[0], 0)

    def test_bulk_files_are_received_completely(self):
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

    def test_empty_files_are_sent(self):
        part, = self.run_load("small", "--files", 50, "--size", 0)
        self.assertEqual(part["roles"][0]["files"], 50)
        self.assertEqual({os.path.getsize(path) for path in self.bob.received()}, {0})

    def assert_rate(self, role, per_s):
        """The starts were due at this rate. True at any speed of the machine: latency counts from the due time,
        so the last answered file was due between span_s - max latency and span_s after the first."""
        last_due_s = role["span_s"] - role["latency_us"]["max"] / 1e6
        self.assertLessEqual(role["files"], per_s * role["span_s"] + 2, role)
        self.assertGreaterEqual(role["files"] + role["unanswered"], per_s * last_due_s - 1, role)

    def test_a_rate_is_kept_until_the_time_limit(self):
        part, = self.run_load("small", "--rate", 200, "--seconds", 2)
        role = part["roles"][0]
        self.assertGreater(role["files"], 0)
        self.assert_rate(role, 200)
        self.assertGreaterEqual(part["seconds"], 2)
        self.assertLess(part["seconds"], harness.seconds(10))

    def test_a_rate_is_kept_for_a_number_of_files(self):
        part, = self.run_load("small", "--rate", 200, "--files", 300, "--seconds", 60)
        role = part["roles"][0]
        self.assertEqual(role["files"], 300)
        self.assert_rate(role, 200)

    def test_with_more_threads_than_sessions_all_files_are_sent(self):
        part, = self.run_load("small", "--files", 51, "--threads", 3)
        self.assertEqual(part["roles"][0]["files"], 51)

    def test_files_of_the_warm_up_are_sent_but_not_counted(self):
        part, = self.run_load("small", "--rate", 50, "--window", 10, "--warm-up", 2, "--seconds", 2)
        role = part["roles"][0]
        self.assertEqual(role["latency_us"]["count"], role["files"])
        if not role["files"]:
            self.skipTest("this machine is too slow: no file was answered after the warm-up")
        self.assert_rate(role, 50)
        # Files start in order, so of the 100 of the warm-up all are sent but those of the window.
        self.assertGreaterEqual(len(self.bob.received()), role["files"] + 100 - 10)

    def test_latency_counts_from_the_due_time_of_a_file_not_from_its_start(self):
        """One file in flight, 20 per second, and the daemon stopped for a second: measured from the start only
        one file would have a high latency."""
        process, path = self.start("small", "--rate", 20, "--window", 1, "--seconds", 4)
        harness.wait_until(lambda: self.bob.received(), "the first files are received")
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

    def test_idle_sessions_stay_open_and_memory_is_reported(self):
        part, = self.run_load("idle", "--sessions", 300, "--seconds", 2, "--keep-alive", 1, "--spread", 3)
        role = part["roles"][0]
        self.assertEqual((role["opened"], role["lost"]), (300, 0))
        daemon = part["daemon"]
        self.assertGreaterEqual(daemon["rss_anon_after_kib"], daemon["rss_anon_before_kib"])
        addresses = {e["host"].rsplit(":", 1)[0] for e in self.bob.events.wait("session-opened", count=300)}
        self.assertEqual(addresses, {"127.0.1.1", "127.0.1.2", "127.0.1.3"})

    @harness.needs_descriptors(2048)
    def test_more_sessions_than_connect_concurrently_are_all_opened(self):
        for _ in range(5):
            part, = self.run_load("idle", "--sessions", 1500, "--seconds", 1)
            self.assertEqual(part["roles"][0]["opened"], 1500)

    def test_mixed_reports_small_alone_and_beside_bulk(self):
        alone, beside = self.run_load("mixed", "--seconds", 1, "--rate", 100, "--bulk-size", "1M",
                                      "--bulk-rate", "20M")
        self.assertEqual([role["role"] for role in alone["roles"]], ["small"])
        self.assertEqual([role["role"] for role in beside["roles"]], ["small", "bulk"])
        self.assertGreater(beside["roles"][0]["files"], 0)
        bulk = beside["roles"][1]
        self.assertGreater(bulk["files"], 0)
        self.assertLess(bulk["files"] * (1 << 20) / beside["seconds"], 22 << 20)

    def test_slow_peers_do_not_block_the_others(self):
        alone, beside = self.run_load("slow", "--seconds", 2, "--sessions", 20, "--slow-percent", 20, "--rate", 100)
        small, writers, readers = beside["roles"]
        self.assertEqual((small["sessions"], writers["sessions"], readers["sessions"]), (16, 2, 2))
        self.assertGreater(small["files"], 0)
        self.assertEqual((small["lost"], writers["files"]), (0, 0))

    def test_received_files_are_removed_on_request(self):
        part, = self.run_load("small", "--files", 500, "--inbox", self.bob.inbox)
        self.assertEqual(part["roles"][0]["files"], 500)
        self.assertEqual(self.bob.received(), [])

    def test_ctrl_c_ends_a_run_with_partial_results(self):
        process, path = self.start("small", "--seconds", 600, "--rate", 100)
        harness.wait_until(lambda: len(self.bob.received()) > 10, "some files are received")
        process.send_signal(signal.SIGINT)
        part, = self.figures(process, path)
        self.assertTrue(part["interrupted"])
        self.assertGreater(part["roles"][0]["files"], 0)

    def test_a_killed_daemon_is_reported_and_ends_the_run(self):
        process, path = self.start("small", "--seconds", 600, "--rate", 100)
        harness.wait_until(lambda: len(self.bob.received()) > 10, "some files are received")
        self.bob.kill()
        part, = self.figures(process, path, code=1)
        self.assertEqual(part["roles"][0]["lost"], 1)
        self.assertTrue(part["roles"][0]["problem"])

    def test_invalid_arguments_are_reported_before_the_run(self):
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

    def test_handshakes_of_the_warm_up_are_not_counted(self):
        part, = self.run_load("handshake", "--sessions", 4, "--rate", 100, "--warm-up", 2, "--seconds", 1)
        role = part["roles"][0]
        self.assertEqual(role["opened"], role["latency_us"]["count"])
        # The first handshakes are those of the warm-up.
        self.bob.events.wait("session-closed", count=role["opened"] + 1)

    def test_a_refused_connection_is_reported(self):
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
