"""What tests of the adapter share: a gateway that remembers what it was told, and the adapter's
modules on the path. These tests run under twisted.trial, for they need a reactor."""
import os
import shutil
import subprocess
import sys
import tempfile

from twisted.internet import reactor, task
from twisted.internet.defer import inlineCallbacks, succeed

HERE = os.path.dirname(os.path.abspath(__file__))
ADAPTER = os.path.join(os.path.dirname(os.path.dirname(HERE)), "adapter", "bitdust")
for _path in (HERE, ADAPTER):
    if _path not in sys.path:
        sys.path.insert(0, _path)

import node  # noqa: E402


class FakeGateway:
    """`calls`: (method, args) in order. `answers[method]` is called with the arguments, when it is
    there, in the place of the ordinary answer."""

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


def run(path):
    """The tests of a file, under trial, whose own folder goes with it."""
    folder = tempfile.mkdtemp(prefix="dw-")
    try:
        code = subprocess.call([sys.executable, "-B", "-m", "twisted.trial", "--reporter=verbose",
                                "--temp-directory=" + os.path.join(folder, "trial"),
                                os.path.abspath(path)], cwd=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)
