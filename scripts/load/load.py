"""The main program of scripts/load.sh: see there, and docs/performance.md."""
import argparse
import os
import shutil
import signal
import types

import growth
import peers
import report
import rows
import sweep
from tools import ROOT, Bench, errors, file_system, machine, say

FULL = types.SimpleNamespace(bulk_mib=512, small=20000, small_mib=256, idle=18000, idle_s=20, mixed_s=10, warm_s=2, synced=1000,
                             sessions=(100, 1000, 5000, 10000, 18000))
QUICK = types.SimpleNamespace(bulk_mib=32, small=1000, small_mib=16, idle=500, idle_s=1, mixed_s=1, warm_s=1, synced=50, sessions=(100, 500))


def numbers(text):
    return [int(word) for word in text.split(",")]


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("invalid number of rounds %d: expected 1 or more" % number)
    return number


def read_options():
    parser = argparse.ArgumentParser(
        prog="scripts/load.sh", description="Measures dustwired under load and compares it with the yardstick.")
    parser.add_argument("--quick", action="store_true",
                        help="one round with a small workload, to check the measuring; under two minutes")
    parser.add_argument("--table", action="store_true", help="measure only the table of goals")
    parser.add_argument("--threads", type=numbers, default=[1, 2, 4], metavar="N,N",
                        help="numbers of worker threads to measure (1,2,4)")
    parser.add_argument("--cases", type=lambda text: text.split(","), default=list(sweep.CASES), metavar="CASE,CASE",
                        help="cases to measure for each (%s)" % ",".join(sweep.CASES))
    parser.add_argument("--rounds", type=at_least_one, help="rounds of each measurement (default 5; quick: 1)")
    parser.add_argument("--growth", action="store_true",
                        help="also count instructions with callgrind; takes some minutes more")
    parser.add_argument("--peers", action="store_true", help="also measure rsync's daemon and nginx, if installed")
    parser.add_argument("--dir", default="/dev/shm", help="folder for the files, in memory (default /dev/shm)")
    parser.add_argument("--disk", default="/var/tmp",
                        help="folder on a real disk, for durability = full (default /var/tmp)")
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "load"), help="report folder (default build/load)")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    unknown = set(options.cases) - set(sweep.CASES)
    if unknown:
        parser.error("unknown case: %s" % ", ".join(sorted(unknown)))
    return options


def choose_folder(options, sizes):
    """Uses the disk if the folder has too little space (a container's /dev/shm is small); the results are then those
    of a disk."""
    needed_mib = 3 * sizes.bulk_mib + 128
    if not os.path.isdir(options.dir) or shutil.disk_usage(options.dir).free >> 20 < needed_mib:
        say("load.sh: less than %d MiB free in %s: using %s" % (needed_mib, options.dir, options.disk))
        options.dir = options.disk


def measure(bench, options, sizes):
    results = {"machine": machine(), "rounds": options.rounds, "folder": options.dir,
               "file_system": file_system(options.dir)}
    results["rows"] = rows.measure(bench, sizes)
    if not options.table:
        results["threads"] = sweep.by_threads(bench, sizes, options.threads, options.cases)
        results["sessions"] = sweep.by_sessions(bench, sizes.sessions)
        results["slow"] = sweep.slow_peers(bench, sizes)
    if options.growth:
        results["growth"] = growth.measure(bench)
    if options.peers:
        results["peers"] = peers.measure(bench, sizes)
    return results


def end(*unused):
    """On SIGTERM as on Ctrl-C: stops started processes and removes created files."""
    raise SystemExit("load.sh: terminated")


def main():
    signal.signal(signal.SIGTERM, end)
    options = read_options()
    sizes = QUICK if options.quick else FULL
    choose_folder(options, sizes)
    with Bench(options) as bench:
        results = measure(bench, options, sizes)
    report.write(options.out, results)
    print(report.goals(results["rows"]))
    say("report: %s" % os.path.join(options.out, "report.md"))
    if errors:
        raise SystemExit("load.sh: %d errors, see above: the results are not reliable" % len(errors))


if __name__ == "__main__":
    main()
