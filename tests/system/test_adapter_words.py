"""The adapter against a daemon of the tests' own (scripted_daemon.py): words in an odd order, and
what is reported when the daemon is gone. Against the real one: test_adapter.py."""
import os
import shutil
import signal
import socket
import stat
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import adapter_support  # noqa: E402
from adapter_support import FakeGateway, until  # noqa: E402
from twisted.internet import task  # noqa: E402
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks  # noqa: E402
from twisted.trial import unittest  # noqa: E402

from dustwire_adapter.sessions import Sessions  # noqa: E402
from dustwire_adapter.settings import Settings  # noqa: E402
from dustwire_adapter.tcp_interface import GateInterface  # noqa: E402

HOST = b"127.0.0.1:7999"
OPTIONS = {"idurl": b"http://127.0.0.1/a.xml", "host": b"127.0.0.1:7771", "tcp_port": 7771}


class Words(unittest.TestCase):
    timeout = 60

    @inlineCallbacks
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="dw-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.gateway = FakeGateway()
        self.interface = self.made()
        self.addCleanup(self.interface.shutdown)
        yield self.interface.init(self.gateway)
        yield self.interface.connect(OPTIONS)

    def made(self):
        program = os.path.join(self.folder, "dustwired")
        with open(program, "w") as out:
            out.write("#!/bin/sh\nexec %s -B %s \"$@\"\n" % (sys.executable, os.path.join(
                adapter_support.HERE, "scripted_daemon.py")))
        os.chmod(program, 0o700)
        return GateInterface(Settings(os.path.join(self.folder, "adapter"), program))

    def file(self, name):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write("hello")
        return path

    def test_folder_is_private(self):
        folder = os.path.join(self.folder, "adapter")
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, "gateway.sock")).st_mode), 0o600)

    def test_gateway_hears_of_the_start_in_its_words(self):
        self.assertEqual(self.gateway.of("transport_initialized"), [("tcp",)])
        self.assertEqual(self.gateway.of("receiving_started"),
                         [("tcp", "127.0.0.1:7771", OPTIONS)])
        self.assertEqual(self.interface.build_contacts(None), [b"tcp://127.0.0.1:7771"])

    @inlineCallbacks
    def test_a_send_is_reported_with_the_names_that_it_was_given(self):
        path = self.file("plain").encode()
        answer = yield self.interface.send_file(b"http://b", path, HOST, "Data")
        self.assertEqual(answer, (path, "finished", ""))
        self.assertEqual(self.gateway.of("register_file_sending"),
                         [("tcp", HOST.decode(), "http://b", path, 5, "Data")])
        self.assertEqual(self.gateway.of("unregister_file_sending"), [(1, "finished", 5, None)])
        self.assertEqual(self.gateway.count("cancelled_file_sending"), 0)

    @inlineCallbacks
    def test_lists_that_a_stopping_daemon_does_not_give_are_no_fault_of_ours(self):
        yield self.interface.send_file(None, self.file("stopping"), HOST, "Data")
        yield self.interface.refresh()
        self.assertEqual(self.flushLoggedErrors(), [])

    @inlineCallbacks
    def test_an_outcome_may_be_here_before_the_request_id(self):
        path = self.file("early")
        answer = yield self.interface.send_file(None, path, HOST, "Data")
        self.assertEqual(answer, (path, "finished", ""))

    @inlineCallbacks
    def test_a_refused_send_is_cancelled_with_the_callers_host(self):
        path = self.file("refuse")
        answer = yield self.interface.send_file(None, path, ("127.0.0.1", 7999), "Data")
        self.assertEqual(answer, (path, "failed", "send not accepted: retry later"))
        self.assertEqual(self.gateway.of("cancelled_file_sending"),
                         [("tcp", HOST, path, 0, "Data", answer[2])])

    @inlineCallbacks
    def test_a_gateway_that_fails_once_is_asked_again_for_the_same_send(self):
        faults = [True]

        def register(*args):
            if faults:
                faults.pop()
                raise ValueError("not now")
            return 7
        self.gateway.answers["register_file_sending"] = register
        path = self.file("plain").encode()
        answer = yield self.interface.send_file(None, path, HOST, "Data")
        self.assertEqual(answer, (path, "finished", ""))
        # Both times with the very name that the caller gave, and cancelled it never was.
        self.assertEqual([args[3] for args in self.gateway.of("register_file_sending")], [path] * 2)
        self.assertEqual(self.gateway.count("cancelled_file_sending"), 0)
        self.flushLoggedErrors()

    @inlineCallbacks
    def kill(self):
        pid = self.interface._daemon.pid
        os.kill(pid, signal.SIGKILL)
        yield until(lambda: self.gateway.count("disconnected") == 1, "disconnected")

    @inlineCallbacks
    def test_what_hangs_when_the_daemon_is_killed_is_reported_once_and_it_comes_back(self):
        paths = [self.file("hang%d" % i) for i in range(5)]
        sends = gatherResults([self.interface.send_file(None, p, HOST, "Data") for p in paths])
        yield until(lambda: self.gateway.count("register_file_sending") == 5, "5 registered")
        self.assertEqual(len(self.interface.list_streams()), 5)
        yield self.kill()
        answers = yield sends
        self.assertEqual(answers, [(p, "failed", "disconnected") for p in paths])
        self.assertEqual(sorted(self.gateway.of("unregister_file_sending")),
                         [(i, "failed", 0, "disconnected") for i in range(1, 6)])
        self.assertEqual(self.gateway.count("cancelled_file_sending"), 0)
        yield until(lambda: self.gateway.count("receiving_started") == 2, "listening again")
        self.assertEqual(self.gateway.count("transport_initialized"), 1)
        yield until(lambda: self.interface._is_ready, "ready")
        answer = yield self.interface.send_file(None, self.file("again"), HOST, "Data")
        self.assertEqual(answer[1], "finished")

    @inlineCallbacks
    def test_an_id_that_comes_after_the_daemon_died_is_reported_failed(self):
        late = Deferred()
        self.gateway.answers["register_file_sending"] = lambda *args: late
        send = self.interface.send_file(None, self.file("hang"), HOST, "Data")
        yield until(lambda: self.gateway.count("register_file_sending") == 1, "a register call")
        yield self.kill()
        late.callback(42)
        yield send
        self.assertEqual(self.gateway.of("unregister_file_sending"),
                         [(42, "failed", 0, "disconnected")])

    @inlineCallbacks
    def test_a_received_file_without_a_record_is_reported_failed_after_the_restart(self):
        answer = self.interface._reports.on_register_file_receiving("tcp", "10.0.0.1:5", "", "/in/x", 9)
        answer = yield answer
        self.assertEqual(answer, 1)
        yield self.kill()
        yield until(lambda: self.gateway.count("unregister_file_receiving") == 1, "a report")
        self.assertEqual(self.gateway.of("unregister_file_receiving"),
                         [(1, "failed", 0, "disconnected")])

    @inlineCallbacks
    def test_a_received_file_that_was_reported_is_not_reported_again(self):
        heard = self.interface._reports
        transfer = yield heard.on_register_file_receiving("tcp", "10.0.0.1:5", "", "/in/x", 9)
        yield heard.on_unregister_file_receiving(transfer, "finished", 9, "")
        again = heard.on_register_file_receiving("tcp", "10.0.0.1:5", "", "/in/x", 9)
        self.assertEqual(again, transfer)
        self.assertTrue(heard.on_unregister_file_receiving(transfer, "finished", 9, ""))
        self.assertEqual(self.gateway.count("register_file_receiving"), 1)
        self.assertEqual(self.gateway.count("unregister_file_receiving"), 1)

    @inlineCallbacks
    def test_a_gateway_that_fails_after_the_daemon_died_is_told_again(self):
        faults = [True, True]

        def unregister(*args):
            if faults:
                faults.pop()
                raise ValueError("not now")
            return True
        self.gateway.answers["unregister_file_sending"] = unregister
        send = self.interface.send_file(None, self.file("hang"), HOST, "Data")
        yield until(lambda: self.gateway.count("register_file_sending") == 1, "a register call")
        yield self.kill()
        yield send
        yield until(lambda: self.gateway.count("unregister_file_sending") == 3, "a third try")
        yield until(lambda: not self.interface.list_streams(), "an end of it")
        self.flushLoggedErrors()

    @inlineCallbacks
    def test_a_gateway_that_never_takes_an_end_is_left_alone_after_four_tries(self):
        def unregister(*args):
            raise ValueError("never")
        self.gateway.answers["unregister_file_sending"] = unregister
        send = self.interface.send_file(None, self.file("hang"), HOST, "Data")
        yield until(lambda: self.gateway.count("register_file_sending") == 1, "a register call")
        yield self.kill()
        yield send
        yield until(lambda: not self.interface.list_streams(), "it is given up")
        self.assertEqual(self.gateway.count("unregister_file_sending"), 4)
        self.flushLoggedErrors()

    @inlineCallbacks
    def test_an_end_that_is_said_twice_to_a_slow_gateway_is_told_once(self):
        heard, slow = self.interface._reports, Deferred()
        self.gateway.answers["unregister_file_receiving"] = lambda *args: slow
        transfer = yield heard.on_register_file_receiving("tcp", "10.0.0.1:5", "", "/in/x", 9)
        both = gatherResults([heard.on_unregister_file_receiving(transfer, "finished", 9)
                              for _ in range(2)])
        slow.callback(False)
        answers = yield both
        self.assertEqual(answers, [False, False])
        self.assertEqual(self.gateway.count("unregister_file_receiving"), 1)

    def test_a_received_file_that_is_registered_too_late_is_reported_failed(self):
        late = Deferred()
        self.gateway.answers["register_file_receiving"] = lambda *args: late
        self.interface._reports.on_register_file_receiving(
            "tcp", "10.0.0.1:5", "", "/in/x", 9, is_awaited=lambda: False)
        late.callback(7)
        self.assertEqual(self.gateway.of("unregister_file_receiving"),
                         [(7, "failed", 0, "the gateway's answer came too late")])

    @inlineCallbacks
    def test_a_send_that_is_registered_too_late_is_reported_as_it_ended(self):
        late = Deferred()
        self.gateway.answers["register_file_sending"] = lambda *args: late
        answer = yield self.interface.send_file(None, self.file("impatient"), HOST, "Data")
        self.assertEqual(answer[1], "finished")
        self.assertEqual(self.gateway.count("unregister_file_sending"), 0)
        late.callback(7)
        self.assertEqual(self.gateway.of("unregister_file_sending"), [(7, "finished", 5, None)])
        self.assertEqual(self.interface.list_streams(), [])

    @inlineCallbacks
    def test_connections_of_a_dead_daemon_are_dropped(self):
        with socket.socket(socket.AF_UNIX) as left:
            left.connect(os.path.join(self.folder, "adapter", "gateway.sock"))
            left.setblocking(False)
            yield until(lambda: self.interface._callbacks._site.protocols, "it is taken")
            yield self.kill()
            yield until(lambda: self.is_closed(left), "its end")

    @staticmethod
    def is_closed(connection):
        try:
            return connection.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    @inlineCallbacks
    def test_a_send_without_a_daemon_is_refused_after_its_call_and_not_in_it(self):
        yield self.kill()
        path = self.file("plain")
        send = self.interface.send_file(None, path, HOST, "Data")
        self.assertEqual(self.gateway.count("cancelled_file_sending"), 0)
        answer = yield send
        self.assertEqual(answer, (path, "failed", "disconnected"))
        self.assertEqual(self.gateway.of("cancelled_file_sending"),
                         [("tcp", HOST, path, 0, "Data", "disconnected")])

    @inlineCallbacks
    def test_shutdown_ends_the_daemon_and_every_send(self):
        send = self.interface.send_file(None, self.file("hang"), HOST, "Data")
        yield until(lambda: self.gateway.count("register_file_sending") == 1, "a register call")
        pid = self.interface._daemon.pid
        yield self.interface.shutdown()
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        answer = yield send
        self.assertEqual(answer[1], "failed")
        answer = yield self.interface.send_file(None, self.file("late"), HOST, "Data")
        self.assertEqual(answer[1:], ("failed", "disconnected"))


class Lists(unittest.TestCase):
    ROW = {"session": 1, "type": "in", "stream_id": 5, "transfer_id": 7, "host": "127.0.0.1:7999", "idurl": "",
           "filename": "/in/x", "bytes_total": 9, "bytes_current": 1, "started_at": 1.0, "state": "receiving"}

    def setUp(self):
        self.asked = []
        self.sessions = Sessions(task.Clock(), self)
        self.sessions.start()

    def call_parallel(self, method, *args):
        """The daemon, which answers when the test does."""
        self.asked.append(Deferred())
        return self.asked[-1]

    def refresh(self, meanwhile=lambda: None):
        self.sessions.refresh()
        self.asked.pop().callback([])
        meanwhile()
        self.asked.pop().callback([self.ROW])
        return [stream.transfer_id for stream in self.sessions.streams()]

    def test_a_file_that_ends_while_the_list_is_on_its_way_is_not_in_it(self):
        self.assertEqual(self.refresh(), [7])
        self.assertEqual(self.refresh(lambda: self.sessions.ended(7)), [])


if __name__ == "__main__":
    adapter_support.run(__file__)
