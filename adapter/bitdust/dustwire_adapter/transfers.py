"""What is under way: the sends that somebody waits for, and the files that are registered with the
gateway and not reported yet.

It is kept here because the daemon may be killed: what it can no longer report, the adapter reports.
"""
import os
import time
from collections import OrderedDict, defaultdict, deque

from twisted.internet.defer import Deferred

from .control import as_bytes
from .sessions import FileStream, address_of

FINISHED, FAILED = "finished", "failed"


def path_key(filename):
    """One key for a path, whether it came as text or as bytes."""
    return filename if isinstance(filename, bytes) else as_bytes(filename)


class Send:
    """One send_file, from the call to the outcome. Everything as the caller gave it."""

    def __init__(self, idurl, filename, host, description, is_single):
        self.idurl = idurl              # text, or None
        self.filename = filename
        self.path = os.path.abspath(filename)
        self.host = host                # bytes
        self.description = description
        self.is_single = is_single
        self.deferred = Deferred()
        self.request_id = None
        self.is_with_gateway = False    # registered once, or its failure told
        self.transfer = None
        self.outcome = None             # (status, bytes, error), once it is known


class Transfer:
    """A file that the gateway has registered. `outcome` is what was said of its end, which the
    gateway may not have taken yet: (status, bytes, error)."""

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
        self.waiters = []       # Deferreds of those who have told the gateway of the end
        self.faults = 0         # in its answers to that

    def stream(self):
        """For listings, until the daemon's own list has it."""
        stream = FileStream(self.is_outgoing)
        stream.transfer_id = self.transfer_id
        stream.peer_address = address_of(self.host)
        stream.peer_idurl = self.idurl
        stream.filename = self.filename
        stream.size = self.size
        stream.started = self.started
        return stream


class Sends:
    """The sends under way. The daemon's first word about one may be that it is registered, and even
    that it is over, before its answer to send_file has arrived: they come on different ways."""

    def __init__(self):
        self._all = set()
        self._asked = 0                     # sends that have no request id yet
        self._by_request = {}
        self._by_path = defaultdict(deque)  # those that the gateway has not heard of, in order
        self._early = {}                    # outcomes of requests whose ids are not known yet

    def __len__(self):
        return len(self._all)

    def add(self, send):
        self._all.add(send)
        self._asked += 1
        if not send.is_single:
            self._by_path[path_key(send.path)].append(send)

    def queued(self, send, request_id):
        """The daemon has taken it. Answers its outcome, if that was here first."""
        outcome = self._early.pop(request_id, None)
        self._answered()
        if send not in self._all:
            return None
        send.request_id = request_id
        self._by_request[request_id] = send
        return outcome

    def refused(self, send):
        """The daemon has not taken it. True if its end is still to be told."""
        self._answered()
        return send in self._all

    def _answered(self):
        self._asked -= 1
        if self._asked == 0:        # an outcome that is still here is of a send given up
            self._early.clear()

    def by_request(self, request_id):
        return self._by_request.get(request_id)

    def keep_early(self, request_id, outcome):
        """False if nobody can be waiting for it."""
        if self._asked == 0:
            return False
        self._early[request_id] = outcome
        return True

    def claim(self, filename, host):
        """The oldest send of this file, to this host if there is one, that the gateway has not
        heard of; None if there is none. It counts as heard of from now on."""
        waiting = self._by_path.get(path_key(filename))
        if not waiting:
            return None
        address = address_of(host)
        send = next((s for s in waiting if address_of(s.host) == address), waiting[0])
        self._forget_path(send)
        send.is_with_gateway = True
        return send

    def unclaim(self, send):
        """The gateway could not be told: the daemon says it again."""
        send.is_with_gateway = False
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
        """Empties it, and answers what was there."""
        sends = list(self._all)
        self._all.clear()
        self._by_request.clear()
        self._by_path.clear()
        self._early.clear()
        return sends


class Transfers:
    """What the gateway has registered and not been told the end of, by its ids. Beyond that, which
    received files it was told of lately: a daemon that was killed before it had our answer says it
    again, and by then the gateway has taken the file away."""

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
        """The id under which the gateway has, or had, this received file."""
        transfer = self._incoming.get(path_key(filename))
        return self._reported.get(path_key(filename)) if transfer is None else transfer.transfer_id

    def has(self, transfer):
        return self._by_id.get(transfer.transfer_id) is transfer

    def is_reported(self, transfer_id):
        return transfer_id in self._reported_ids

    def remove(self, transfer):
        """The gateway has taken its end."""
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
