"""What the daemon says, handed to the gateway; and what is said in the daemon's place when it is gone.

The gateway hears of each end once: while it thinks about one, whoever reports the same end again
(the daemon, whose patience is over) waits for the same answer.
"""
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from . import PROTO
from .sessions import address_of, host_bytes
from .transfers import FAILED, Sends, Transfer, Transfers, path_key

log = Logger()

JOURNAL_PAGE = 200
SLACK_S = 120           # between the clock of a journal's record and ours
LOST = "disconnected"
LATE = "the gateway's answer came too late"
RESTS_S = (0.2, 0.4, 0.8)   # after faults, as the daemon does: then it is logged and left


def _always():
    return True


class Reports:
    """Lives as long as the interface; the daemons come and go."""

    def __init__(self):
        self.gateway = None
        self.options = None         # of the gateway's connect, while it is wanted
        self.bound_port = None
        self.sends = Sends()
        self.transfers = Transfers()
        self._generation = 0        # of the daemon
        self._is_initialized_told = False
        self._reactor = self._sessions = None

    def open(self, reactor, sessions):
        self._reactor, self._sessions = reactor, sessions
        self._is_initialized_told = False

    def new_gateway(self, gateway):
        """What an earlier one was told of is registered anew with this one, by the daemon."""
        if self.gateway is not None and self.gateway is not gateway:
            self.transfers = Transfers()
        self.gateway = gateway
        self._is_initialized_told = False

    # ---- to the gateway

    def _ask(self, method, *args):
        return maybeDeferred(self.gateway.callRemote, method, *args)

    @inlineCallbacks
    def _insist(self, what, call, *args):
        """Repeats what fails, a few times; never fails itself."""
        gateway = self.gateway
        for rest_s in RESTS_S + (None,):
            try:
                yield call(*args)
                return
            except Exception as e:
                if rest_s is None:
                    log.error("the gateway failed in {what}: {error}", what=what, error=e)
                    return
            yield deferLater(self._reactor, rest_s, lambda: None)
            if self.gateway is not gateway:
                return

    def tell(self, method, *args):
        """Fires when the gateway has taken it, or will not."""
        return self._insist(method, self._ask, method, *args)

    def tell_cancelled(self, send, error):
        """The gateway hears of a file that it has never registered. A single one it does not know."""
        if send.is_with_gateway or send.is_single:
            return None
        send.is_with_gateway = True
        return self.tell("cancelled_file_sending", PROTO, send.host, send.filename, 0,
                         send.description, error)

    def end_unsent(self, send, error):
        told = self.tell_cancelled(send, error)
        self._end(send, (FAILED, 0, error))
        return told

    @staticmethod
    def _end(send, outcome):
        send.outcome = outcome
        send.deferred.callback((send.filename, outcome[0], outcome[2] or ""))

    def _report(self, transfer, outcome):
        """Fires with the gateway's answer."""
        answer = Deferred()
        transfer.waiters.append(answer)
        if len(transfer.waiters) == 1:
            transfer.outcome = outcome
            way = "sending" if transfer.is_outgoing else "receiving"
            self._ask("unregister_file_" + way, transfer.transfer_id, *outcome).addCallbacks(
                self._reported, self._not_reported,
                callbackArgs=(transfer,), errbackArgs=(transfer,))
        return answer

    def _reported(self, answer, transfer):
        self._over(transfer)
        waiters, transfer.waiters = transfer.waiters, []
        for waiter in waiters:
            waiter.callback(answer)

    def _not_reported(self, failure, transfer):
        transfer.faults += 1
        if transfer.faults > len(RESTS_S):      # nobody says it again
            self._over(transfer)
        waiters, transfer.waiters = transfer.waiters, []
        for waiter in waiters:
            waiter.errback(failure)

    def _over(self, transfer):
        self.transfers.remove(transfer)
        self._sessions.ended(transfer.transfer_id)

    def _report_in_place(self, transfer, outcome):
        """In the place of a daemon that does not."""
        return self._insist("the end of %r" % (transfer.filename,), self._report, transfer,
                            transfer.outcome or outcome)

    # ---- the daemon's life

    def lose(self):
        """The daemon is gone: what it can no longer report is reported here. What it had received
        waits until it is back: its journal says what it will report itself. Fires when all is told."""
        self._generation += 1
        self.bound_port = None
        told = [self._report_in_place(t, (FAILED, 0, LOST)) for t in self.transfers.all(True)]
        for send in self.sends.take_all():
            outcome = send.transfer.outcome if send.transfer is not None else None
            if outcome is None:
                told.append(self.tell_cancelled(send, LOST))
            self._end(send, outcome or (FAILED, 0, LOST))
        return DeferredList([d for d in told if d is not None])

    @inlineCallbacks
    def settle_received(self, control):
        """After a kill: received files that the journal does not hold are reported failed."""
        lost = self.transfers.all(is_outgoing=False)
        if not lost:
            return
        since_us = int(min(t.started for t in lost) - SLACK_S) * 1000000
        held = yield self._journal(control, max(since_us, 0))
        for transfer in lost:
            if path_key(transfer.filename) not in held and self.transfers.has(transfer):
                self._report_in_place(transfer, (FAILED, 0, LOST))

    @staticmethod
    @inlineCallbacks
    def _journal(control, since_us):
        """The paths of received files that the daemon has still to report."""
        held, offset = set(), 0
        while True:
            rows = yield control.call("received", since_us, offset, JOURNAL_PAGE)
            held.update(path_key(row["path"]) for row in rows if not row["is_reported"])
            offset += len(rows)
            if len(rows) < JOURNAL_PAGE:
                return held

    # ---- what the daemon says

    def heard_transport_initialized(self, proto, *rest):
        """Once a gateway: that the daemon was started again is none of its business."""
        if self._is_initialized_told:
            return True
        self._is_initialized_told = True
        return self._ask("transport_initialized", proto).addErrback(self._not_initialized)

    def _not_initialized(self, failure):
        self._is_initialized_told = False
        return failure

    def heard_receiving_started(self, proto, host, options=None):
        self.bound_port = address_of(host)[1] or None
        return self._ask("receiving_started", proto, host,
                         self.options if self.options is not None else options)

    def heard_receiving_failed(self, proto, error=None):
        return self._ask("receiving_failed", proto, error)

    def heard_disconnected(self, proto, result=None):
        return self._ask("disconnected", proto, result)

    def heard_register_file_sending(self, proto, host, idurl, filename, size, description=None,
                                    is_heard=_always):
        send = self.sends.claim(filename, host)
        if send is not None:
            filename, description = send.filename, send.description
            idurl = send.idurl or idurl
        asked = self._ask("register_file_sending", proto, host, idurl, filename, size, description)
        if send is not None:
            asked.addErrback(self._not_registered, send)
        return asked.addCallback(self._registered, self.gateway, self._generation, is_heard,
                                 (True, host, idurl, filename, size, send))

    def _not_registered(self, failure, send):
        self.sends.unclaim(send)
        if send.outcome is not None and send.outcome[0] == FAILED:  # its daemon is gone meanwhile
            self.tell_cancelled(send, send.outcome[2])
        return failure

    def heard_register_file_receiving(self, proto, host, idurl, filename, size, is_heard=_always):
        """One that the gateway has under an id already keeps it: the daemon was started again."""
        known = self.transfers.known_id(filename)
        if known is not None:
            return known
        asked = self._ask("register_file_receiving", proto, host, idurl, filename, size)
        return asked.addCallback(self._registered, self.gateway, self._generation, is_heard,
                                 (False, host, idurl, filename, size))

    def _registered(self, transfer_id, gateway, generation, is_heard, about):
        """An answer may come when the daemon's patience is over: a file that comes in is refused
        then, one that goes out goes on without an id, and its outcome comes by file_result."""
        if transfer_id is None or gateway is not self.gateway:
            return transfer_id
        transfer = Transfer(transfer_id, *about)
        self.transfers.add(transfer)
        if generation != self._generation:
            self._report_in_place(transfer, (FAILED, 0, LOST))
        elif transfer.send is not None and transfer.send.outcome is not None:
            self._report_in_place(transfer, transfer.send.outcome)  # nobody says it after that
        elif transfer.send is None and not is_heard():
            self._report_in_place(transfer, (FAILED, 0, LATE))
        elif not self._sessions.is_known(address_of(transfer.host)):
            self._sessions.want()
        return transfer_id

    def heard_unregister_file_sending(self, transfer_id, status, count, error=None):
        return self._heard_end("unregister_file_sending", transfer_id, (status, count, error))

    def heard_unregister_file_receiving(self, transfer_id, status, count, error=None):
        return self._heard_end("unregister_file_receiving", transfer_id, (status, count, error))

    def _heard_end(self, method, transfer_id, outcome):
        transfer = self.transfers.get(transfer_id)
        if transfer is not None:
            return self._report(transfer, outcome)
        if self.transfers.is_reported(transfer_id):
            return True
        return self._ask(method, transfer_id, *outcome)

    def heard_cancelled_file_sending(self, proto, host, filename, size, description=None,
                                     error=None):
        send = self.sends.claim(filename, host)
        host = host_bytes(host)
        if send is not None:
            host, filename, description = send.host, send.filename, send.description
        asked = self._ask("cancelled_file_sending", proto, host, filename, size, description, error)
        if send is not None:
            asked.addErrback(self._not_registered, send)
        return asked

    def heard_file_result(self, request_id, status, count, error=None):
        send = self.sends.by_request(request_id)
        if send is not None:
            self.end_send(send, (status, count, error))
        else:
            self.sends.keep_early(request_id, (status, count, error))
        return True

    def end_send(self, send, outcome):
        self.sends.remove(send)
        self._end(send, outcome)
        if send.transfer is not None and self.transfers.has(send.transfer):
            self._report_in_place(send.transfer, outcome)   # registered too late for the daemon
