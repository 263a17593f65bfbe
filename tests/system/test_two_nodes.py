"""Two nodes exchange files: every size with its own code path, many at once, in both directions at the
same time, over IPv4 and IPv6; and the reasons why a send is refused."""
import os
import unittest

import node as harness
import raw

SIZES = [0, 1, 16383, 16384, 16385, 99988, 99989, 99990, 1 << 20]
MIB = 1 << 20


class TwoNodes(harness.SystemTest):
    listen = "127.0.0.1"

    def setUp(self):
        self.files = self.folder()
        self.a = self.node("alice", listen=self.listen)
        self.b = self.node("bob", listen=self.listen)

    def make(self, sizes, name="f"):
        return [harness.make_file(os.path.join(self.files, "%s-%d" % (name, i)), size, seed=name + str(i))
                for i, size in enumerate(sizes)]

    def sums(self, paths):
        return sorted(harness.sha256(path) for path in paths)

    def assert_inbox(self, node, paths):
        self.assertEqual(node.received_sums(), self.sums(paths))
        self.assertEqual(node.partials(), [])

    def assert_reported_once(self, sender, receiver, paths, limit=10.0):
        """Exactly one file-received and one file-sent for each file: a last file shows that all
        events of the previous ones have arrived."""
        marker = self.make([3], "marker")
        self.assert_sent(sender.send(marker, receiver.contact), 1)
        count = len(paths) + 1
        received = receiver.events.wait("file-received", count, limit)
        sent = sender.events.wait("file-sent", count, limit)
        for rows in (received, sent):
            self.assertEqual(len(rows), count)
            self.assertEqual({row["status"] for row in rows}, {"finished"})
            self.assertEqual(len({row["transfer_id"] for row in rows}), count)
        self.assertEqual(sorted(row["size"] for row in received),
                         sorted([os.path.getsize(path) for path in paths] + [3]))
        for row in received:
            self.assertEqual(row["idurl"], sender.settings["node/idurl"])
            self.assertTrue(row["host"], row)
            self.assertEqual(os.path.dirname(row["path"]), receiver.inbox)
            self.assertEqual(os.path.getsize(row["path"]), row["size"])

    def assert_one_session(self):
        for node in (self.a, self.b):
            rows = node.sessions()
            self.assertEqual(len(rows), 1, rows)
            self.assertEqual(rows[0]["state"], "CONNECTED", rows)


