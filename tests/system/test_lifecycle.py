"""Start, reload and stop of a node: settings, reload under traffic, a busy port, clean stops, kill -9
and the start after it, interrupted sends, and memory."""
import os
import signal
import subprocess
import unittest

import node as harness
import raw

MIB = 1 << 20


class WithFiles(harness.SystemTest):
    def setUp(self):
        self.files = self.folder()

    def make(self, size, name="f"):
        return harness.make_file(os.path.join(self.files, name), size)

    def close_later(self, resource):
        self.addCleanup(resource.close)
        return resource

    def greet(self, node, **more):
        return self.close_later(raw.Raw.greet(node.port, **more))

    def half_a_file(self, node, session, file_id=1):
        session.send(raw.data(file_id, 20000, harness.pattern(10000)))
        harness.wait_until(node.partials, "a partial file")

    def other_half(self, session, file_id=1):
        session.send(raw.data(file_id, 20000, harness.pattern(20000)[10000:]))

    def slow_receiver(self, node, size=30000000):
        """A send to a raw peer that reads one frame and then stops reading."""
        listener = self.close_later(raw.Listener(receive_buffer=65536))
        job = self.job(node.send_job([self.make(size, "slow")], listener.contact))
        session = self.close_later(listener.accept())
        session.expect(raw.DATA)
        return listener, job, session


