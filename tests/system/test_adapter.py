"""The adapter against the real daemon: every call and what its callbacks bring; two nodes that
exchange 300 files each way; a daemon that is killed in the middle of it."""
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import adapter_support  # noqa: E402
import node  # noqa: E402
from adapter_support import AdapterTest, ExchangeTest, until  # noqa: E402
from twisted.internet import protocol, reactor  # noqa: E402
from twisted.internet.defer import gatherResults, inlineCallbacks  # noqa: E402

from dustwire_adapter import tcp_node  # noqa: E402

FILES = 300


class Deaf(protocol.Protocol):
    """A peer that takes a session and then reads nothing."""

    held = []  # the reactor forgets a transport that is paused, and its end would be the session's

    def dataReceived(self, data):
        self.held.append(self)
        self.transport.write(b"\x00\x00\x00\x061wNone")
        self.transport.pauseProducing()


class Identity:
    def __init__(self, *contacts):
        self.contacts = contacts

    def getContactIndex(self, contact):
        return self.contacts.index(contact) if contact in self.contacts else -1


class Calls(AdapterTest):
    def deaf(self):
        factory = protocol.Factory.forProtocol(Deaf)
        factory.noisy = False
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(Deaf.held.clear)
        return b"127.0.0.1:%d" % port.getHost().port

    def test_start_is_told_in_the_gateways_words(self):
        self.assertEqual(self.a.gateway.of("transport_initialized"), [("tcp",)])
        proto, host, options = self.a.gateway.of("receiving_started")[0]
        self.assertEqual((proto, options), ("tcp", self.a.options))
        self.assertTrue(host.endswith(":%d" % self.a.port), host)

    def test_contacts(self):
        contact = b"tcp://" + self.a.host
        self.assertEqual(self.a.interface.build_contacts(Identity()), [contact])
        self.assertIs(self.a.interface.verify_contacts(Identity(b"udp://x:1", contact)), True)
        self.assertIs(self.a.interface.verify_contacts(Identity(b"tcp://other:1")), False)
        # What the rest of the node asks speaks for the interface that came last.
        self.assertEqual(tcp_node.my_host(False), self.b.host)
        self.assertEqual(tcp_node.my_host(True), ("127.0.0.1", self.b.port))
        self.assertEqual(tcp_node.get_internal_port(), self.b.port)

    @inlineCallbacks
    def test_a_file_goes_over_and_both_gateways_hear_of_it(self):
        path = self.file("one").encode()
        answer = yield self.send(path, self.b)
        self.assertEqual(answer, (path, "finished", ""))
        self.assertEqual(self.a.gateway.of("register_file_sending"),
                         [("tcp", self.b.host.decode(), "http://b", path, 1024, "Data")])
        self.assertEqual([c[:3] for c in self.a.gateway.of("unregister_file_sending")],
                         [(1000, "finished", 1024)])
        yield until(lambda: self.b.gateway.consumed, self.b.log)
        proto, host, idurl, filename, size = self.b.gateway.of("register_file_receiving")[0]
        self.assertEqual((proto, idurl, size), ("tcp", self.a.idurl.decode(), 1024))
        self.assertTrue(host.startswith("127.0.0.1:"), host)
        self.assertEqual([c[:3] for c in self.b.gateway.of("unregister_file_receiving")],
                         [(500000, "finished", 1024)])
        self.assertEqual(self.b.gateway.consumed, [node.sha256(path)])

    @inlineCallbacks
    def test_names_of_files_may_be_any_bytes(self):
        for name in ("ünïcode", "\U0001f4e6", b"not-utf8-\xff\xfe", "with space & <markup>"):
            path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
            node.make_file(path, 100)
            answer = yield self.send(path, self.b)
            self.assertEqual(answer, (path, "finished", ""))
        self.assertEqual(self.a.gateway.count("register_file_sending"), 4)

    @inlineCallbacks
    def test_a_single_file_is_only_answered(self):
        path = self.file("single")
        answer = yield self.a.interface.send_file_single(b"http://b", path, self.b.host, "Data")
        self.assertEqual(answer, (path, "finished", ""))
        self.assertEqual(self.a.gateway.count("cancelled_file_sending"), 0)
        yield until(lambda: self.b.gateway.consumed == [node.sha256(path)], self.b.log)

    @inlineCallbacks
    def test_a_file_that_does_not_exist_fails_and_is_cancelled(self):
        path = os.path.join(self.folder, "missing")
        answer = yield self.send(path, self.b)
        self.assertEqual(answer, (path, "failed", "file not exist"))
        self.assertEqual(self.a.gateway.of("cancelled_file_sending"),
                         [("tcp", self.b.host, path, 0, "Data", "file not exist")])

    @inlineCallbacks
    def test_a_peer_that_is_not_there_fails_and_the_callers_host_comes_back_as_bytes(self):
        path, host = self.file("one"), b"127.0.0.1:%d" % node.free_port()
        answer = yield self.send(path, host=host)
        self.assertEqual(answer[:2], (path, "failed"))
        self.assertTrue(answer[2].startswith("connection failed"), answer)
        yield until(lambda: self.a.gateway.count("cancelled_file_sending"), self.a.log)
        self.assertEqual([c[:3] for c in self.a.gateway.of("cancelled_file_sending")],
                         [("tcp", host, path)])
        self.assertEqual(self.a.gateway.count("register_file_sending"), 0)

    @inlineCallbacks
    def test_sessions_are_opened_listed_kept_alive_and_ended(self):
        interface = self.a.interface
        self.assertFalse(interface.send_keep_alive(self.b.host))
        self.assertFalse(interface.disconnect_from(self.b.host))
        yield self.connected()
        yield interface.refresh()
        session = interface.list_sessions()[0]
        self.assertEqual((session.peer_address, session.state), (("127.0.0.1", self.b.port),
                                                                 "CONNECTED"))
        self.assertEqual(session.peer_idurl, self.b.idurl.decode())
        self.assertEqual(interface.find_session(host=self.b.host), [session])
        self.assertEqual(interface.find_session(idurl=self.b.idurl), [session])
        self.assertEqual(interface.find_session(host=b"127.0.0.1:1"), [])
        self.assertEqual(interface.opened_connections(), [session])
        self.assertEqual(interface.started_connections(), [])
        received = session.total_bytes_received
        yield self.b.interface.refresh()
        self.assertEqual(len(self.b.interface.find_session(idurl=self.a.idurl)), 1)
        self.assertTrue(self.b.interface.send_keep_alive(self.a.host))
        yield until(lambda: interface.refresh() and session.total_bytes_received > received,
                    "a wazap from b")
        self.assertTrue(interface.disconnect_from(self.b.host))
        yield until(lambda: not interface.list_sessions(), "no session")

    @inlineCallbacks
    def test_a_file_under_way_is_a_stream_and_can_be_cancelled(self):
        path, interface = self.file("big", 64 << 20), self.a.interface
        sent = self.send(path, host=self.deaf())
        yield until(lambda: self.a.gateway.count("register_file_sending"), self.a.log)
        self.assertEqual([s.transfer_id for s in interface.list_streams()], [1000])
        yield until(lambda: interface.refresh() and getattr(
            interface.find_stream(transfer_id=1000), "bytes_sent", 0) > 0, "bytes sent")
        stream = interface.find_stream(transfer_id=1000)
        self.assertEqual(stream.size, 64 << 20)
        self.assertIs(interface.find_stream(stream_id=stream.file_id), stream)
        self.assertIn(stream, list(interface.list_sessions()[0].stream))
        self.assertIsNone(interface.find_stream(transfer_id=4))
        self.assertIs(interface.cancel_file_sending(4), False)
        self.assertIs(interface.cancel_file_sending(1000), True)
        # The peer reads nothing, so the frame under way ends only with the session.
        interface.disconnect_from(stream.peer_address)
        answer = yield sent
        self.assertEqual(answer[:2], (path, "failed"))
        self.assertEqual([c[:2] for c in self.a.gateway.of("unregister_file_sending")],
                         [(1000, "failed")])
        self.assertEqual(interface.list_streams(), [])

    @inlineCallbacks
    def test_a_file_in_the_queue_can_be_cancelled_by_its_name(self):
        host, interface = self.deaf(), self.a.interface
        sends = [self.send(self.file("big%d" % i, 4 << 20), host=host) for i in range(25)]
        yield until(lambda: self.a.gateway.count("register_file_sending") >= 20, self.a.log)
        last = os.path.join(self.folder, "big24")
        self.assertIs(interface.cancel_outbox_file(host, last), None)
        answer = yield sends[24]
        self.assertEqual(answer, (last, "failed", "cancelled"))
        interface.disconnect_from(host)
        answers = yield gatherResults(sends[:24])
        self.assertEqual({a[1] for a in answers}, {"failed"})

    @inlineCallbacks
    def test_a_received_file_can_be_refused(self):
        path = self.file("big", 256 << 20)
        sent = self.send(path, self.b)
        yield until(lambda: self.b.gateway.count("register_file_receiving"), self.b.log)
        self.assertIs(self.b.interface.cancel_file_receiving(500000), False)
        answer = yield sent
        ended = self.b.gateway.of
        yield until(lambda: ended("unregister_file_receiving"), self.b.log)
        # Unless it was through already, and then at both ends.
        self.assertEqual([c[:2] for c in ended("unregister_file_receiving")], [(500000, answer[1])])

    @inlineCallbacks
    def test_disconnect_and_connect_again(self):
        yield self.a.interface.disconnect()
        yield until(lambda: self.a.gateway.count("disconnected") == 1, self.a.log)
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", self.a.port)), 0)
        yield self.a.interface.connect(self.a.options)
        yield until(lambda: self.a.gateway.count("receiving_started") == 2, self.a.log)
        # Once more, while it listens.
        yield self.a.interface.connect(self.a.options)
        yield until(lambda: self.a.gateway.count("receiving_started") == 3, self.a.log)

    @inlineCallbacks
    def test_a_busy_port_is_told(self):
        yield self.a.interface.disconnect()
        yield until(lambda: self.a.gateway.count("disconnected") == 1, self.a.log)
        self.a.interface.connect(dict(self.a.options, tcp_port=self.b.port))
        yield until(lambda: self.a.gateway.count("receiving_failed") >= 1, self.a.log)
        self.assertEqual(self.a.gateway.of("receiving_failed")[0], ("tcp", "port is busy"))

    @inlineCallbacks
    def test_shutdown_ends_the_daemon(self):
        pid = self.a.pid
        yield self.a.interface.shutdown()
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        self.assertEqual(sorted(n for n in os.listdir(self.a.folder) if "sock" in n), [])
        again = yield self.a.interface.init(self.a.gateway)
        self.assertTrue(again)