class BothWays(TwoNodes):
    def test_each_size_goes_both_ways_on_one_session(self):
        out, back = self.make(SIZES, "out"), self.make(SIZES, "back")
        rows = self.assert_sent(self.a.send(out, self.b.contact), len(out))
        self.assertEqual({row["file"] for row in rows}, set(out))
        self.assertEqual(sorted(row["bytes"] for row in rows), sorted(SIZES))
        self.assert_inbox(self.b, out)
        self.assert_sent(self.b.send(back, self.a.contact), len(back))
        self.assert_inbox(self.a, back)
        self.assert_one_session()
        self.assert_reported_once(self.a, self.b, out)

    def test_a_file_of_64_mib_arrives_whole(self):
        files = self.make([64 * MIB])
        self.assert_sent(self.a.send(files, self.b.contact), 1)
        self.assert_inbox(self.b, files)

    def test_300_files_at_once_arrive_and_are_reported_once_each(self):
        files = self.make([i * 97 for i in range(300)])
        self.assert_sent(self.a.send(files, self.b.contact), 300)
        self.assert_inbox(self.b, files)
        self.assert_one_session()
        self.assert_reported_once(self.a, self.b, files, limit=30.0)
        rows = harness.rows_of(self.b.command("received", "--json"), "received")
        for count in (1, 250, 300, 1000):
            last = harness.rows_of(self.b.command("received", "--json", "--count", str(count)), "received")
            self.assertEqual(last, rows[-count:])

    def test_50_mib_each_way_at_the_same_time_on_one_session(self):
        self.assert_sent(self.a.send(self.make([1], "first"), self.b.contact), 1)
        out, back = self.make([50 * MIB], "out"), self.make([50 * MIB], "back")
        jobs = [self.job(self.a.send_job(out, self.b.contact)),
                self.job(self.b.send_job(back, self.a.contact))]
        for job in jobs:
            self.assert_sent(job.result(), 1)
        self.assert_inbox(self.a, back)
        self.assertIn(harness.sha256(out[0]), self.b.received_sums())
        self.assert_one_session()

    def test_sends_that_begin_together_share_one_session(self):
        jobs = [self.job(self.a.send_job(self.make([1000], "j%d" % i), self.b.contact))
                for i in range(8)]
        for job in jobs:
            self.assert_sent(job.result(), 1)
        self.assertEqual(len(self.b.received()), 8)
        self.assert_one_session()

    def test_the_journal_knows_each_received_file(self):
        files = self.make([5, 70000])
        self.assert_sent(self.a.send(files, self.b.contact), 2)
        result = self.b.command("received", "--json")
        self.assertEqual(result.code, 0, str(result))
        rows = harness.rows_of(result, "received")
        self.assertEqual(sorted(row["path"] for row in rows), self.b.received())
        self.assertEqual(sorted(row["size"] for row in rows), [5, 70000])
        self.assertEqual({row["idurl"] for row in rows}, {self.a.settings["node/idurl"]})
        self.assertEqual(harness.rows_of(self.b.command("received", "--json", "--count", "1"), "received"), rows[-1:])
        lines = self.b.command("received", "--count", "1", "--since", "1d").out.splitlines()
        self.assertEqual([line.split()[-1] for line in lines], ["PATH", rows[-1]["path"]])

    def test_a_folder_is_sent_with_all_that_is_in_it(self):
        tree = os.path.join(self.files, "tree")
        paths = []
        for i in range(60):
            under = os.path.join(tree, "d%d" % (i % 7), "e%d" % (i % 3))
            os.makedirs(under, exist_ok=True)
            paths.append(harness.make_file(os.path.join(under, "f%d" % i), i * 100, seed=i))
        self.assert_sent(self.a.command("send", "--json", "-r", tree, self.b.contact), 60)
        self.assert_inbox(self.b, paths)

    def test_skipped_entries_of_a_folder_are_reported_and_counted(self):
        tree = os.path.join(self.files, "tree")
        os.makedirs(os.path.join(tree, "empty"))
        files = [harness.make_file(os.path.join(tree, "f%d" % i), 10, seed=i) for i in range(2)]
        os.symlink("f0", os.path.join(tree, "link"))
        os.mkfifo(os.path.join(tree, "pipe"))
        result = self.a.command("send", "-r", tree, self.b.contact)
        self.assertEqual(result.code, 0, result)
        for name, reason in (("empty", "empty directory"), ("link", "symbolic link, not followed in a directory"),
                             ("pipe", "named pipe")):
            self.assertIn("dustwire: %s: skipped: %s\n" % (os.path.join(tree, name), reason), result.err)
        self.assertTrue(result.err.endswith("dustwire: 2 finished, 3 skipped\n"), result)
        rows = self.a.command("send", "--json", "-r", tree, self.b.contact).json()
        self.assertEqual(sorted(row["status"] for row in rows), ["finished"] * 2 + ["skipped"] * 3)
        with open(os.path.join(tree, "large"), "wb") as large:
            large.truncate(1 << 31)
        result = self.a.command("send", "-r", tree, self.b.contact)
        self.assertEqual(result.code, 1, result)
        self.assertTrue(result.err.endswith("dustwire: 2 finished, 1 failed, 3 skipped\n"), result)
        for path in files + [os.path.join(tree, "large")]:
            os.unlink(path)
        result = self.a.command("send", "-r", tree, self.b.contact)
        self.assertEqual(result.code, 1, result)
        self.assertTrue(result.err.endswith("dustwire: 0 finished, 3 skipped\ndustwire: no files found\n"),
                        result)

    def test_connect_opens_a_session_ahead_of_use_and_disconnect_ends_it(self):
        result = self.a.command("connect", self.b.contact)
        self.assertEqual(result.code, 0, str(result))
        self.b.events.wait("session-identified")
        self.assert_one_session()
        self.assert_sent(self.a.send(self.make([10]), self.b.contact), 1)
        self.assert_one_session()
        self.assertEqual(self.a.command("disconnect", self.b.contact).code, 0)
        harness.wait_until(lambda: not self.a.sessions() and not self.b.sessions(), "no session is left")

    @harness.needs_localhost
    def test_a_name_is_resolved_and_a_plain_host_and_port_mean_tcp(self):
        self.assert_sent(self.a.send(self.make([10]), "localhost:%d" % self.b.port), 1)

    def test_of_a_list_of_contacts_the_one_with_a_transport_is_used(self):
        contacts = "udp://127.0.0.1:%d,%s" % (self.b.port, self.b.contact)
        self.assert_sent(self.a.send(self.make([10]), contacts), 1)

    def test_a_result_without_json_is_one_line_a_file_when_piped(self):
        result = self.a.command("send", *self.make([10, 20]), self.b.contact)
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual(len(result.out.strip().splitlines()), 2, str(result))
        self.assertNotIn("\r", result.out)


