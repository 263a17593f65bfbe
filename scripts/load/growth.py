"""How the instructions per frame and per file grow with the sessions that are open: the node under
callgrind, the same work once and twice, and the difference divided by the work. So what starting,
opening sessions and stopping cost falls out."""
import os
import re
import subprocess

from tools import BUILD, LIMIT_S, Measured, harness, say

FRAME_BYTES = 96 << 10
WORKS = {
    # name: (size of a file, files of the lesser work, units in a file)
    "data frame": (10 * FRAME_BYTES, 40, 10),
    "small file": (1024, 500, 1),
}
SESSIONS = (10, 1000)
START_S = 60


class Counted(Measured):
    """A node under callgrind."""

    def spawn(self):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                   os.path.join(BUILD, "dustwired"), "--config", self.config]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def instructions(self):
        """After the stop: all that it ran in user space."""
        return int(re.findall(r"Collected : (\d+)", self.log())[-1])


def run_load(*arguments):
    return subprocess.Popen([os.path.join(BUILD, "dustwire-load"), *map(str, arguments), "--quiet"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def count(bench, sessions, size, files):
    """Instructions of a node that has `sessions` open and takes `files`, one at a time."""
    with Counted("counted", bench.folder, 1, sessions__handshake_timeout_s=120) as node:
        target = "127.0.0.1:%d" % node.port
        idle = run_load("idle", "--sessions", sessions - 1, "--keep-alive", 0, "--seconds", LIMIT_S, target)
        try:
            harness.wait_until(lambda: len(node.sessions()) == sessions - 1, "the sessions are open", START_S,
                               every=0.5)
            sent = run_load("bulk", "--size", size, "--files", files, "--seconds", 120, target)
            if sent.wait(LIMIT_S) != 0:
                raise SystemExit("load.sh: the load under callgrind failed")
        finally:
            idle.terminate()
            idle.wait(LIMIT_S)
        node.stop(LIMIT_S)
        return node.instructions()


def measure(bench):
    """[(unit, {sessions: [instructions per unit, twice]})]"""
    found = []
    for unit, (size, files, units) in WORKS.items():
        counts = {}
        for sessions in SESSIONS:
            once = [(count(bench, sessions, size, 2 * files) - count(bench, sessions, size, files))
                    / (files * units) for _ in range(2)]
            counts[sessions] = once
            say("%s at %d sessions: %s instructions" % (unit, sessions, " and ".join("%.0f" % n for n in once)))
        found.append((unit, counts))
    return found