class Settings(WithFiles):
    """Checks of settings files, without a running daemon."""

    def run_daemon(self, *arguments):
        return subprocess.run([os.path.join(harness.BUILD, "dustwired"), *arguments], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=harness.seconds(10), check=False)

    def write(self, text, name="x.ini"):
        path = os.path.join(self.files, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    BAD = ("[services/tcp-connections]\ntcp-port = 70000\n[workers]\nthreads = several\n"
           "[nonsense]\nkey = 1\n[log]\nlevle = info\n")

    def test_check_config_names_every_problem_at_once(self):
        result = self.run_daemon("--check-config", "--config", self.write(self.BAD))
        self.assertNotEqual(result.returncode, 0)
        for word in ("tcp-port", "70000", "threads", "several", "nonsense", "levle"):
            self.assertIn(word, result.stdout + result.stderr)

    def test_check_config_passes_a_good_file(self):
        node = self.node(is_started=False)
        result = self.run_daemon("--check-config", "--config", node.config)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_a_start_with_bad_settings_exits_and_names_them(self):
        result = self.run_daemon("--config", self.write(self.BAD))
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("tcp-port", result.stderr)

    def test_a_missing_file_or_a_folder_is_an_error(self):
        for path in (os.path.join(self.files, "none.ini"), self.files):
            result = self.run_daemon("--config", path)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(path, result.stderr)

    def test_dump_config_can_be_read_back_and_is_the_same(self):
        node = self.node(is_started=False)
        first = self.run_daemon("--dump-config", "--config", node.config)
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn(str(node.port), first.stdout)
        path = self.write(first.stdout, "dumped.ini")
        second = self.run_daemon("--dump-config", "--config", path)
        self.assertEqual(second.returncode, 0, second.stderr)
        self.assertEqual(self.without_origins(first.stdout), self.without_origins(second.stdout))

    def without_origins(self, dump):
        return [line for line in dump.splitlines() if not line.startswith("# from ")]

    def test_an_inbox_that_cannot_be_created_is_an_error(self):
        node = self.node(settings={"inbox/path": os.path.join(self.make(3, "plain"), "inbox")},
                         is_started=False)
        node.spawn()
        self.assertNotEqual(node.wait_exit(), 0)
        self.assertIn(node.settings["inbox/path"], node.log())

    def test_no_enabled_transport_is_reported(self):
        node = self.node(settings={"services/tcp-transport/enabled": False}, is_started=False)
        result = self.run_daemon("--check-config", "--config", node.config)
        self.assertIn("transport", result.stdout + result.stderr)
        node.spawn()
        status = harness.wait_until(lambda: os.path.exists(node.socket) and self.answered(node), "a status")
        self.assertEqual(status.code, 3, str(status))

    def answered(self, node):
        status = node.command("status")
        return status if status.out.strip() else None

    def test_version_and_help(self):
        for program in ("dustwired", "dustwire"):
            for flag in ("--version", "--help"):
                result = subprocess.run([os.path.join(harness.BUILD, program), flag], text=True,
                                        capture_output=True, timeout=harness.seconds(10), check=False)
                self.assertEqual(result.returncode, 0, (program, flag, result.stderr))
                self.assertIn("dustwire", result.stdout)


class Reload(WithFiles):
    def setUp(self):
        super().setUp()
        self.bob = self.node("bob")
        self.session = self.greet(self.bob)
        self.half_a_file(self.bob, self.session)

    def reload(self, changes, code=0):
        self.bob.change(changes)
        result = self.bob.command("reload")
        self.assertEqual(result.code == 0, code == 0, str(result))
        return result.out + result.err

    def assert_session_is_open(self):
        self.other_half(self.session)
        self.session.expect_ok(1)

    def test_an_unrelated_key_closes_no_session(self):
        self.reload({"sessions/keep-alive-s": 0, "log/level": "debug"})
        self.assert_session_is_open()
        self.assertEqual(self.bob.events.all("session-closed"), [])

    def test_sighup_reads_the_file_again(self):
        self.bob.change({"log/level": "debug"})
        self.bob.signal(signal.SIGHUP)
        self.bob.events.wait("settings-reloaded")
        self.assert_session_is_open()

    def test_another_port_restarts_the_transport(self):
        port, old = harness.free_port(), self.bob.port
        self.reload({"services/tcp-connections/tcp-port": port})
        self.session.expect_end()
        self.bob.events.wait("network-transport-state-changed", to="STOPPING")
        self.bob.events.wait("network-transport-state-changed", count=2, to="LISTENING")
        harness.wait_until(self.bob.is_serving, "the node serves again")
        with self.assertRaises(ConnectionRefusedError):
            raw.Raw.dial(old)
        self.bob.port = port
        session = self.greet(self.bob)
        session.send(*raw.file_frames(1, b"new"))
        session.expect_ok(1)
        self.bob.events.wait("file-received", status="failed")

    def test_the_transport_switched_off_and_on(self):
        self.reload({"services/tcp-transport/enabled": False})
        self.session.expect_end()
        harness.wait_until(lambda: self.bob.command("status").code == 3, "status exits with 3")
        with self.assertRaises(ConnectionRefusedError):
            raw.Raw.dial(self.bob.port)
        self.reload({"services/tcp-transport/enabled": True})
        harness.wait_until(self.bob.is_serving, "the node serves again")
        self.greet(self.bob)

    def test_an_invalid_file_changes_nothing_and_the_errors_are_reported(self):
        output = self.reload({"log/level": "loud", "services/tcp-connections/tcp-port": 0}, code=1)
        self.assertIn("loud", output)
        self.assertIn("tcp-port", output)
        self.assert_session_is_open()
        self.greet(self.bob)

    def test_settings_that_need_a_restart_are_named_and_not_applied(self):
        output = self.reload({"workers/threads": 1, "inbox/path": self.bob.inbox + "2"})
        self.assertIn("threads", output)
        self.assertIn("path", output)
        self.assert_session_is_open()
        self.assertEqual(len(self.bob.received()), 1)
        self.assertFalse(os.path.exists(self.bob.inbox + "2"))

    def test_twenty_reloads_during_a_transfer(self):
        alice = self.node("alice")
        path = self.make(64 * MIB)
        job = self.job(alice.send_job([path], self.bob.contact))
        for i in range(20):
            self.reload({"sessions/keep-alive-s": 100 + i})
        self.assert_sent(job.result(), 1)
        self.assert_session_is_open()


class BusyPort(WithFiles):
    def test_the_node_runs_reports_the_port_and_recovers(self):
        taken = raw.Listener()
        node = self.node(port=taken.port, is_started=False).spawn()
        status = harness.wait_until(lambda: os.path.exists(node.socket) and self.down(node), "status exits with 3")
        self.assertIn(str(taken.port), status.out + status.err)
        node.wait_log("port is busy")
        self.assertIsNone(node.process.poll())
        taken.close()
        harness.wait_until(node.is_serving, node.log, limit=15)
        self.greet(node)

    def down(self, node):
        status = node.command("status")
        return status if status.code == 3 and "DISCONNECTED" in status.out else None


class Stops(WithFiles):
    def bob(self, stop_timeout):
        bob = self.node("bob", {"sessions/stop-timeout-s": stop_timeout})
        self.addCleanup(bob._kill)
        return bob

    def stopping(self, node):
        """Waits until the node stops, which refuses new connections."""
        def refused():
            try:
                raw.Raw.dial(node.port).close()
            except (ConnectionRefusedError, ConnectionResetError):
                return True
            return False
        harness.wait_until(refused, lambda: "new connections are refused\n" + node.log())

    def test_sigterm_lets_transfers_in_progress_finish(self):
        bob = self.bob(60)
        session = self.greet(bob)
        self.half_a_file(bob, session)
        _, job, receiver = self.slow_receiver(bob, 2000000)
        bob.signal(signal.SIGTERM)
        self.stopping(bob)
        self.other_half(session)
        session.expect_ok(1)
        while receiver.check.open:
            self.assertIsNotNone(receiver.next())
        file_id, = receiver.check.done
        receiver.send(raw.ok(file_id))
        for ended in (session, receiver):
            self.assertEqual(ended.expect_end(), [])
            ended.close()
        self.assertEqual(bob.wait_exit(), 0)
        self.assertEqual(bob.received_sums(), [harness.sha256_bytes(harness.pattern(20000))])

    def test_an_incoming_file_too_slow_for_a_stop_is_aborted(self):
        bob = self.bob(1)
        session = self.greet(bob)
        self.half_a_file(bob, session)
        bob.signal(signal.SIGTERM)
        got = session.expect(raw.ABORT)
        self.assertEqual(got.file_id, 1)
        self.assertEqual(session.expect_end(), [])
        session.close()
        self.assertEqual(bob.wait_exit(), 0)
        self.assertEqual((bob.received(), bob.partials()), ([], []))

    def test_an_outgoing_file_too_slow_for_a_stop_is_never_complete_for_the_peer(self):
        bob = self.bob(1)
        _, job, receiver = self.slow_receiver(bob)
        bob.signal(signal.SIGTERM)
        self.assertEqual(bob.wait_exit(), 0)
        self.assertIn(job.result().code, (1, 3))
        receiver.expect_end(may_cut=True)
        self.assertEqual(receiver.check.done, {})

    def test_dustwire_stop_lets_transfers_in_progress_finish(self):
        bob = self.bob(60)
        session = self.greet(bob)
        self.half_a_file(bob, session)
        job = self.job(bob.job("stop"))
        self.stopping(bob)
        self.other_half(session)
        session.expect_ok(1)
        session.expect_end()
        session.close()
        self.assertEqual(bob.wait_exit(), 0)
        self.assertEqual(job.result().code, 0)

    @harness.not_under("valgrind", "an immediate exit frees nothing")
    def test_a_second_sigterm_ends_it_immediately(self):
        bob = self.bob(600)
        session = self.greet(bob)
        self.half_a_file(bob, session)
        bob.signal(signal.SIGTERM)
        self.stopping(bob)
        bob.signal(signal.SIGTERM)
        bob.wait_exit(limit=5)
        session.expect_end()
        self.assertEqual(bob.received(), [])

    def test_an_idle_node_stops_soon(self):
        bob = self.bob(600)
        self.greet(bob).close()
        self.assertEqual(bob.stop(limit=5), 0)
        self.assertFalse(os.path.exists(bob.socket))


class Kills(WithFiles):
    def test_the_start_after_a_kill_removes_partial_files_and_keeps_acknowledged_ones(self):
        bob = self.node("bob")
        session = self.greet(bob)
        for i in range(20):
            session.send(*raw.file_frames(i, harness.pattern(1000 * i)))
        for _ in range(20):
            session.expect(raw.OK)
        for i in range(100, 103):
            session.send(raw.data(i, 20000, harness.pattern(10000)))
        harness.wait_until(lambda: len(bob.partials()) == 3, "three partial files")
        bob.kill()
        self.assertEqual(len(bob.received()), 20)
        before = len(bob.log())
        bob.start().follow()
        self.assertEqual(bob.partials(), [])
        self.assertEqual(bob.received_sums(), sorted(
            harness.sha256_bytes(harness.pattern(1000 * i)) for i in range(20)))
        self.assertRegex(bob.log()[before:], r"\b3\b.*partial|partial.*\b3\b")
        rows = harness.rows_of(bob.command("received", "--json"), "received")
        self.assertEqual(sorted(row["path"] for row in rows), bob.received())
        session = self.greet(bob)
        session.send(*raw.file_frames(1, b"again"))
        session.expect_ok(1)
        row, = bob.events.wait("file-received", size=5)
        self.assertNotIn(row["transfer_id"], {old["transfer_id"] for old in rows})

    def test_kills_under_load_lose_no_acknowledged_file(self):
        self.kill_under_load(self.node("bob"))

    def test_kills_lose_no_acknowledged_file_of_two_workers(self):
        self.kill_under_load(self.node("bob", {"inbox/durability": "none", "workers/threads": 2}))

    def test_one_worker_knows_the_files_of_two_workers_after_a_kill(self):
        bob = self.node("bob", {"inbox/durability": "none", "workers/threads": 2})
        for name in (b"one", b"two"):
            session = self.greet(bob)
            session.send(*raw.file_frames(1, name))
            session.expect_ok(1)
        before = harness.rows_of(bob.command("received", "--json"), "received")
        self.assertEqual([row["size"] for row in before], [3, 3])
        bob.kill()
        bob.change({"inbox/durability": "full", "workers/threads": 1})
        bob.start()
        after = harness.wait_until(lambda: self.reported(bob), "everything is reported")
        self.assertEqual([row["path"] for row in after], [row["path"] for row in before])

    def kill_under_load(self, bob):
        acknowledged = []
        for life in range(3):
            session = self.greet(bob)
            contents = [b"%d-%d" % (life, i) * 100 for i in range(200)]
            for i in range(0, 200, 40):
                session.send(*[f for k in range(i, i + 40) for f in raw.file_frames(k, contents[k])])
                for _ in range(40 if i < 160 else 7):
                    acknowledged.append(contents[session.expect(raw.OK).file_id])
            bob.kill()
            bob.start()
        self.assertEqual(bob.partials(), [])
        self.assertLessEqual(set(map(harness.sha256_bytes, acknowledged)), set(bob.received_sums()))
        self.assertEqual(len(set(bob.received_sums())), len(bob.received_sums()))
        rows = harness.wait_until(lambda: self.reported(bob), "everything is reported")
        self.assertEqual(sorted(row["path"] for row in rows), bob.received())

    def reported(self, node):
        """The journal's files, if all of them have been reported to the gateway."""
        rows = harness.rows_of(node.command("received", "--json"), "received")
        return rows if rows and all(row["is_reported"] for row in rows) else None

    def test_a_daemon_that_is_killed_during_a_send(self):
        alice = self.node("alice")
        _, job, _ = self.slow_receiver(alice)
        alice.kill()
        result = job.result()
        self.assertEqual(result.code, 3, str(result))
        self.assertIn("outcome unknown", result.out + result.err)

    def test_a_second_daemon_on_the_same_inbox_refuses_to_start(self):
        bob = self.node("bob")
        other = self.node("other", {"inbox/path": bob.inbox}, is_started=False).spawn()
        self.assertNotEqual(other.wait_exit(), 0)
        self.assertIn(bob.inbox, other.log())
        self.greet(bob)

    def test_a_second_daemon_on_the_same_socket_refuses_to_start(self):
        bob = self.node("bob")
        other = self.node("other", {"control/socket": bob.socket}, is_started=False).spawn()
        self.assertNotEqual(other.wait_exit(), 0)
        self.assertIn(bob.socket, other.log())
        self.assertEqual(bob.command("status").code, 0)

    def test_only_the_owner_can_open_the_control_socket(self):
        bob = self.node("bob")
        self.assertEqual(os.stat(bob.socket).st_mode & 0o777, 0o600)


class Interruptions(WithFiles):
    def setUp(self):
        super().setUp()
        self.alice = self.node("alice")

    def next_file(self, listener, session):
        job = self.job(self.alice.send_job([self.make(1000, "next")], listener.contact))
        session.take_files(1)
        self.assert_sent(job.result(), 1)
        self.assertFalse(listener.has_caller())

    def read_to_abort(self, session):
        while session.expect_any(raw.DATA, raw.ABORT).command != raw.ABORT:
            pass
        self.assertEqual(session.check.done, {})

    def test_a_file_that_shrinks_while_it_is_sent_is_aborted_and_the_session_stays_open(self):
        for left in (0, 1, 15000000, 29999999):
            with self.subTest(left=left):
                listener, job, session = self.slow_receiver(self.alice)
                os.truncate(os.path.join(self.files, "slow"), left)
                self.read_to_abort(session)
                self.assert_not_sent(job.result(), "became shorter", "changed while it was sent")
                self.next_file(listener, session)

    def test_a_file_that_grows_while_it_is_sent_is_aborted_and_the_session_stays_open(self):
        listener, job, session = self.slow_receiver(self.alice)
        with open(os.path.join(self.files, "slow"), "ab") as out:
            out.write(b"more" * 10000)
        self.read_to_abort(session)
        self.assert_not_sent(job.result(), "changed while it was sent")
        self.next_file(listener, session)

    def test_a_cancel_mid_file(self):
        listener, job, session = self.slow_receiver(self.alice)
        stream, = self.alice.streams()
        self.assertEqual(self.alice.command("cancel", stream["transfer_id"]).code, 0)
        self.assert_not_sent(job.result(), "cancelled")
        self.read_to_abort(session)
        self.next_file(listener, session)
        self.assertNotEqual(self.alice.command("cancel", stream["transfer_id"]).code, 0)

    def test_a_cancel_of_an_incoming_file(self):
        session = self.greet(self.alice)
        self.half_a_file(self.alice, session)
        started, = self.alice.events.wait("file-receiving-started")
        self.assertEqual(self.alice.command("cancel", started["transfer_id"]).code, 0)
        self.assertEqual(session.expect(raw.ABORT).file_id, 1)
        row, = self.alice.events.wait("file-received", status="failed")
        self.assertEqual(row["error"], "cancelled")
        self.alice.wait_no_partials()

    def test_an_interrupted_send_cancels_its_file(self):
        listener, job, session = self.slow_receiver(self.alice)
        job.process.send_signal(signal.SIGINT)
        result = job.result()
        self.assertNotEqual(result.code, 0, str(result))
        self.read_to_abort(session)
        self.next_file(listener, session)

    def test_a_peer_that_resets_the_connection_mid_file(self):
        _, job, session = self.slow_receiver(self.alice)
        session.reset()
        self.assert_not_sent(job.result(), "connection closed")

    def test_a_closed_session_is_reopened_for_the_next_send(self):
        listener, job, session = self.slow_receiver(self.alice, 1000)
        session.send(raw.ok(list(session.check.done)[0]))
        self.assert_sent(job.result(), 1)
        session.close()
        job = self.job(self.alice.send_job([self.make(10)], listener.contact))
        again = self.close_later(listener.accept())
        again.take_files(1)
        self.assert_sent(job.result(), 1)


@unittest.skipIf(harness.SLOW > 4, "a sanitizer's memory hides the daemon's")
class Memory(WithFiles):
    def test_it_does_not_grow_with_the_size_of_a_file(self):
        alice, bob = self.node("alice"), self.node("bob")
        self.assert_sent(alice.send([self.make(1 * MIB)], bob.contact), 1)
        before = [node.memory_kib() for node in (alice, bob)]
        self.assert_sent(alice.send([self.make(256 * MIB)], bob.contact), 1)
        after = [node.memory_kib() for node in (alice, bob)]
        for small, large in zip(before, after):
            self.assertLess(large - small, 8 * 1024, "KiB before %r, after %r" % (before, after))
        self.assertLess(max(after), 64 * 1024)

    def test_it_does_not_grow_with_idle_sessions_beyond_a_few_kib_each(self):
        bob = self.node("bob", {"sessions/limit": 2000})
        self.greet(bob)
        before = bob.memory_kib("VmRSS")
        sessions = [self.greet(bob) for _ in range(400)]
        self.assertLess(bob.memory_kib("VmRSS") - before, 400 * 16)
        for session in sessions:
            session.send(*raw.file_frames(1, b"x"))
            session.expect_ok(1)


if __name__ == "__main__":
    harness.main()
