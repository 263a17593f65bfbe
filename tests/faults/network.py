"""The network between two daemons: a proxy that delays, resets, throttles and partitions, and the link
itself (the loopback of our own network namespace) throttled, and taken down."""
import os
import select
import shutil
import socket
import subprocess
import threading
import time

import node as harness
import raw
from field import TOKEN
from failing_calls import processor_s


class Proxy:
    """Forwards connections to `port` to `target`. Its behaviour can change while bytes flow."""

    def __init__(self, target, delay_s=0.0, piece=65536, bytes_per_s=None):
        self._target, self.delay_s, self.piece, self.bytes_per_s = target, delay_s, piece, bytes_per_s
        self._open, self._sockets, self._lock = threading.Event(), [], threading.Lock()
        self._open.set()
        self._listener = raw.Listener()
        self.port, self.contact = self._listener.port, self._listener.contact
        self._is_ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        self._listener.socket.settimeout(0.1)
        while not self._is_ended:
            try:
                near, _ = self._listener.socket.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                continue
            for one in (near, far):
                one.setblocking(True)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:  # from here on they can be cut at any moment
                self._sockets += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, come, go):
        try:
            while True:
                content = come.recv(min(self.piece, 65536))
                self._open.wait()
                if self.delay_s:
                    time.sleep(self.delay_s)
                if self.bytes_per_s:
                    time.sleep(len(content) / self.bytes_per_s)
                if not content:
                    return go.shutdown(socket.SHUT_WR)
                go.sendall(content)
        except OSError:
            pass

    def divide(self):
        self._open.clear()

    def heal(self):
        self._open.set()

    def cut(self, is_reset):
        """Ends all connections: RST to both sides, or a half-close of each."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            try:
                if is_reset:
                    raw.Raw(one).reset()
                    continue
                one.shutdown(socket.SHUT_WR)
                with self._lock:
                    self._sockets.append(one)
            except OSError:
                pass

    def end(self):
        self._is_ended = True
        self.heal()
        self.cut(True)
        self._listener.close()


SETTINGS = {"sessions/ok-timeout-s": 3, "sessions/stall-window-s": 2, "sessions/stall-bytes-per-s": 1,
            "sessions/tcp-user-timeout-s": 2, "sessions/handshake-timeout-s": 4,
            "sessions/connect-timeout-s": 4}


def sending(field, alice, contact, count, sizes=(TOKEN, 3000, 200000)):
    """Starts `dustwire send` of new files; the result marks finished files as acknowledged."""
    files, paths = [], []
    for _ in range(count):
        files.append(field.book.new(field.source.choice(sizes)))
        paths.append(os.path.join(alice.folder, files[-1].token.decode().strip()))
        with open(paths[-1], "wb") as out:
            out.write(files[-1].content)
    job = alice.send_job(paths, contact)

    def result():
        rows = job.result(120).json()
        finished = {row["file"] for row in rows if row["status"] == "finished"}
        for file, path in zip(files, paths):
            os.unlink(path)
            if path in finished:
                file.acknowledge()
        losses = [] if len(rows) == len(paths) == len({row["file"] for row in rows}) else [
            "%d files were sent, %d results reported" % (len(paths), len(rows))]
        return losses, len(finished)
    return result


class Pair:
    """alice, a proxy, bob."""

    def __init__(self, field, settings=None, **proxy):
        self.field, settings = field, dict(SETTINGS, **(settings or {}))
        self.alice, self.bob = field.node("alice", settings), field.node("bob", settings)
        self.proxy = Proxy(self.bob.port, **proxy)

    def run(self, what, count, disturb, is_all_to_arrive, sizes=(TOKEN, 3000, 200000)):
        result = sending(self.field, self.alice, self.proxy.contact, count, sizes)
        disturb(self.proxy)
        losses, finished = result()
        if is_all_to_arrive and finished < count:
            losses.append("%d of %d arrived" % (finished, count))
        self.field.end_run(what, losses + self.field.promises(self.bob))

    def end(self):
        self.proxy.end()


def nothing(_):
    pass


def slow_links(field, limit):
    links = (("300 ms of delay", {"delay_s": 0.3}, 10, (TOKEN, 3000)),
             ("segments of one byte", {"piece": 1}, 5, (TOKEN, 3000)),
             ("a modem, 3,000 bytes a second", {"bytes_per_s": 3000, "piece": 300}, 5, (TOKEN, 2000)))
    for i in range(limit):
        what, link, count, sizes = links[i % len(links)]
        # Bytes queued in the proxy count as sent: the ok is delayed by the slow link.
        pair = Pair(field, {"sessions/ok-timeout-s": 60, "sessions/stall-window-s": 60}, **link)
        pair.run(what, count, nothing, True, sizes)
        pair.end()


def cuts(field, limit):
    pair = Pair(field)
    for i in range(limit):
        def disturb(proxy):
            time.sleep(field.source.uniform(0, 0.1))
            proxy.cut(is_reset=i % 2 == 0)
        pair.run("run %d, %s" % (i, ("reset", "half-close")[i % 2]), 60, disturb, False)
    pair.end()


def partitions(field, limit):
    for i in range(limit):
        is_healed = i % 2 == 0
        pair = Pair(field)

        def disturb(proxy):
            time.sleep(field.source.uniform(0, 0.05))
            proxy.divide()
            if is_healed:
                time.sleep(1)
                proxy.heal()
        pair.run("a partition of 1 s" if is_healed else "a permanent partition", 40, disturb, is_healed)
        pair.end()


def flaky(field, limit):
    """Closes all sockets every 250 ms; failed files are sent again as new files until enough arrived."""
    seconds, wanted = (60, 1000) if limit > 1 else (5, 80)
    pair, arrived, losses = Pair(field), 0, []
    stop = threading.Event()

    def shut():
        while not stop.wait(field.source.uniform(0.0, 0.5)):
            pair.proxy.cut(is_reset=field.source.random() < 0.5)
    began = time.monotonic()
    shutter = threading.Thread(target=shut, daemon=True)
    shutter.start()
    while (arrived < wanted or time.monotonic() - began < seconds) and time.monotonic() - began < 3 * seconds:
        more, finished = sending(field, pair.alice, pair.proxy.contact, 40)()
        arrived, losses = arrived + finished, losses + more
        if len(pair.bob.received()) > 2000:
            losses += field.promises(pair.bob)
    stop.set()
    shutter.join()
    field.notes.append("%d files arrived in %.0f s" % (arrived, time.monotonic() - began))
    if arrived < wanted:
        losses.append("only %d of %d arrived" % (arrived, wanted))
    field.end_run("sockets shut every 250 ms", losses + field.promises(pair.bob))
    pair.end()


# ---- the link itself

def shell(*command):
    """True if the command succeeded; False if it is not installed."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def has_own_network():
    """True in a namespace with only a loopback; other networks must not be changed."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


def link(field, limit):
    """The loopback drops one packet in twenty; is limited to 1 Mbit/s with a queue so short that packets
    are dropped; is down for 1 s; is down for longer than tcp-user-timeout-s."""
    if not has_own_network():
        field.notes.append("not in a network namespace of our own (scripts/faults.sh makes one)")
        return
    for i in range(limit):
        alice, bob = field.node("alice", SETTINGS), field.node("bob", SETTINGS)
        what, disturb, do_all_arrive = LINKS[i % len(LINKS)]
        result = sending(field, alice, bob.contact, 20, (TOKEN, 3000, 30000))
        try:
            is_done = disturb(bob)
        finally:
            shell("ip", "link", "set", "lo", "up")
            losses, finished = result()
            shell("tc", "qdisc", "del", "dev", "lo", "root")
            shell("nft", "flush", "ruleset")
        if is_done and do_all_arrive and finished < 20:
            losses.append("%d of 20 arrived" % finished)
        losses += field.promises(bob)  # even without the fault: the files sent are in the book
        if is_done or losses:
            field.end_run(what, losses)
        if not is_done:
            missing = ["%s is not installed" % name for name in ("ip", "tc", "nft") if not shutil.which(name)]
            field.notes.append("left out: %s (%s)" % (what, "; ".join(missing) or "not permitted here"))


def lose_packets(_):
    return (shell("nft", "add", "table", "inet", "faults") and
            shell("nft", "add", "chain", "inet", "faults", "in", "{ type filter hook input priority 0 ; }") and
            shell("nft", "add", "rule", "inet", "faults", "in", "numgen", "random", "mod", "20", "0", "drop"))


def limit_rate(_):
    shell("ip", "link", "set", "lo", "mtu", "1500")
    return shell("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1mbit", "burst", "3kb",
                 "limit", "6kb")


def down_for_1_s(_):
    if not shell("ip", "link", "set", "lo", "down"):
        return False
    time.sleep(1)
    return True


def down_for_4_s(bob):
    if not shell("ip", "link", "set", "lo", "down"):
        return False
    time.sleep(4)
    shell("ip", "link", "set", "lo", "up")
    harness.wait_until(lambda: not bob.sessions(), "the session is closed", limit=20)
    return True


LINKS = (("a packet in twenty lost", lose_packets, True), ("tbf 1 Mbit/s with losses", limit_rate, True),
         ("the link down for 1 s", down_for_1_s, True), ("the link down for 4 s", down_for_4_s, False))


# ---- an operator's actions under load

def reloads(field, limit):
    """Reloads, and some reconnects, under load."""
    bob = field.node()
    ends_at, reconnects = limit, 0
    senders = field.senders(bob, 2)
    for i in range(ends_at):
        bob.change({"sessions/keep-alive-s": i % 50, "sessions/linger-ms": 500 + i % 7})
        result = bob.command("reload")
        if result.code != 0:
            field.end_run("reload %d" % i, [str(result)])
        if i % 10 == 9:
            bob.command("reconnect")
            reconnects += 1
            for sender in senders:
                sender.join()
            harness.wait_until(bob.is_serving, "it serves again")
            if i % 50 == 49:
                field.check(bob, "%d reloads, %d reconnects" % (i + 1, reconnects))
            senders = field.senders(bob, 2)
    for sender in senders:
        sender.is_stopped.set()
        sender.join()
    field.check(bob, "%d reloads, %d reconnects" % (ends_at, reconnects))
    field.notes.append("%d reloads, %d reconnects" % (ends_at, reconnects))


JUMPS = (3600, -3600, 86400 * 3650, -86400 * 365, 0)


def clock(field, limit):
    """The wall clock jumps under load; sessions, deadlines and files must be unaffected."""
    bob = field.node(has_layer=True, settings={"sessions/keep-alive-s": 1})
    for i in range(limit):
        senders = field.senders(bob, 2, files=40)
        jump = JUMPS[i % len(JUMPS)]
        bob.layer.shift_clock(jump)
        for sender in senders:
            sender.join()
        lost = sum(sender.files_left for sender in senders)
        field.end_run("the clock %+d s" % jump, field.promises(bob) + (
            ["%d files did not arrive" % lost] if lost else []))


def blocked_disk(field, limit):
    """One write that takes 10 s (quick: 3) blocks the sessions of its worker, not the others: these get
    their oks before it does."""
    for i in range(limit):
        bob = field.node(has_layer=True, settings={"workers/threads": 4})
        block_s = 10 if limit > 1 else 3
        peers = [raw.Raw.greet(bob.port, idurl="http://127.0.0.1/%d.xml" % k) for k in range(8)]
        files = [field.book.new(1000) for _ in peers]
        bob.layer.arm("write", mode=2, block_ms=block_s * 1000, under=bob.inbox)
        peers[0].send(*raw.file_frames(1, files[0].content))
        harness.wait_until(lambda: bob.layer.hits, "a blocked write")
        for peer, file in zip(peers[1:], files[1:]):
            peer.send(*raw.file_frames(1, file.content))
        has_status = bob.command("status").code == 0
        free = answered_before(peers[0], peers[1:], block_s + 5)
        losses = [] if free >= 6 else ["%d of 7 sessions were served while one was blocked for %d s" % (free, block_s)]
        if not has_status or processor_s(bob) > block_s:
            losses.append("no status meanwhile")
        for peer, file in zip(peers, files):
            peer.expect_ok(1, limit=block_s + 5)
            file.acknowledge()
            peer.close()
        bob.layer.disarm()
        field.end_run("one of 4 workers is blocked for %d s in a write" % block_s, losses + field.promises(bob))


def answered_before(last, peers, limit_s):
    """The number of peers with data to read when `last` has some, or before."""
    answered, end = set(), time.monotonic() + limit_s
    while last.socket not in answered and len(answered) < len(peers) and time.monotonic() < end:
        answered.update(select.select([last.socket] + [p.socket for p in peers], [], [], 0.1)[0])
        time.sleep(0.01)
    return len(answered - {last.socket})
