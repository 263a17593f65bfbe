"""kill -9 of a remote gateway, of the daemon under it, and of both, under load in both directions. Of what
the scripted gateway (tests/system/gateway.py) was told nothing may be missing, and no end told two ways."""
import http.client
import os
import threading
import xmlrpc.client

import gateway as remote
import node as harness
from field import TOKEN, Book

VICTIMS = (("gateway",), ("daemon",), ("gateway", "daemon"), ("daemon", "gateway"))


class Sends(threading.Thread):
    """Asks the daemon to send a file every few milliseconds, until told to end or the daemon is gone."""

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
            pass  # killed; what had no answer is undecided


class Driven:
    """`near` is driven by the gateway, `far` is a plain node that the sends go to."""

    patience = 20.0

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
        """A life of the daemon counts its requests from 1: whose results they are is told by when."""
        self._asked, self._calls_before = {}, len(self.gateway.calls())
        self.near.spawn()
        harness.wait_until(self.near.status, lambda: "the control socket: " + self.near.log())
        self._take_charge(is_gateway_new)

    def _take_charge(self, is_gateway_new):
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

    def raise_again(self, victims):
        """A gateway that was killed says `init`, one that was not goes on."""
        is_gateway_new = "gateway" in victims
        if is_gateway_new:
            self.gateway.start()
        else:
            self.gateway.order("ok")  # it has taken what the dead daemon had written
        if "daemon" in victims:
            self._start_near(is_gateway_new)
        else:
            self._take_charge(is_gateway_new)

    # ---- the load

    def ask(self, control):
        file = self.sent.new(self._field.source.choice((TOKEN, 1000, 30000)))
        path = os.path.join(self.near.folder, "out-" + file.token.decode().strip())
        with open(path, "wb") as out:
            out.write(file.content)
        try:
            request = control.send_file("", path, "127.0.0.1:%d" % self.far.port, "")
        except xmlrpc.client.Fault:
            return  # it was not taken, for want of room or of a transport
        self._asked[request] = file
        self.files_asked += 1

    # ---- what it was told

    def note_results(self, asked, calls):
        """The results of these requests among these calls; those that finished count as acknowledged."""
        results = {}
        for call in calls:
            if call["call"] == "file_result":
                results.setdefault(call["args"][0], set()).add(call["args"][1])
        for request, file in asked.items():
            if "finished" in results.get(request, ()):
                file.acknowledge()
        return results, ["request %d was told %s" % (request, " and ".join(sorted(told)))
                         for request, told in results.items() if len(told) != 1]

    def results_of_life(self, is_over):
        """A life that ended by a kill owes nothing; in one that goes on each request has its result."""
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
            harness.wait_until(condition, what, self.patience)
        except AssertionError as e:
            return [str(e)]
        return []

    def _ends(self):
        """By path, as a file has another id with each instance: the ends that were told."""
        paths = {c["answer"]: c["args"][3] for c in self.gateway.taken("register_file_receiving")}
        ends = {}
        for call in self.gateway.taken("unregister_file_receiving"):
            path = paths.get(call["args"][0], "an id that was never given")
            ends.setdefault(path, set()).add(tuple(call["args"][1:3]))
        return ends

    def ends_told(self):
        received = set(self.near.received())
        self._seen |= received
        losses = self._wait_for(lambda: received <= set(self._ends()),
                                lambda: "never told of the end of %s" % (received - set(self._ends())))
        for path, told in self._ends().items():
            if len(told) != 1:
                losses.append("%s was told two ends: %r" % (path, told))
            if ("finished" in {status for status, _ in told}) != (path in self._seen):
                losses.append("%s was told %r, and is %s" % (
                    path, told, "there" if path in self._seen else "not there"))
        return losses

    def promises(self):
        losses = self._field.promises(self.near, self._field.book) + self.ends_told()
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
    driven.raise_again(victims)
    threading.Event().wait(0.1)
    for thread in (*senders, sends):
        thread.is_stopped.set()
        thread.join()
    return losses, "%s killed after %.3f s, for %.3f s" % (" and ".join(victims), delay, gap)


def kills(field, most):
    driven, asked, told = None, 0, 0
    for i in range(most):
        if i % 10 == 0:
            driven = Driven(field)
        losses, what = under_load(field, driven, VICTIMS[i % len(VICTIMS)])
        field.run_is_over("run %d, %s" % (i, what), losses + driven.promises())
        if i % 10 == 9 or i == most - 1:
            asked, told = asked + driven.files_asked, told + driven.sent.acknowledged
            field.run_is_over("the ends", driven.end())
            field.runs -= 1
    field.notes.append("%d sends asked for, %d told as finished" % (asked, told))