@unittest.skipUnless(harness.has_ipv6(), "this machine has no ::1")
class OverIpv6(TwoNodes):
    listen = "::1"

    def test_files_go_both_ways_on_one_session(self):
        out, back = self.make(SIZES, "out"), self.make(SIZES, "back")
        self.assert_sent(self.a.send(out, self.b.contact), len(out))
        self.assert_sent(self.b.send(back, self.a.contact), len(back))
        self.assert_inbox(self.b, out)
        self.assert_inbox(self.a, back)
        self.assert_one_session()

    def test_a_node_that_listens_everywhere_is_reached_by_both_families(self):
        both = self.node("carol", listen="*")
        self.assert_sent(self.a.send(self.make([10]), "tcp://127.0.0.1:%d" % both.port), 1)
        self.assert_sent(self.a.send(self.make([10]), "tcp://[::1]:%d" % both.port), 1)


class Refusals(TwoNodes):
    def assert_still_sends(self):
        self.assert_sent(self.a.send(self.make([100], "still"), self.b.contact), 1)

    @harness.needs_localhost
    def test_a_send_to_the_own_address_by_its_name(self):
        self.assert_not_sent(self.a.send(self.make([10]), "localhost:%d" % self.a.port))
        self.assertEqual(self.a.received(), [])
        self.assert_still_sends()

    def test_a_send_to_the_own_address(self):
        self.assert_not_sent(self.a.send(self.make([10]), self.a.contact), "own address", "this node", "itself")
        self.assertEqual(self.a.received(), [])
        self.assert_still_sends()

    def test_a_file_too_large_for_the_wire(self):
        path = os.path.join(self.files, "sparse")
        with open(path, "wb") as out:
            out.truncate((1 << 31))
        listener = raw.Listener()
        self.addCleanup(listener.close)
        row = self.assert_not_sent(self.a.send([path], listener.contact),
                                   "large", "2,147,483,647", "2147483647", "2 GiB", "2.0 GiB")
        self.assertEqual(row["bytes"], 0)
        self.assert_not_sent(self.a.send([path], self.b.contact))
        self.assert_still_sends()
        self.assertEqual(len(self.b.events.wait("file-receiving-started")), 1)

    def test_a_file_that_is_not_there_does_not_keep_the_others(self):
        files = self.make([10, 20])
        gone = os.path.join(self.files, "gone")
        result = self.a.send([files[0], gone, files[1]], self.b.contact)
        self.assertEqual(result.code, 1, str(result))
        outcome = {row["file"]: row for row in result.json()}
        self.assertEqual(outcome[gone]["status"], "failed")
        self.assertTrue(outcome[gone]["error"])
        self.assertEqual([outcome[path]["status"] for path in files], ["finished"] * 2)

    def test_a_file_that_is_not_regular(self):
        fifo, folder = os.path.join(self.files, "fifo"), os.path.join(self.files, "dir")
        os.mkfifo(fifo)
        os.mkdir(folder)
        for path in (fifo, folder, "/dev/zero"):
            with self.subTest(path=path):
                result = self.a.send([path], self.b.contact)
                self.assertEqual(result.code, 1, str(result))
                self.assertIn(path, result.out + result.err)
        self.assert_still_sends()

    def test_a_file_that_cannot_be_read(self):
        loop = os.path.join(self.files, "loop")
        os.symlink(loop, loop)
        self.assert_not_sent(self.a.send([loop], self.b.contact))
        below = os.path.join(self.make([10])[0], "below")
        self.assert_not_sent(self.a.send([below], self.b.contact))
        if os.geteuid() != 0:  # root reads everything
            locked = self.make([10], "locked")[0]
            os.chmod(locked, 0)
            self.assert_not_sent(self.a.send([locked], self.b.contact), "no read permission")
        self.assert_still_sends()

    def test_a_peer_that_does_not_listen(self):
        port = harness.free_port()
        self.assert_not_sent(self.a.send(self.make([10]), "127.0.0.1:%d" % port),
                             "connection failed", "refused")
        self.assertNotEqual(self.a.command("connect", "127.0.0.1:%d" % port).code, 0)
        self.assert_still_sends()

    def test_a_peer_that_hangs_up_before_its_wazap(self):
        listener = raw.Listener()
        self.addCleanup(listener.close)
        job = self.job(self.a.send_job(self.make([10, 20, 30]), listener.contact))
        session = listener.accept(is_greeted=False)
        session.expect(raw.HELLO)
        listener.close()  # further connects are refused
        session.close()
        result = job.result()
        self.assertEqual(result.code, 1, str(result))
        self.assertEqual([row["status"] for row in result.json()], ["failed"] * 3, str(result))
        for row in result.json():  # the second and third can have had their own connect
            self.assertTrue(row["error"].startswith("connection failed"), row)

    def test_no_transport_in_common_names_both_sides(self):
        row = self.assert_not_sent(self.a.send(self.make([10]), "udp://127.0.0.1:7771"), "udp")
        self.assertIn("tcp", row["error"])

    def test_an_invalid_contact(self):
        for contact in ("no^host", "tcp://", "127.0.0.1:0", "127.0.0.1:70000"):
            with self.subTest(contact=contact):
                result = self.a.send(self.make([10]), contact)
                self.assertNotIn(result.code, (0, 3), str(result))
                self.assertIn(contact, result.out + result.err)

    def test_sending_switched_off(self):
        self.a.change({"services/tcp-transport/sending-enabled": False})
        self.assertEqual(self.a.command("reload").code, 0)
        self.assert_not_sent(self.a.send(self.make([10]), self.b.contact), "off", "disabled", "sending")
        self.assert_sent(self.b.send(self.make([10]), self.a.contact), 1)

    def test_receiving_switched_off_still_sends(self):
        deaf = self.node("deaf", {"services/tcp-transport/receiving-enabled": False})
        self.assert_sent(deaf.send(self.make([10]), self.b.contact), 1)
        self.assert_not_sent(self.a.send(self.make([10]), deaf.contact))


