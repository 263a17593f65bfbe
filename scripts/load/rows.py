"""The table of goals: each row measures the node and the yardstick alternately, round by round, so that other load on
the machine affects both."""
import os
import shutil
import tempfile

from sweep import idle_sessions
from tools import MIB, Figure, file_system, files_of, number, say


class Row:
    """A goal and its result. `share` is the node's median divided by the yardstick's; `is_met` compares it with the
    goal."""

    def __init__(self, name, goal, node, yardstick, share, is_met, unit, note=""):
        self.name, self.goal, self.node, self.yardstick = name, goal, node, yardstick
        self.share, self.is_met, self.unit, self.note = share, is_met, unit, note

    def cells(self):
        return [self.name, "%s %s" % (self.node, self.unit),
                "%s %s" % (self.yardstick, self.unit) if self.yardstick else "-",
                number(self.share), self.goal, "met" if self.is_met else "not met", self.note]

    def json(self):
        return {"name": self.name, "goal": self.goal, "unit": self.unit, "share": self.share,
                "is_met": self.is_met, "note": self.note, "node": self.node.json(),
                "yardstick": self.yardstick.json() if self.yardstick else None}


HELD = 0.95  # share of the bulk rate that must be reached: with less, small files are not disturbed enough

HEADER = ["case", "node: median (spread)", "yardstick: median (spread)", "share", "goal", "", "note"]


def ratio(a, b):
    return a.median / b.median if b.median else 0


def at_least(name, goal, node, yardstick, unit, note=""):
    share = ratio(node, yardstick)
    return Row(name, "at least %.2f" % goal, node, yardstick, share, share >= goal, unit, note)


def at_most(name, goal, node, yardstick, unit, note=""):
    share = ratio(node, yardstick)
    return Row(name, "at most %.2f" % goal, node, yardstick, share, share <= goal, unit, note)


def bulk_one(bench, node, sizes, kept):
    plain, splice, ours, cost, both = [], [], [], [], []
    for _ in range(bench.rounds):
        bench.warm(3 * sizes.bulk_mib)
        measured = bench.yardstick("bulk", sizes.bulk_mib, 1, 1)
        plain.append(measured["MB_per_s"])
        cost.append(measured["cpu_s_per_GB"])
        bench.warm(3 * sizes.bulk_mib)
        part = bench.load(node, "bulk", size="%dM" % sizes.bulk_mib, files=1, seconds=60)[0]
        ours.append(part["roles"][0]["bytes_per_s"] / 1e6)
        both.append((part["own_cpu_s"] + part["daemon"]["cpu_s"]) / (sizes.bulk_mib * MIB / 1e9))
        bench.warm(3 * sizes.bulk_mib)
        splice.append(bench.yardstick("splice", sizes.bulk_mib, 1, 1)["MB_per_s"])
    kept["bulk"], kept["bulk_cost"] = Figure(ours), Figure(cost)
    kept["generator_and_node_cost"] = Figure(both)
    note = "%.2f of splice (%s MB/s)" % (ratio(Figure(ours), Figure(splice)), Figure(splice))
    return at_least("bulk, one session, %d MiB" % sizes.bulk_mib, 0.90, Figure(ours), Figure(plain), "MB/s",
                    note)


