"""Shared by the adapter's tests: a gateway that records its calls, and the adapter's modules on the
path. These tests run under twisted.trial, since they need a reactor."""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

from twisted.internet import reactor, task
from twisted.internet.defer import inlineCallbacks, succeed
from twisted.trial import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ADAPTER = os.path.join(os.path.dirname(os.path.dirname(HERE)), "adapter", "bitdust")
for _path in (HERE, ADAPTER):
    if _path not in sys.path:
        sys.path.insert(0, _path)

import node  # noqa: E402

from dustwire_adapter import tcp_interface  # noqa: E402
from dustwire_adapter.settings import Settings  # noqa: E402

ENDS = ("finished", "failed")


class FakeGateway:
    """`calls`: (method, args) in order. If `answers[method]` exists, it is called with the arguments
    instead of the default answer."""

    def __init__(self, first_id=1):
        self.calls, self.answers, self._next = [], {}, first_id

    def callRemote(self, method, *args):
        self.calls.append((method, args))
        if method in self.answers:
            return self.answers[method](*args)
        return succeed(self.answer(method))

    def answer(self, method):
        if not method.startswith("register_"):
            return True
        self._next += 1
        return self._next - 1

    def of(self, method):
        return [args for name, args in self.calls if name == method]

    def count(self, method):
        return len(self.of(method))


@inlineCallbacks
def until(condition, what, limit=10.0):
    """Waits, with the reactor running, until the condition is true."""
    deadline = reactor.seconds() + node.seconds(limit)
    while not condition():
        if reactor.seconds() > deadline:
            raise AssertionError("not within %.1f s: %s" % (
                node.seconds(limit), what() if callable(what) else what))
        yield task.deferLater(reactor, 0.01, lambda: None)


class ConsumingGateway(FakeGateway):
    """Consumes received files as BitDust's gateway does: when a file is reported as finished, it opens
    the registered path and deletes the file."""

    def __init__(self, first_id=1):
        super().__init__(first_id)
        self.paths, self.consumed = {}, []

    def callRemote(self, method, *args):
        answer = super().callRemote(method, *args)
        if method == "register_file_receiving":
            self.paths[self._next - 1] = args[3]
        elif method == "unregister_file_receiving" and args[1] == "finished":
            path = self.paths[args[0]]
            with open(path, "rb") as stream:
                self.consumed.append(hashlib.sha256(stream.read()).hexdigest())
            os.unlink(path)
        return answer


class Peer:
    """One node: an adapter with a separate folder and port, and its gateway."""

    def __init__(self, name, folder, first_id, more=""):
        self.port = node.free_port()
        self.name, self.folder = name, os.path.join(folder, name)
        extra = os.path.join(folder, name + ".ini")
        with open(extra, "w") as out:
            out.write("[services/tcp-connections]\nlisten = 127.0.0.1\n[workers]\nthreads = 2\n"
                      "[sessions]\nlinger-ms = 500\n" + more)
        self.settings = Settings(self.folder, os.path.join(node.BUILD, "dustwired"), extra, self.port)
        self.gateway = ConsumingGateway(first_id)
        self.interface = tcp_interface.GateInterface(self.settings)
        self.idurl = node.IDURL.format(name).encode()
        self.host = b"127.0.0.1:%d" % self.port
        self.options = {"idurl": self.idurl, "host": self.host, "tcp_port": self.port}

    @inlineCallbacks
    def start(self):
        yield self.interface.init(self.gateway)
        yield self.interface.connect(self.options)
        yield until(lambda: self.gateway.count("receiving_started") == 1, self.log)
        return self

    def log(self):
        with open(self.settings.log, errors="replace") as stream:
            return "%s\n%s" % (self.gateway.calls[-8:], stream.read()[-4000:])

    @property
    def pid(self):
        return self.interface._daemon.pid


class AdapterTest(unittest.TestCase):
    timeout = 240
    settings = ""       # appended to the daemons' INI files

    @inlineCallbacks
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="dw-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.a = yield self.peer("a", 1000)
        self.b = yield self.peer("b", 500000)

    def peer(self, name, first_id):
        peer = Peer(name, self.folder, first_id, self.settings)
        self.addCleanup(self._close, peer)
        return peer.start()

    @inlineCallbacks
    def _close(self, peer):
        yield peer.interface.shutdown()
        with open(peer.settings.log, errors="replace") as stream:
            text = stream.read()
        self.assertIsNone(node.report_in(text), text[-12000:])

    def file(self, name, size=1024, seed=0):
        return node.make_file(os.path.join(self.folder, name), size, seed)

    def send(self, path, to=None, host=None):
        return self.a.interface.send_file(b"http://b", path, host or to.host, "Data")

    @inlineCallbacks
    def connected(self):
        """A session from a to b."""
        self.assertFalse(self.a.interface.connect_to(self.b.host))
        yield until(lambda: self.a.interface.connect_to(self.b.host), self.a.log)


class ExchangeTest(AdapterTest):
    """Files in both directions at once."""

    def begin(self, count):
        """Sends files of many sizes in both directions at once: the deferreds by path, of a and of b."""
        sends = []
        for one, other in ((self.a, self.b), (self.b, self.a)):
            paths = [self.file("%s%d" % (one.name, i), 1 + i * 997 % 60000, seed=one.name + str(i))
                     for i in range(count)]
            sends.append({p: one.interface.send_file(other.idurl, p, other.host, "Data")
                          for p in paths})
        return sends

    def assert_reported_once(self, peer):
        """Each id that the gateway assigned was unregistered exactly once."""
        for direction in ("sending", "receiving"):
            ids = [c[0] for c in peer.gateway.of("unregister_file_" + direction)]
            self.assertEqual(len(ids), len(set(ids)), direction)
            self.assertEqual(len(ids), peer.gateway.count("register_file_" + direction), direction)

    @staticmethod
    def is_all_unregistered(peer):
        return all(peer.gateway.count("unregister_file_" + direction) ==
                   peer.gateway.count("register_file_" + direction) for direction in ("sending", "receiving"))


def run(path):
    """Runs the tests of a file under trial, in a temporary folder."""
    folder = tempfile.mkdtemp(prefix="dw-")
    try:
        code = subprocess.call([sys.executable, "-B", "-m", "twisted.trial", "--reporter=verbose",
                                "--temp-directory=" + os.path.join(folder, "trial"),
                                os.path.abspath(path)], cwd=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)
