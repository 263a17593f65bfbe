"""Pending sends, and files that are registered with the gateway and not reported yet.

They are tracked here because the daemon may crash: the adapter then reports their outcomes.
"""
import os
import time
from collections import OrderedDict, defaultdict, deque

from twisted.internet.defer import Deferred

from .control import as_bytes
from .sessions import FileStream, address_of

FINISHED, FAILED = "finished", "failed"


def path_key(filename):
    """The key of a path given as text or bytes."""
    return filename if isinstance(filename, bytes) else as_bytes(filename)


class Send:
    """One send_file, from the call to the outcome, with the arguments as given."""

    def __init__(self, idurl, filename, host, description, is_single):
        self.idurl = idurl              # text, or None
        self.filename = filename
        self.path = os.path.abspath(filename)
        self.host = host                # bytes
        self.description = description
        self.is_single = is_single
        self.deferred = Deferred()
        self.request_id = None
        self.is_known_to_gateway = False    # registered, or its failure reported
        self.transfer = None
        self.outcome = None             # (status, bytes, error), when known


class Transfer:
    """A file that the gateway has registered. `outcome` is its reported outcome (status, bytes,
    error), which the gateway may not have accepted yet."""

    def __init__(self, transfer_id, is_outgoing, host, idurl, filename, size, send=None):
        self.transfer_id = transfer_id
        self.is_outgoing = is_outgoing
        self.host = host
        self.idurl = idurl
        self.filename = filename
        self.size = size
        self.send = send
        self.started = time.time()
        self.outcome = None
        self.waiters = []       # Deferreds waiting for the answer to the report
        self.faults = 0         # answered to the report

    def stream(self):
        """For listings, until the daemon's list includes it."""
        stream = FileStream(self.is_outgoing)
        stream.transfer_id = self.transfer_id
        stream.peer_address = address_of(self.host)
        stream.peer_idurl = self.idurl
        stream.filename = self.filename
        stream.size = self.size
        stream.started = self.started
        return stream


class Sends:
    """The pending sends. The daemon may register a send, and even report its outcome, before its
    answer to send_file arrives, because they use different connections."""

    def __init__(self):
        self._all = set()
        self._unanswered = 0                # sends without a request id yet
        self._by_request = {}
        self._by_path = defaultdict(deque)  # not known to the gateway, in order
        self._early = {}                    # outcomes by request ids not known yet

    def __len__(self):
        return len(self._all)

    def add(self, send):
        self._all.add(send)
        self._unanswered += 1
        if not send.is_single:
            self._by_path[path_key(send.path)].append(send)

    def accepted(self, send, request_id):
        """The daemon has accepted it. Returns its outcome if that arrived first."""
        outcome = self._early.pop(request_id, None)
        self._answered()
        if send not in self._all:
            return None
        send.request_id = request_id
        self._by_request[request_id] = send
        return outcome

    def rejected(self, send):
        """The daemon has rejected it. True if its outcome has not been reported."""
        self._answered()
        return send in self._all

    def _answered(self):
        self._unanswered -= 1
        if self._unanswered == 0:   # remaining outcomes belong to abandoned sends
            self._early.clear()

    def by_request(self, request_id):
        return self._by_request.get(request_id)

    def keep_early(self, request_id, outcome):
        """False if no send can be waiting for it."""
        if self._unanswered == 0:
            return False
        self._early[request_id] = outcome
        return True

    def claim(self, filename, host):
        """Returns the oldest send of this file that is not known to the gateway, preferably to this
        host, and marks it as known; None if there is none."""
        waiting = self._by_path.get(path_key(filename))
        if not waiting:
            return None
        address = address_of(host)
        send = next((s for s in waiting if address_of(s.host) == address), waiting[0])
        self._forget_path(send)
        send.is_known_to_gateway = True
        return send

    def unclaim(self, send):
        """The call to the gateway failed: the daemon will retry it."""
        send.is_known_to_gateway = False
        if send in self._all:
            self._by_path[path_key(send.path)].appendleft(send)

    def _forget_path(self, send):
        waiting = self._by_path.get(path_key(send.path))
        if waiting and send in waiting:
            waiting.remove(send)
            if not waiting:
                del self._by_path[path_key(send.path)]

    def remove(self, send):
        self._all.discard(send)
        self._by_request.pop(send.request_id, None)
        self._forget_path(send)

    def take_all(self):
        """Removes and returns all sends."""
        sends = list(self._all)
        self._all.clear()
        self._by_request.clear()
        self._by_path.clear()
        self._early.clear()
        return sends


class Transfers:
    """Files that the gateway has registered and whose outcome is not reported, by its ids; and recently
    reported received files, because a daemon that crashed before it had the answer reports them again,
    when the gateway may already have removed the file."""

    REPORTED_MAX = 4096

    def __init__(self):
        self._by_id = {}
        self._incoming = {}             # by path
        self._reported = OrderedDict()  # path: id
        self._reported_ids = set()

    def add(self, transfer):
        self._by_id[transfer.transfer_id] = transfer
        self._reported_ids.discard(transfer.transfer_id)
        if not transfer.is_outgoing:
            self._incoming[path_key(transfer.filename)] = transfer
        elif transfer.send is not None:
            transfer.send.transfer = transfer

    def get(self, transfer_id):
        return self._by_id.get(transfer_id)

    def known_id(self, filename):
        """The id under which the gateway registered this received file; None if it did not."""
        transfer = self._incoming.get(path_key(filename))
        return self._reported.get(path_key(filename)) if transfer is None else transfer.transfer_id

    def has(self, transfer):
        return self._by_id.get(transfer.transfer_id) is transfer

    def is_reported(self, transfer_id):
        return transfer_id in self._reported_ids

    def remove(self, transfer):
        """The gateway has accepted its outcome."""
        if self._by_id.pop(transfer.transfer_id, None) is None or transfer.is_outgoing:
            return
        key = path_key(transfer.filename)
        self._incoming.pop(key, None)
        self._reported[key] = transfer.transfer_id
        self._reported_ids.add(transfer.transfer_id)
        if len(self._reported) > self.REPORTED_MAX:
            self._reported_ids.discard(self._reported.popitem(last=False)[1])

    def all(self, is_outgoing):
        return [t for t in self._by_id.values() if t.is_outgoing == is_outgoing]
