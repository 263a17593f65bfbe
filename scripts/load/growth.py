"""How the instructions per frame and per file grow with the number of open sessions: runs the node under callgrind
with a smaller and a larger workload, and divides the difference of the counts by that of the workloads. The cost of
starting, opening sessions and stopping cancels out."""
import os
import re
import subprocess

from tools import BUILD, Measured, harness, say

FRAME_BYTES = 96 << 10
WORKS = {
    # unit: (the smaller and the larger workload, each a size and a number of files; the difference in units)
    "data frame": ((20 * FRAME_BYTES, 200), (60 * FRAME_BYTES, 200), 200 * 40),
    "small file": ((1024, 2000), (1024, 4000), 2000),
}
SESSIONS = (10, 1000)
START_S = 60


class Counted(Measured):
    """A node under callgrind. It gets no requests, since they would cost instructions: /proc/net/tcp shows when it
    listens."""

    @property
    def profile(self):
        return os.path.join(self.folder, "callgrind.out")

    def spawn(self):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + self.profile,
                   os.path.join(BUILD, "dustwired"), "--config", self.config]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __enter__(self):
        self.spawn()
        harness.wait_until(self.is_listening, self.log, START_S)
        return self

    def is_listening(self):
        with open("/proc/net/tcp") as table:
            return any(":%04X 00000000:0000 0A" % self.port in line for line in table)

    def instructions(self):
        """All instructions in user space. Call after the stop."""
        return int(re.findall(r"Collected : (\d+)", self.log())[-1])

    def locks(self):
        """Number of calls of pthread_mutex_lock. Call after the stop."""
        with open(self.profile) as lines:
            return calls_of(lines, "pthread_mutex_lock")


def calls_of(profile, function):
    """The calls of a function in callgrind's file, where a name is written once and later referred to by its
    number."""
    calls, numbers, is_wanted = 0, set(), False
    for line in profile:
        named = re.match(r"c?fn=(\(\d+\))(?: (.*))?", line)
        if named:
            if named[2] and named[2].startswith(function):
                numbers.add(named[1])
            is_wanted = line.startswith("cfn=") and named[1] in numbers
        elif is_wanted and line.startswith("calls="):
            calls += int(line[6:].split()[0])
            is_wanted = False
    return calls


def count(bench, sessions, size, files):
    """Instructions and locks of a node with `sessions` open that receives `files`, one at a time."""
    with Counted("counted", bench.folder, 1, sessions__handshake_timeout_s=120) as node:
        part = bench.load(node, "bulk", size=size, files=files, beside=sessions - 1, seconds=300)[0]
        if part["roles"][0]["files"] != files or part["roles"][1]["opened"] != sessions - 1:
            raise SystemExit("load.sh: the load under callgrind failed")
        node.stop(START_S)
        return node.instructions(), node.locks()


def per_unit(bench, sessions, lesser, greater, units):
    counts = [count(bench, sessions, *work) for work in (lesser, greater)]
    return [(more - less) / units for less, more in zip(*counts)]


def measure(bench):
    """[(unit, {sessions: [(instructions, locks) per unit, twice]})]"""
    found = []
    for unit, work in WORKS.items():
        counts = {}
        for sessions in SESSIONS:
            counts[sessions] = [per_unit(bench, sessions, *work) for _ in range(2)]
            say("%s at %d sessions: %s" % (unit, sessions, " and ".join(
                "%.0f instructions, %.2f locks" % tuple(pair) for pair in counts[sessions])))
        found.append((unit, counts))
    return found
