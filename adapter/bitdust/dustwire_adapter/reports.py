"""Forwards the daemon's callbacks to the gateway, and reports on behalf of a daemon that has exited.

The gateway gets each outcome once: while its answer is pending, a repeated report of the same outcome
(from a daemon whose timeout expired) waits for the same answer.
"""
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from . import PROTO
from .sessions import address_of, host_bytes
from .transfers import FAILED, Sends, Transfer, Transfers, path_key

log = Logger()

JOURNAL_PAGE = 200
CLOCK_SLACK_S = 120     # tolerance between journal timestamps and the local clock
LOST = "disconnected"
LATE = "the gateway's answer came too late"
RETRY_DELAYS_S = (0.2, 0.4, 0.8)    # after faults, as in the daemon; then logged and dropped


def _always():
    return True


class Reports:
    """Exists as long as the interface, across restarts of the daemon."""

    def __init__(self):
        self.gateway = None
        self.options = None         # of the gateway's connect, until disconnect
        self.bound_port = None
        self.sends = Sends()
        self.transfers = Transfers()
        self._generation = 0        # of the daemon
        self._is_initialized_reported = False
        self._reactor = self._sessions = None

    def open(self, reactor, sessions):
        self._reactor, self._sessions = reactor, sessions
        self._is_initialized_reported = False

    def new_gateway(self, gateway):
        """The daemon registers files of an earlier gateway again with this one."""
        if self.gateway is not None and self.gateway is not gateway:
            self.transfers = Transfers()
        self.gateway = gateway
        self._is_initialized_reported = False

    # ---- to the gateway

    def _call_gateway(self, method, *args):
        return maybeDeferred(self.gateway.callRemote, method, *args)

    @inlineCallbacks
    def _call_with_retry(self, what, call, *args):
        """Retries a failing call a few times. The Deferred never fails."""
        gateway = self.gateway
        for delay_s in RETRY_DELAYS_S + (None,):
            try:
                yield call(*args)
                return
            except Exception as e:
                if delay_s is None:
                    log.error("gateway error in {what}: {error}", what=what, error=e)
                    return
            yield deferLater(self._reactor, delay_s, lambda: None)
            if self.gateway is not gateway:
                return

    def notify(self, method, *args):
        """Fires when the gateway has accepted it, or after the last retry."""
        return self._call_with_retry(method, self._call_gateway, method, *args)

    def notify_cancelled(self, send, error):
        """Reports a file that the gateway has not registered. Not called for single sends."""
        if send.is_known_to_gateway or send.is_single:
            return None
        send.is_known_to_gateway = True
        return self.notify("cancelled_file_sending", PROTO, send.host, send.filename, 0,
                         send.description, error)

    def fail_unsent(self, send, error):
        pending = self.notify_cancelled(send, error)
        self._complete(send, (FAILED, 0, error))
        return pending

    @staticmethod
    def _complete(send, outcome):
        send.outcome = outcome
        send.deferred.callback((send.filename, outcome[0], outcome[2] or ""))

    def _report(self, transfer, outcome):
        """Fires with the gateway's answer."""
        answer = Deferred()
        transfer.waiters.append(answer)
        if len(transfer.waiters) == 1:
            transfer.outcome = outcome
            direction = "sending" if transfer.is_outgoing else "receiving"
            call = self._call_gateway("unregister_file_" + direction, transfer.transfer_id, *outcome)
            call.addCallbacks(self._reported, self._not_reported,
                              callbackArgs=(transfer,), errbackArgs=(transfer,))
        return answer

    def _reported(self, answer, transfer):
        self._finish(transfer)
        waiters, transfer.waiters = transfer.waiters, []
        for waiter in waiters:
            waiter.callback(answer)

    def _not_reported(self, failure, transfer):
        transfer.faults += 1
        if transfer.faults > len(RETRY_DELAYS_S):      # no retry follows
            self._finish(transfer)
        waiters, transfer.waiters = transfer.waiters, []
        for waiter in waiters:
            waiter.errback(failure)

    def _finish(self, transfer):
        self.transfers.remove(transfer)
        self._sessions.ended(transfer.transfer_id)

    def _report_for_daemon(self, transfer, outcome):
        """On behalf of a daemon that does not report it."""
        return self._call_with_retry("the outcome of %r" % (transfer.filename,), self._report, transfer,
                            transfer.outcome or outcome)

    # ---- daemon exit and restart

    def daemon_lost(self):
        """The daemon has exited: reports what it no longer can. Received files wait for its restart,
        because its journal has those that it will report itself. Fires when all is reported."""
        self._generation += 1
        self.bound_port = None
        pending = [self._report_for_daemon(t, (FAILED, 0, LOST)) for t in self.transfers.all(True)]
        for send in self.sends.take_all():
            outcome = send.transfer.outcome if send.transfer is not None else None
            if outcome is None:
                pending.append(self.notify_cancelled(send, LOST))
            self._complete(send, outcome or (FAILED, 0, LOST))
        return DeferredList([d for d in pending if d is not None])

    @inlineCallbacks
    def report_lost_receives(self, control):
        """After a crash: reports received files that are not in the journal as failed."""
        lost = self.transfers.all(is_outgoing=False)
        if not lost:
            return
        since_us = int(min(t.started for t in lost) - CLOCK_SLACK_S) * 1000000
        held = yield self._journal(control, max(since_us, 0))
        for transfer in lost:
            if path_key(transfer.filename) not in held and self.transfers.has(transfer):
                self._report_for_daemon(transfer, (FAILED, 0, LOST))

    @staticmethod
    @inlineCallbacks
    def _journal(control, since_us):
        """The paths of received files that the daemon has not reported yet."""
        held, offset = set(), 0
        while True:
            rows = yield control.call("received", since_us, offset, JOURNAL_PAGE)
            held.update(path_key(row["path"]) for row in rows if not row["is_reported"])
            offset += len(rows)
            if len(rows) < JOURNAL_PAGE:
                return held

    # ---- callbacks of the daemon

    def on_transport_initialized(self, proto, *rest):
        """Forwarded once per gateway, not after each restart of the daemon."""
        if self._is_initialized_reported:
            return True
        self._is_initialized_reported = True
        return self._call_gateway("transport_initialized", proto).addErrback(self._not_initialized)

    def _not_initialized(self, failure):
        self._is_initialized_reported = False
        return failure

    def on_receiving_started(self, proto, host, options=None):
        self.bound_port = address_of(host)[1] or None
        return self._call_gateway("receiving_started", proto, host,
                         self.options if self.options is not None else options)

    def on_receiving_failed(self, proto, error=None):
        return self._call_gateway("receiving_failed", proto, error)

    def on_disconnected(self, proto, result=None):
        return self._call_gateway("disconnected", proto, result)

    def on_register_file_sending(self, proto, host, idurl, filename, size, description=None,
                                 is_awaited=_always):
        send = self.sends.claim(filename, host)
        if send is not None:
            filename, description = send.filename, send.description
            idurl = send.idurl or idurl
        call = self._call_gateway("register_file_sending", proto, host, idurl, filename, size,
                                  description)
        if send is not None:
            call.addErrback(self._not_registered, send)
        return call.addCallback(self._registered, self.gateway, self._generation, is_awaited,
                                (True, host, idurl, filename, size, send))

    def _not_registered(self, failure, send):
        self.sends.unclaim(send)
        if send.outcome is not None and send.outcome[0] == FAILED:  # its daemon has exited meanwhile
            self.notify_cancelled(send, send.outcome[2])
        return failure

    def on_register_file_receiving(self, proto, host, idurl, filename, size, is_awaited=_always):
        """A file that the gateway has already registered keeps its id: the daemon was restarted."""
        known = self.transfers.known_id(filename)
        if known is not None:
            return known
        call = self._call_gateway("register_file_receiving", proto, host, idurl, filename, size)
        return call.addCallback(self._registered, self.gateway, self._generation, is_awaited,
                                (False, host, idurl, filename, size))

    def _registered(self, transfer_id, gateway, generation, is_awaited, about):
        """The answer may arrive after the daemon's timeout: then an incoming file was rejected, and an
        outgoing one continues without an id and is reported by file_result."""
        if transfer_id is None or gateway is not self.gateway:
            return transfer_id
        transfer = Transfer(transfer_id, *about)
        self.transfers.add(transfer)
        if generation != self._generation:
            self._report_for_daemon(transfer, (FAILED, 0, LOST))
        elif transfer.send is not None and transfer.send.outcome is not None:
            self._report_for_daemon(transfer, transfer.send.outcome)  # not reported by the daemon
        elif transfer.send is None and not is_awaited():
            self._report_for_daemon(transfer, (FAILED, 0, LATE))
        elif not self._sessions.is_known(address_of(transfer.host)):
            self._sessions.schedule_refresh()
        return transfer_id

    def on_unregister_file_sending(self, transfer_id, status, count, error=None):
        return self._on_unregister("unregister_file_sending", transfer_id, (status, count, error))

    def on_unregister_file_receiving(self, transfer_id, status, count, error=None):
        return self._on_unregister("unregister_file_receiving", transfer_id, (status, count, error))

    def _on_unregister(self, method, transfer_id, outcome):
        transfer = self.transfers.get(transfer_id)
        if transfer is not None:
            return self._report(transfer, outcome)
        if self.transfers.is_reported(transfer_id):
            return True
        return self._call_gateway(method, transfer_id, *outcome)

    def on_cancelled_file_sending(self, proto, host, filename, size, description=None,
                                  error=None):
        send = self.sends.claim(filename, host)
        host = host_bytes(host)
        if send is not None:
            host, filename, description = send.host, send.filename, send.description
        call = self._call_gateway("cancelled_file_sending", proto, host, filename, size, description,
                                  error)
        if send is not None:
            call.addErrback(self._not_registered, send)
        return call

    def on_file_result(self, request_id, status, count, error=None):
        send = self.sends.by_request(request_id)
        if send is not None:
            self.complete_send(send, (status, count, error))
        else:
            self.sends.keep_early(request_id, (status, count, error))
        return True

    def complete_send(self, send, outcome):
        self.sends.remove(send)
        self._complete(send, outcome)
        if send.transfer is not None and self.transfers.has(send.transfer):
            self._report_for_daemon(send.transfer, outcome)   # registered too late for the daemon
