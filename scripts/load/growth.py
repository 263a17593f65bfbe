"""How the instructions per frame and per file grow with the sessions that are open: the node under
callgrind, the same work once and twice, and the difference divided by the work. So what starting,
opening sessions and stopping cost falls out."""
import os
import re
import subprocess

from tools import BUILD, Measured, harness, say

FRAME_BYTES = 96 << 10
WORKS = {
    # unit: (size of a file, files of the lesser work, units in a file)
    "data frame": (20 * FRAME_BYTES, 400, 20),
    "small file": (1024, 2000, 1),
}
SESSIONS = (10, 1000)
START_S = 60


class Counted(Measured):
    """A node under callgrind. It is not asked anything, since answers cost instructions too: the
    kernel says when it listens."""

    def spawn(self):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
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
        """After the stop: all that it ran in user space."""
        return int(re.findall(r"Collected : (\d+)", self.log())[-1])


def count(bench, sessions, size, files):
    """Instructions of a node that has `sessions` open and takes `files`, one at a time."""
    with Counted("counted", bench.folder, 1, sessions__handshake_timeout_s=120) as node:
        part = bench.load(node, "bulk", size=size, files=files, beside=sessions - 1, seconds=300)[0]
        if part["roles"][0]["files"] != files or part["roles"][1]["opened"] != sessions - 1:
            raise SystemExit("load.sh: the load under callgrind failed")
        node.stop(START_S)
        return node.instructions()


def measure(bench):
    """[(unit, {sessions: [instructions per unit, twice]})]"""
    found = []
    for unit, (size, files, units) in WORKS.items():
        counts = {}
        for sessions in SESSIONS:
            counts[sessions] = [(count(bench, sessions, size, 2 * files) - count(bench, sessions, size, files))
                                / (files * units) for _ in range(2)]
            say("%s at %d sessions: %s instructions" % (
                unit, sessions, " and ".join("%.0f" % n for n in counts[sessions])))
        found.append((unit, counts))
    return found