class Words(TwoNodes):
    """The output of the commands."""

    def test_the_automata_are_printed_from_the_tables(self):
        for name, state in (("tcp_connection", "CLIENT?"), ("network_transport", "STOPPING"),
                            ("network_connector", "TRANSPORTS?")):
            result = self.a.command("automata", name, "--dot")
            self.assertEqual(result.code, 0, str(result))
            self.assertIn("digraph", result.out)
            self.assertIn(state, result.out)

    def test_the_services_and_their_states(self):
        result = self.a.command("services", "--json")
        self.assertEqual(result.code, 0, str(result))
        for name in ("tcp_connections", "gateway", "tcp_transport"):
            self.assertIn(name, result.out)

    def test_status_sessions_and_streams_in_both_forms(self):
        self.assert_sent(self.a.send(self.make([10]), self.b.contact), 1)
        for command in ("status", "sessions", "streams", "services", "received"):
            for arguments in ((command,), (command, "--json")):
                result = self.a.command(*arguments)
                self.assertEqual(result.code, 0, "%r: %s" % (arguments, result))
        self.assertIn("CONNECTED", self.a.command("status").out)
        self.assertIn(str(self.b.port), self.a.command("sessions").out)

    def test_a_wrong_command_says_so(self):
        for arguments in (("nonsense",), ("send",), ("send", "--nonsense", "x", "y"), ("cancel", "x")):
            result = self.a.command(*arguments)
            self.assertNotEqual(result.code, 0, "%r: %s" % (arguments, result))
            self.assertTrue(result.err.strip(), "%r: %s" % (arguments, result))

    def test_a_socket_without_a_daemon_says_what_to_do(self):
        self.a.socket += ".none"
        result = self.a.command("status")
        self.assertNotEqual(result.code, 0)
        self.assertIn(self.a.socket, result.err)


if __name__ == "__main__":
    harness.main()
