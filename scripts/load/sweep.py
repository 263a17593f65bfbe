"""Throughput, latency and memory by worker threads and by sessions."""
from tools import Figure, files_of, say

CASES = {
    # case: (options, the figure of a round, its unit)
    "bulk": (dict(sessions=4, threads=2), lambda role: role["bytes_per_s"] / 1e6, "MB/s"),
    "small": (dict(sessions=4, window=20, threads=2), lambda role: role["files_per_s"], "files/s"),
    "handshake": (dict(sessions=64, threads=2), lambda role: role["sessions_per_s"], "sessions/s"),
}


def by_threads(bench, sizes, threads, cases):
    """{case: {threads: {speed, p99, curve, ...}}}"""
    found = {case: {} for case in cases if case in CASES}
    for count in threads:
        with bench.node("threads%d" % count, count) as node:
            for case in found:
                found[case][count] = one_case(bench, node, sizes, case)
                say("%s, %d threads: %s %s" % (case, count, found[case][count]["speed"], CASES[case][2]))
    return found


def one_case(bench, node, sizes, case):
    options, figure_of, unit = CASES[case]
    options = dict(options, files=4 if case == "bulk" else sizes.small, seconds=60)
    if case == "bulk":
        options["size"] = "%dM" % (sizes.bulk_mib // 4)
    runs = [warm_load(bench, node, sizes, case, options) for _ in range(bench.rounds)]
    roles = [run["roles"][0] for run in runs]
    middle = sorted(roles, key=lambda role: role["latency_us"]["p99"])[len(roles) // 2]
    figures = {"unit": unit, "speed": Figure(map(figure_of, roles)), "curve": middle["latency_us"]["curve"],
               "cpu_s_per_GB": Figure(run["daemon"]["cpu_s_per_GB"] for run in runs),
               "cpu_s_per_1000_files": Figure(run["daemon"]["cpu_s_per_1000_files"] for run in runs),
               "peak_kib": Figure(run["daemon"]["peak_kib"] for run in runs)}
    for name in ("p50", "p90", "p99", "p99_9", "max"):
        figures[name] = Figure(role["latency_us"][name] for role in roles)
    return figures


def warm_load(bench, node, sizes, case, options):
    bench.warm(3 * sizes.bulk_mib if case == "bulk" else sizes.small_mib)
    return bench.load(node, case, **options)[0]


def idle_sessions(bench, name, count, seconds):
    """A new node, since allocated memory is not returned. Its event buffer is bounded and does not belong to a
    session: it is filled first."""
    with bench.node(name, 2) as node:
        bench.load(node, "handshake", sessions=64, files=5000, seconds=20)
        return bench.load(node, "idle", sessions=count, seconds=seconds)[0]


def by_sessions(bench, counts):
    """[(sessions, anonymous KiB before, after, bytes per session)], a new node for each."""
    found = []
    for count in counts:
        daemon = idle_sessions(bench, "sessions%d" % count, count, 1)["daemon"]
        found.append((count, daemon["rss_anon_before_kib"], daemon["rss_anon_after_kib"],
                      daemon["anon_bytes_per_session"]))
        say("%d idle sessions: %.0f bytes each" % (count, daemon["anon_bytes_per_session"]))
    return found


def slow_peers(bench, sizes):
    """p99 of small alone and beside slow peers."""
    with bench.node("slow", 2) as node:
        runs = [bench.load(node, "slow", sessions=100, rate=500, seconds=sizes.mixed_s, inbox=node.inbox)
                for _ in range(bench.rounds)]
    return [Figure(files_of(run, part)["latency_us"]["p99"] for run in runs) for part in (0, 1)]
