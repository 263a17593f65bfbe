"""Measures the cost of a send with a remote gateway; a benchmark without limits, not a test.

    /usr/bin/python3 -B tests/system/bench_gateway.py [FILES]

1. one at a time: send_file, register, the file and the peer's ok, unregister, file_result; the median
   of 200 sends of 1 KiB on an open session
2. FILES (default 2000) requested at once, from the first call to the last file_result; compared with
   the calls per second that a bare Twisted XML-RPC server answers on eight connections in the same run
   (each send costs it three calls)

DUSTWIRE_BUILD selects the build; the inboxes are in memory (/dev/shm), without syncs.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import node as harness  # noqa: E402

ONE_BY_ONE, CONNECTIONS = 200, 8

DRIVER = '''
import sys, time, statistics
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks
from twisted.web import server, xmlrpc
sys.path.insert(0, {adapter!r})
from dustwire_adapter.control import Control

class Gateway(xmlrpc.XMLRPC):
    """Answers and counts, without recording the calls."""
    def __init__(self):
        super().__init__(allowNone=True)
        self.last, self.waiting, self.early = 0, {{}}, set()
    def lookupProcedure(self, name):
        return getattr(self, "on_" + name, self.on_any)
    def on_any(self, *args):
        return True
    def on_register_file_sending(self, *args):
        self.last += 1
        return self.last
    on_register_file_receiving = on_register_file_sending
    def on_file_result(self, request, status, count, error):
        if request in self.waiting:
            self.waiting.pop(request).callback(status)
        else:
            self.early.add(request)
        return True
    def result(self, request):
        done = Deferred()
        if request in self.early:
            self.early.remove(request)
            done.callback("finished")
        else:
            self.waiting[request] = done
        return done

@inlineCallbacks
def main():
    gateway = Gateway()
    site = server.Site(gateway)
    site.log = lambda request: None
    reactor.listenUNIX({gateway!r}, site)
    control = Control(reactor, {control!r})
    yield control.call("init", "unix:" + {gateway!r}, {{"file_result": True}})
    yield control.call("connect", {{"tcp_port": {port}}})
    @inlineCallbacks
    def send():
        request = yield control.call("send_file", "", {path!r}, {far!r}, "")
        yield gateway.result(request)
    yield send()
    times = []
    for _ in range({one_by_one}):
        start_time = time.perf_counter()
        yield send()
        times.append(time.perf_counter() - start_time)
    print("one", statistics.median(times) * 1000, sorted(times)[int(len(times) * 0.99)] * 1000)
    start_time = time.perf_counter()
    yield DeferredList([send() for _ in range({files})])
    print("many", {files} / (time.perf_counter() - start_time))
    reactor.stop()

reactor.callWhenRunning(main)
reactor.run()
'''

BARE = '''
import sys
from twisted.internet import reactor
from twisted.web import server, xmlrpc
class Gateway(xmlrpc.XMLRPC):
    def lookupProcedure(self, name):
        return lambda *args: True
site = server.Site(Gateway(allowNone=True))
site.log = lambda request: None
reactor.listenUNIX(sys.argv[1], site)
reactor.callWhenRunning(lambda: (sys.stdout.write("ready\\n"), sys.stdout.flush()))
reactor.run()
'''

CALLER = '''
import http.client, socket, sys, threading, time, xmlrpc.client
body = xmlrpc.client.dumps((1000001, "finished", 1024, None), "unregister_file_sending", allow_none=True)
def run(count):
    c = http.client.HTTPConnection("localhost")
    c.sock = socket.socket(socket.AF_UNIX)
    c.sock.connect(sys.argv[1])
    for _ in range(count):
        c.request("POST", "/", body, {"Content-Type": "text/xml"})
        c.getresponse().read()
start_time = time.perf_counter()
threads = [threading.Thread(target=run, args=(int(sys.argv[2]),)) for _ in range(int(sys.argv[3]))]
[t.start() for t in threads]; [t.join() for t in threads]
print(int(sys.argv[2]) * int(sys.argv[3]) / (time.perf_counter() - start_time))
'''


def bare_calls_a_second(folder):
    """Calls of the same size, from a client in another process, on persistent connections."""
    path = os.path.join(folder, "bare.sock")
    server = subprocess.Popen([sys.executable, "-c", BARE, path], stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline()
        rates = [float(subprocess.check_output([sys.executable, "-c", CALLER, path, "500",
                                                str(CONNECTIONS)]))
                 for _ in range(3)]
    finally:
        server.kill()
        server.wait()
    return statistics.median(rates)


def main():
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    folder = tempfile.mkdtemp(prefix="dw-bench-", dir="/dev/shm")
    plain = {"inbox/durability": "none", "log/level": "warning"}
    near = harness.Node("near", dict(plain), folder=folder)
    far = harness.Node("far", dict(plain), folder=folder)
    try:
        bare = bare_calls_a_second(folder)
        near.start()
        far.start()
        path = harness.make_file(os.path.join(folder, "file"), 1024)
        root = os.path.dirname(os.path.dirname(HERE))
        out = subprocess.check_output([sys.executable, "-c", DRIVER.format(
            adapter=os.path.join(root, "adapter", "bitdust"), gateway=os.path.join(folder, "g.sock"),
            control=near.socket, port=near.port, path=path, far="127.0.0.1:%d" % far.port,
            one_by_one=ONE_BY_ONE, files=files)], text=True)
        words = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
        sends = float(words["many"][0])
        print("one send at a time: median %.2f ms, p99 %.2f ms" % tuple(map(float, words["one"])))
        print("%d at once: %.0f sends/s; bare Twisted: %.0f calls/s, a third of it %.0f; ratio %.2f"
              % (files, sends, bare, bare / 3, sends / (bare / 3)))
    finally:
        near.close()
        far.close()
        shutil.rmtree(folder, ignore_errors=True)


main()