def bulk_four(bench, node, sizes, kept):
    plain, ours = [], []
    for _ in range(bench.rounds):
        bench.warm(3 * sizes.bulk_mib)
        plain.append(bench.yardstick("bulk", sizes.bulk_mib // 4, 4, 1)["MB_per_s"])
        bench.warm(3 * sizes.bulk_mib)
        parts = bench.load(node, "bulk", size="%dM" % (sizes.bulk_mib // 4), sessions=4, files=4, threads=2,
                           seconds=60)
        ours.append(files_of(parts)["bytes_per_s"] / 1e6)
    return at_least("bulk, 4 sessions of %d MiB on 2 workers" % (sizes.bulk_mib // 4), 0.90, Figure(ours),
                    Figure(plain), "MB/s", "the yardstick has 4 streams")


def small_twenty(bench, node, sizes, kept):
    plain, ours = [], []
    for _ in range(bench.rounds):
        bench.warm(sizes.small_mib)
        plain.append(bench.yardstick("small", sizes.small, 20)["files_per_s"])
        bench.warm(sizes.small_mib)
        parts = bench.load(node, "small", files=sizes.small, window=20, seconds=60)
        ours.append(files_of(parts)["files_per_s"])
    return at_least("small, 1 KiB, one session, 20 in flight", 0.60, Figure(ours), Figure(plain), "files/s")


def small_one(bench, node, sizes, kept):
    plain, ours = [], []
    for _ in range(bench.rounds):
        bench.warm(sizes.small_mib)
        plain.append(bench.yardstick("small", sizes.small // 2, 1)["p50_us"])
        bench.warm(sizes.small_mib)
        parts = bench.load(node, "small", files=sizes.small // 2, window=1, seconds=60)
        ours.append(files_of(parts)["latency_us"]["p50"])
    return at_most("small, 1 KiB, one at a time: p50", 1.5, Figure(ours), Figure(plain), "us")


def handshakes(bench, node, sizes, kept):
    plain, ours = [], []
    for _ in range(bench.rounds):
        plain.append(bench.yardstick("conns", sizes.small, 64)["per_s"])
        parts = bench.load(node, "handshake", files=sizes.small, sessions=64, seconds=60)
        ours.append(files_of(parts)["sessions_per_s"])
    return at_least("handshake, 64 at a time", 0.70, Figure(ours), Figure(plain), "sessions/s")


def cpu_both_ends(bench, node, sizes, kept):
    """Node to node: CPU time of sender and receiver together."""
    costs = []
    path = os.path.join(bench.folder, "sent")
    with open(path, "wb") as out:
        for _ in range(sizes.bulk_mib):
            out.write(os.urandom(4096) * 256)
    with bench.node("sender", 2) as sender:
        for _ in range(bench.rounds):
            bench.warm(2 * sizes.bulk_mib)
            before = sender.cpu_s() + node.cpu_s()
            result = sender.send([path], node.contact, limit=120)
            costs.append((sender.cpu_s() + node.cpu_s() - before) / (sizes.bulk_mib * MIB / 1e9))
            if result.code != 0:
                raise SystemExit("load.sh: sending the file failed: %s" % result)
            node.empty_inbox()
    os.unlink(path)
    note = "generator and node: %s s/GB" % kept["generator_and_node_cost"]
    return at_most("bulk, CPU seconds per GB, both ends (node to node)", 1.10, Figure(costs),
                   kept["bulk_cost"], "s/GB", note)


def idle(bench, node, sizes, kept):
    memory, cpu, opened = [], [], []
    for i in range(bench.rounds):
        part = idle_sessions(bench, "idle%d" % i, sizes.idle, sizes.idle_s)
        memory.append(part["daemon"]["anon_bytes_per_session"])
        cpu.append(part["daemon"]["cpu_share"] * 100)
        opened.append(part["roles"][0]["opened"] - part["roles"][0]["lost"])
    memory, cpu = Figure(memory), Figure(cpu)
    is_met = memory.median <= 1024 and cpu.median < 1 and min(opened) == sizes.idle
    return Row("idle, {:,} sessions: memory each".format(sizes.idle), "at most 1,024 B, under 1 % CPU", memory,
               None, memory.median / 1024, is_met, "B", "CPU %s %%; %d stayed open" % (cpu, min(opened)))


def mixed(bench, node, sizes, kept):
    alone, beside, bulk = [], [], []
    rate = int(kept["bulk"].median * 1e6 / 2)
    for _ in range(bench.rounds):
        parts = bench.load(node, "mixed", seconds=sizes.mixed_s, rate=500, bulk_rate=rate, threads=3,
                           warm_up=sizes.warm_s, inbox=node.inbox)
        alone.append(files_of(parts, 0)["latency_us"]["p99"])
        beside.append(files_of(parts, 1)["latency_us"]["p99"])
        bulk.append(files_of(parts, 1, 1)["bytes_per_s"] / 1e6)
    note = "two bulk sessions limited to %d MB/s together, reached %s; small: 500 files/s; compared with " \
        "alone" % (rate // 1000000, Figure(bulk))
    row = at_most("mixed: p99 of small beside bulk", 5, Figure(beside), Figure(alone), "us", note)
    row.is_met = row.is_met and Figure(bulk).median * 1e6 >= HELD * rate
    return row


def durable(bench, node, sizes, kept):
    """Files are removed at the end only: on ext4 creating files is several times slower if thousands were removed in
    the last minutes."""
    plain, ours = [], []
    folder = tempfile.mkdtemp(prefix="dustwire-load-", dir=bench.options.disk)
    try:
        with bench.node("durable", 2, folder=folder, inbox__durability="full") as full:
            for _ in range(bench.rounds):
                own = tempfile.mkdtemp(dir=folder)
                plain.append(bench.yardstick("fsync", sizes.synced, folder=own)["files_per_s"])
                parts = bench.load(full, "small", are_files_kept=True, files=sizes.synced * 5, window=20,
                                   seconds=60)
                ours.append(files_of(parts)["files_per_s"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return at_least("durability = full, small, one session, 20 in flight", 2, Figure(ours), Figure(plain),
                    "files/s", "%s; compared with one fsync per file, sequentially" % file_system(bench.options.disk))


ROWS = [bulk_one, bulk_four, small_twenty, small_one, handshakes, cpu_both_ends, idle, mixed, durable]


def measure(bench, sizes):
    rows, kept = [], {}
    with bench.node("table", 2) as node:
        for row in ROWS:
            rows.append(row(bench, node, sizes, kept))
            say("%s: %s, %s" % (rows[-1].name, rows[-1].node, rows[-1].cells()[5]))
    return rows
