"""Runs the kinds of faults (kinds.py) and prints the table; started by scripts/faults.sh."""
import argparse
import concurrent.futures
import ctypes
import multiprocessing
import os
import random
import shutil
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "system"))
os.environ.setdefault("DUSTWIRE_TEST_SLOW", "3")

import loopback  # noqa: E402 (the path above)
import planted  # noqa: E402
from field import Field  # noqa: E402
from kinds import ALONE, KINDS  # noqa: E402

ROW = "%-18s %6s %8s %8s %6s %7s  %s"
CLONE_NEWNET = 0x40000000


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/faults.sh", description="Injects faults, and "
                                     "checks that the daemon loses nothing. Exit status 1: it did.")
    parser.add_argument("--quick", action="store_true", help="a share of each kind, within four minutes")
    parser.add_argument("--seed", type=int, help="repeat the runs of that seed")
    parser.add_argument("--jobs", type=int, default=1, help="number of concurrent kinds")
    parser.add_argument("--self-test", action="store_true", help="plant a loss of each kind; each must be found")
    parser.add_argument("--list", action="store_true", help="list the kinds and exit")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="run only these")
    given = parser.parse_args()
    unknown = set(given.kinds) - {row[0] for row in KINDS}
    if unknown:
        parser.error("no such kind: %s; --list names them" % ", ".join(sorted(unknown)))
    return given


def end_by_missing(field, error):
    """A program that is not installed, known by its bare name, ends the kind with a note. Any other missing
    file is a failure of the kind."""
    name = os.fsdecode(error.filename or "")
    if name and "/" not in name and shutil.which(name) is None:
        field.notes.append("left out: %s is not installed (scripts/deps.sh faults)" % name)
    else:
        field.end_run("the kind itself", ["%s: %s" % (type(error).__name__, error)])


def run_kind(row, seed, is_quick):
    name, what, function, full, quick = row
    print("== %s: %s" % (name, what), flush=True)
    field, began = Field(seed, name), time.monotonic()
    try:
        function(field, quick if is_quick else full)
    except FileNotFoundError as e:
        end_by_missing(field, e)
    except Exception as e:  # an error fails the kind, and the others still run
        field.end_run("the kind itself", ["%s: %s" % (type(e).__name__, e)])
    finally:
        field.close()
    notes = "; ".join(field.notes)
    if not field.runs:
        notes = "NOT RUN: " + (notes or "no reason")
    result = (name, field.runs, field.book.count, field.book.acknowledged, len(field.losses),
              "%.1f" % (time.monotonic() - began), notes)
    print((ROW % result).rstrip(), flush=True)
    return result


def take_own_network():
    """Gives each kind its own loopback. Where no namespace can be created (in some containers) no kind
    changes it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0:
        loopback.bring_up()


def run_side_by_side(rows, seed, is_quick, jobs):
    with concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"),
                                                take_own_network) as pool:
        return list(pool.map(run_kind, rows, [seed] * len(rows), [is_quick] * len(rows)))


def run_all(rows, seed, is_quick, jobs):
    """In table order, one at a time; with more jobs, kinds that measure throughput run last, alone."""
    if jobs == 1:
        return [run_kind(row, seed, is_quick) for row in rows]
    many, alone = [row for row in rows if row[0] not in ALONE], [row for row in rows if row[0] in ALONE]
    return run_side_by_side(many, seed, is_quick, jobs) + run_all(alone, seed, is_quick, 1)


def main():
    given = arguments()
    if [name for _, name in socket.if_nameindex()] == ["lo"]:
        loopback.bring_up()  # scripts/faults.sh has made a namespace
    if given.list:
        for name, what, _, full, quick in KINDS:
            print("%-18s %s (%s runs, quick %s)" % (name, what, full or "all", quick or "all"))
        return 0
    if given.self_test:
        return planted.run()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 31)
    print("seed %d" % seed, flush=True)
    began = time.monotonic()
    rows = run_all([row for row in KINDS if not given.kinds or row[0] in given.kinds], seed, given.quick, given.jobs)
    print("\nseed %d%s" % (seed, ", quick" if given.quick else ""))
    print(ROW % ("kind", "runs", "files", "oks", "losses", "seconds", ""))
    for row in rows:
        print((ROW % row).rstrip())
    losses = sum(row[4] for row in rows)
    print(ROW % ("all", *(sum(row[i] for row in rows) for i in range(1, 5)),
                 "%.1f" % (time.monotonic() - began), ""))
    return 1 if losses or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
