"""Mixed load, reloads and faults for some minutes: soak.py MINUTES [SEED]. At the end all acknowledged
files are there, and memory, descriptors, threads and partial files have not grown since the warm-up."""
import errno
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "system"))
os.environ.setdefault("DUSTWIRE_TEST_SLOW", "3")

import node as harness  # noqa: E402 (the path above)
import loopback  # noqa: E402
import network  # noqa: E402
import raw  # noqa: E402
from field import Field  # noqa: E402
from layer import FAIL, SHORT  # noqa: E402

FAULTS = (("write", errno.ENOSPC), ("openat", errno.EMFILE), ("fdatasync", errno.EIO), ("pwrite", errno.EDQUOT),
          ("renameat2", errno.EIO), ("accept4", errno.EMFILE), ("alloc", errno.ENOMEM))
GROWTH_KIB = 4096


def measure(node):
    pid = node.process.pid
    return {"KiB": node.memory_kib("VmRSS"), "descriptors": len(os.listdir("/proc/%d/fd" % pid)),
            "threads": len(os.listdir("/proc/%d/task" % pid)), "partial files": len(node.partials())}


def one_round(field, source, alice, bob, proxy, number):
    """A few seconds: scripted peers, a daemon through a proxy that is cut, a reload, a fault."""
    senders = field.senders(bob, source.randrange(1, 5), largest=source.choice((100, 60000, 2000000)))
    result = network.sending(field, alice, proxy.contact, source.randrange(1, 40))
    half = raw.Raw.greet(bob.port, idurl="http://127.0.0.1/half.xml")
    half.send(raw.data(1, 100000, b"x" * 1000))
    call, error = source.choice(FAULTS)
    mode = SHORT if call in ("write", "pwrite") and source.random() < 0.3 else FAIL
    bob.layer.arm(call, source.randrange(200), source.randrange(1, 4), mode, error,
                  under="" if call in ("accept4", "alloc") else bob.inbox)
    threading.Event().wait(source.uniform(0.2, 1.5))
    if source.random() < 0.5:
        proxy.cut(source.random() < 0.5)
    bob.change({"sessions/keep-alive-s": number % 60})
    bob.command("reload")
    for sender in senders:
        sender.is_stopped.set()
    for sender in senders:
        sender.join()
    half.reset()
    losses, _ = result()
    bob.layer.disarm()
    field.end_run("round %d, %s" % (number, call), losses + field.promises(bob))


def main(minutes, seed):
    if network.has_own_network():
        loopback.bring_up()  # scripts/soak.sh has made a namespace
    print("seed %d" % seed, flush=True)
    field, source = Field(seed, "soak"), random.Random(seed)
    field.are_events_lost = True
    bob = field.node(settings=dict(network.SETTINGS), has_layer=True)
    alice = field.node("alice", network.SETTINGS)
    proxy = network.Proxy(bob.port)
    ends, warm, number, last = time.monotonic() + minutes * 60, None, 0, 0.0
    while time.monotonic() < ends:
        number += 1
        one_round(field, source, alice, bob, proxy, number)
        left = ends - time.monotonic()
        if warm is None and (number >= 20 or left < minutes * 30):
            warm = [quiet(alice), quiet(bob)]
        if time.monotonic() - last > 30:
            last = time.monotonic()
            print("round %d, %d files: bob %r" % (number, field.book.count, measure(bob)), flush=True)
    end = [quiet(alice), quiet(bob)]
    for node, before, after in zip((alice, bob), warm or end, end):
        print("%s: %r before, %r after" % (node.name, before, after))
        for key, value in after.items():
            if value > before[key] + (GROWTH_KIB if key == "KiB" else 0):
                field.end_run(node.name, ["%s grew from %d to %d" % (key, before[key], value)])
    print("%d rounds, %d files, %d acknowledged, %d losses" % (number, field.book.count,
                                                               field.book.acknowledged, len(field.losses)))
    proxy.end()
    field.close()
    return 1 if field.losses else 0


def quiet(node):
    """Disconnects all sessions, then measures."""
    for session in node.sessions():
        node.command("disconnect", "tcp://%s" % session["host"] if "host" in session else "")
    harness.wait_until(lambda: not node.sessions(), lambda: "no session: %r" % node.sessions(), limit=20)
    return measure(node)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else
                  random.SystemRandom().randrange(1 << 31)))
