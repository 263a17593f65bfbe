"""kill -9 of a remote gateway, of the daemon that it controls, and of both, under load in both directions.
The scripted gateway (tests/system/gateway.py) must receive every report, and no conflicting results."""
import http.client
import os
import threading
import xmlrpc.client

import gateway as remote
import node as harness
from field import TOKEN, Book

VICTIMS = (("gateway",), ("daemon",), ("gateway", "daemon"), ("daemon", "gateway"))


class Sends(threading.Thread):
    """Requests a send from the daemon every few milliseconds, until stopped or the daemon has exited."""

    def __init__(self, driven):
        super().__init__(daemon=True)
        self._driven, self.is_stopped = driven, threading.Event()
        self.start()

    def run(self):
        control = remote.control(self._driven.near)
        try:
            while not self.is_stopped.wait(0.005):
                self._driven.ask(control)
        except (OSError, http.client.HTTPException):
            pass  # killed; requests without an answer are undecided


class DrivenNode:
    """`near` is controlled by the gateway, `far` is an ordinary node that receives its sends."""

    timeout_s = 20.0

    def __init__(self, field):
        self._field = field
        self.gateway = remote.Gateway(field.folder)
        if os.path.exists(self.gateway.calls_path):
            os.unlink(self.gateway.calls_path)
        self.gateway.start()
        self.near = field.node("near", {"gateway/url": self.gateway.url, "gateway/file-result": True,
                                        "gateway/patience-s": 5, "sessions/stop-timeout-s": 2},
                               is_started=False)
        self.far = field.node("far")
        self.sent, self.files_asked, self._seen = Book(field.source), 0, set()
        self._start_near()

    def end(self):
        problems = self._field.end(self.near) + self._field.end(self.far)
        self.gateway.kill()
        return problems

    # ---- the processes

    def _start_near(self, is_gateway_new=False):
        """Request ids start at 1 in each run of the daemon: results are assigned to a run by their time."""
        self._asked, self._calls_before = {}, len(self.gateway.calls())
        self.near.spawn()
        harness.wait_until(self.near.status, lambda: "the control socket: " + self.near.log())
        self._connect_gateway(is_gateway_new)

    def _connect_gateway(self, is_gateway_new):
        control = remote.control(self.near)
        if is_gateway_new:
            control.init(self.gateway.url, {"file_result": True})
        control.connect({"tcp_port": self.near.port})
        harness.wait_until(self.near.is_serving, self.near.log)

    def kill(self, victims):
        for victim in victims:
            if victim == "gateway":
                self.gateway.kill()
            else:
                self.near.kill()

    def restart(self, victims):
        """A restarted gateway sends `init`, a running one continues."""
        is_gateway_new = "gateway" in victims
        if is_gateway_new:
            self.gateway.start()
        else:
            self.gateway.order("ok")  # it has read everything that the killed daemon wrote
        if "daemon" in victims:
            self._start_near(is_gateway_new)
        else:
            self._connect_gateway(is_gateway_new)

    # ---- the load

    def ask(self, control):
        file = self.sent.new(self._field.source.choice((TOKEN, 1000, 30000)))
        path = os.path.join(self.near.folder, "out-" + file.token.decode().strip())
        with open(path, "wb") as out:
            out.write(file.content)
        try:
            request = control.send_file("", path, "127.0.0.1:%d" % self.far.port, "")
        except xmlrpc.client.Fault:
            return  # refused: queue full or no transport
        self._asked[request] = file
        self.files_asked += 1

    # ---- what it received

    def note_results(self, asked, calls):
        """The results of these requests in these calls; finished ones count as acknowledged."""
        results = {}
        for call in calls:
            if call["call"] == "file_result":
                results.setdefault(call["args"][0], set()).add(call["args"][1])
        for request, file in asked.items():
            if "finished" in results.get(request, ()):
                file.acknowledge()
        return results, ["request %d was reported %s" % (request, " and ".join(sorted(told)))
                         for request, told in results.items() if len(told) != 1]

    def results_of_life(self, is_over):
        """A killed run owes no results; in a running one each request must get its result."""
        asked, before = self._asked, self._calls_before

        def calls():
            return self.gateway.calls()[before:]

        def missing():
            return set(asked) - {c["args"][0] for c in calls() if c["call"] == "file_result"}
        losses = []
        if not is_over:
            losses = self._wait_for(lambda: not missing(), lambda: "no file_result for %d of %d requests: %r" % (
                len(missing()), len(asked), sorted(missing())[:10]))
        return losses + self.note_results(asked, calls())[1]

    def _wait_for(self, condition, what):
        try:
            harness.wait_until(condition, what, self.timeout_s)
        except AssertionError as e:
            return [str(e)]
        return []

    def _ends(self):
        """The reported results by path: a file has another id in each gateway instance."""
        paths = {c["answer"]: c["args"][3] for c in self.gateway.taken("register_file_receiving")}
        ends = {}
        for call in self.gateway.taken("unregister_file_receiving"):
            path = paths.get(call["args"][0], "an id that was never assigned")
            ends.setdefault(path, set()).add(tuple(call["args"][1:3]))
        return ends

    def check_ends(self):
        received = set(self.near.received())
        self._seen |= received
        losses = self._wait_for(lambda: received <= set(self._ends()),
                                lambda: "no result was reported for %s" % (received - set(self._ends())))
        for path, told in self._ends().items():
            if len(told) != 1:
                losses.append("%s has two results: %r" % (path, told))
            if ("finished" in {status for status, _ in told}) != (path in self._seen):
                losses.append("%s was reported %r, and is %s" % (
                    path, told, "present" if path in self._seen else "missing"))
        return losses

    def promises(self):
        losses = self._field.promises(self.near, self._field.book) + self.check_ends()
        losses += self.results_of_life(False) + self._field.promises(self.far, self.sent)
        self._asked, self._calls_before = {}, len(self.gateway.calls())
        for node, book in ((self.near, self._field.book), (self.far, self.sent)):
            for path in node.received():
                os.unlink(path)
            book.forget()
        return losses


def under_load(field, driven, victims):
    delay, gap = field.source.uniform(0.02, 0.4), field.source.uniform(0.0, 0.4)
    senders, sends = field.senders(driven.near, 2, largest=20000), Sends(driven)
    threading.Event().wait(delay)
    driven.kill(victims)
    losses = []
    threading.Event().wait(gap)
    if "daemon" in victims:
        sends.join()
        losses += driven.results_of_life(True)
    driven.restart(victims)
    threading.Event().wait(0.1)
    for thread in (*senders, sends):
        thread.is_stopped.set()
        thread.join()
    return losses, "%s killed after %.3f s, for %.3f s" % (" and ".join(victims), delay, gap)


def kills(field, limit):
    driven, asked, told = None, 0, 0
    for i in range(limit):
        if i % 10 == 0:
            driven = DrivenNode(field)
        losses, what = under_load(field, driven, VICTIMS[i % len(VICTIMS)])
        field.end_run("run %d, %s" % (i, what), losses + driven.promises())
        if i % 10 == 9 or i == limit - 1:
            asked, told = asked + driven.files_asked, told + driven.sent.acknowledged
            field.end_run("the ends", driven.end())
            field.runs -= 1
    field.notes.append("%d sends requested, %d reported finished" % (asked, told))
