"""The adapter and the real daemon when the gateway is slow, fails, or hangs, when daemons are killed
at both ends, and with arguments of every kind."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import adapter_support  # noqa: E402
import node  # noqa: E402
from adapter_support import AdapterTest, ExchangeTest, FakeGateway, until  # noqa: E402
from twisted.internet import reactor, task  # noqa: E402
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks  # noqa: E402


class Identity:
    """An identity that is an object, of which only the text is taken."""

    def __str__(self):
        return "http://b"


class Arguments(AdapterTest):
    KINDS = (
        (b"http://b", b"Data"), ("http://b", "Data"), (None, None), (Identity(), ""),
        ("http://b\u00fc", "\u00fcn\u00efcode \U0001f4e6"), ("http://b", b"\xff\xfe"),
        ("http://b", "line\r\nend\x01"), ("http://" + "b" * 2000, "d" * 60000))

    @inlineCallbacks
    def test_identities_and_descriptions_of_every_kind(self):
        path = self.file("one")
        for idurl, description in self.KINDS:
            answer = yield self.a.interface.send_file(idurl, path, self.b.host, description)
            self.assertEqual(answer, (path, "finished", ""), (idurl, description))
        registered = self.a.gateway.of("register_file_sending")
        self.assertEqual([args[5] for args in registered], [d for _, d in self.KINDS])
        self.assertEqual([args[2] for args in registered][:4],
                         ["http://b", "http://b", self.b.idurl.decode(), "http://b"])

    @inlineCallbacks
    def test_hosts_of_every_kind(self):
        path, port = self.file("one"), self.b.port
        for host in (self.b.host, self.b.host.decode(), ("127.0.0.1", port), [b"127.0.0.1", port],
                     "tcp://127.0.0.1:%d" % port):
            answer = yield self.send(path, host=host)
            self.assertEqual(answer, (path, "finished", ""), host)

    @inlineCallbacks
    def test_what_cannot_be_sent_is_answered_with_the_very_name(self):
        host = self.b.host
        for path, to in ((os.path.join(self.folder, "x" * 300), host), ("/" + "y/" * 5000, host),
                         (self.folder, host), (self.file("one"), b"no contact"),
                         (self.file("one"), b""), (self.file("one"), "h\u00f6st\ud800:1")):
            answer = yield self.a.interface.send_file(b"http://b", path, to, "Data")
            self.assertEqual(answer[:2], (path, "failed"))
            self.assertTrue(answer[2])
        self.assertEqual(self.a.gateway.count("cancelled_file_sending"), 6)


class Gateway(ExchangeTest):
    # Stretched like the tests' own deadlines: the adapter, a script on the same machine, answers within it.
    settings = "[gateway]\npatience-s = %d\n" % round(node.seconds(2))

    @staticmethod
    def unsteady(peer):
        """Each answer takes its time, and each end is taken at the second try. Returns the ids of the
        files whose end was taken."""
        tried, taken = set(), []

        def register(*args):
            value = FakeGateway.answer(peer.gateway, "register_file_sending")
            return task.deferLater(reactor, 0.02, lambda: value)

        def unregister(*args):
            if args[0] not in tried:
                tried.add(args[0])
                raise ValueError("the test wants it so")
            taken.append(args[0])
            return task.deferLater(reactor, 0.02, lambda: True)
        peer.gateway.answers.update(register_file_sending=register,
                                    unregister_file_sending=unregister)
        return taken

    @inlineCallbacks
    def test_one_that_is_slow_and_fails_has_taken_each_end_once(self):
        taken = [self.unsteady(peer) for peer in (self.a, self.b)]
        for sends in self.begin(60):
            answers = yield gatherResults(sends.values())
            self.assertEqual(sorted(answers), sorted((p, "finished", "") for p in sends))
        for ids, peer in zip(taken, (self.a, self.b)):
            self.assertEqual((len(ids), len(set(ids))), (60, 60), peer.log())
            yield until(lambda: len(peer.gateway.consumed) == 60, peer.log)

    @inlineCallbacks
    def test_a_registration_that_comes_too_late_is_ended_at_both_ends(self):
        late = [Deferred(), Deferred()]
        self.a.gateway.answers["register_file_sending"] = lambda *args: late[0]
        self.b.gateway.answers["register_file_receiving"] = lambda *args: late[1]
        answer = yield self.send(self.file("one"), self.b)
        self.assertEqual(answer[1], "failed")
        late[0].callback(1)
        late[1].callback(2)
        for peer, way in ((self.a, "sending"), (self.b, "receiving")):
            ended = peer.gateway.of("unregister_file_" + way)
            self.assertEqual([e[1] for e in ended], ["failed"], peer.log())
            yield until(lambda: peer.interface.list_streams() == [], peer.log)  # with the next look at the daemon


class Killed(ExchangeTest):
    @inlineCallbacks
    def test_daemons_killed_at_both_ends_lose_nothing_that_was_answered(self):
        sends = self.begin(200)
        yield until(lambda: len(self.a.gateway.consumed) > 20, self.a.log)
        for peer in (self.a, self.b):
            os.kill(peer.pid, signal.SIGKILL)
        for peer in (self.a, self.b):
            yield until(lambda: peer.gateway.count("receiving_started") == 2, peer.log)
        answers = yield gatherResults([gatherResults(s.values()) for s in sends])
        self.assertIn("failed", [a[1] for both in answers for a in both])
        for peer in (self.a, self.b):
            yield until(lambda: self.is_all_unregistered(peer), peer.log, 30)
            self.assert_reported_once(peer)
            yield until(lambda: peer.interface.list_streams() == [], peer.log)  # with the next look at the daemon
        for both, to in zip(answers, (self.b, self.a)):
            self.assertEqual(len(both), 200)
            sums = {node.sha256(a[0]) for a in both if a[1] == "finished"}
            self.assertEqual(sums - set(to.gateway.consumed), set())


if __name__ == "__main__":
    adapter_support.run(__file__)