class Exchange(ExchangeTest):
    @inlineCallbacks
    def test_300_files_each_way(self):
        for sends, to in zip(self.begin(FILES), (self.b, self.a)):
            answers = yield gatherResults(sends.values())
            self.assertEqual(sorted(answers), sorted((p, "finished", "") for p in sends))
            yield until(lambda: len(to.gateway.consumed) == FILES, to.log)
            self.assertEqual(sorted(to.gateway.consumed), sorted(map(node.sha256, sends)))
        self.assert_reported_once(self.a)
        self.assert_reported_once(self.b)

    @inlineCallbacks
    def test_a_daemon_killed_in_the_middle_loses_nothing_that_was_answered(self):
        sends = self.begin(FILES)
        yield until(lambda: len(self.a.gateway.consumed) > FILES // 10, self.a.log)
        os.kill(self.a.pid, signal.SIGKILL)
        answers = yield gatherResults([gatherResults(s.values()) for s in sends])
        self.assertTrue(all(a[1] in adapter_support.ENDS for both in answers for a in both))
        self.assertIn("failed", [a[1] for a in answers[0]])
        self.assertEqual(self.a.gateway.count("disconnected"), 1)
        yield until(lambda: self.a.gateway.count("receiving_started") == 2, self.a.log)
        for peer in (self.a, self.b):
            yield until(lambda: self.is_all_unregistered(peer), peer.log, 30)
            self.assert_reported_once(peer)
        for both, to in zip(answers, (self.b, self.a)):
            sums = {node.sha256(a[0]) for a in both if a[1] == "finished"}
            self.assertEqual(sums - set(to.gateway.consumed), set())
            self.assertEqual(len(to.gateway.consumed), len(set(to.gateway.consumed)))
        yield self.again(answers[0])

    @inlineCallbacks
    def again(self, answers):
        """What failed goes through now."""
        failed = [a[0] for a in answers if a[1] == "failed"]
        answers = yield gatherResults([self.send(p, self.b) for p in failed])
        self.assertEqual({a[1] for a in answers}, {"finished"})


if __name__ == "__main__":
    adapter_support.run(__file__)
