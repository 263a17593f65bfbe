"""Tools for the measurements: a folder in memory, nodes, dustwire-load, the yardstick.

Only processes started here are stopped, by their own handle; every call has a timeout."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.setdefault("DUSTWIRE_BUILD", os.path.join(ROOT, "build", "release"))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
import node as harness  # noqa: E402 (the system tests' own node)

MIB = 1 << 20
LIMIT_S = 600


class Figure:
    """The values of several rounds."""

    def __init__(self, values):
        self.values = list(values)

    @property
    def median(self):
        return statistics.median(self.values)

    def by(self, divisor):
        """The same in a larger unit."""
        return Figure(value / divisor for value in self.values)

    def json(self):
        return {"median": self.median, "least": min(self.values), "most": max(self.values),
                "values": self.values}

    def __str__(self):
        if len(self.values) == 1:
            return number(self.median)
        return "%s (%s to %s)" % tuple(map(number, (self.median, min(self.values), max(self.values))))


def number(value):
    """Three significant digits."""
    if abs(value) >= 100:
        return "{:,.0f}".format(value)
    return "%.3g" % value


errors = []


def error(text):
    """Records an error that makes results unreliable: printed at once, and the exit status is 1."""
    errors.append(text)
    say(text)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Measured(harness.Node):
    """A node for measuring: no sync, a high session limit, little logging."""

    def __init__(self, name, folder, threads, **settings):
        own = os.path.join(folder, name)
        os.makedirs(own)
        super().__init__(name, {
            "workers/threads": threads, "inbox/durability": "none", "sessions/limit": 19500,
            "log/level": "warning", "sessions/stop-timeout-s": 1,
            **{key.replace("__", "/").replace("_", "-"): value for key, value in settings.items()}},
            folder=own)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        problem = self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if problem:
            error(problem)

    def empty_inbox(self):
        for path in self.received():
            os.unlink(path)

    def cpu_s(self):
        """User and system CPU time (clock_getcpuclockid(3))."""
        return time.clock_gettime(~self.process.pid << 3 | 2)


class Bench:
    """A folder to measure in, and the number of rounds."""

    def __init__(self, options):
        self.options = options
        self.rounds = options.rounds
        self.folder = tempfile.mkdtemp(prefix="dustwire-load-", dir=options.dir)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.folder, ignore_errors=True)

    def node(self, name="node", threads=2, folder=None, **settings):
        return Measured(name, folder or self.folder, threads, **settings)

    def yardstick(self, case, *arguments, folder=None):
        place = [folder or self.folder] if case != "conns" else []
        done = subprocess.run([os.path.join(BUILD, "yardstick"), case, *place, *map(str, arguments)],
                              check=True, capture_output=True, text=True, timeout=LIMIT_S)
        return json.loads(done.stdout)

    def load(self, node, case, are_files_kept=False, **options):
        """The parts of a run of dustwire-load; the inbox is empty afterwards, unless its files are kept."""
        arguments = [os.path.join(BUILD, "dustwire-load"), case, "--quiet", "--json", "-",
                     "--pid", str(node.process.pid)]
        for name, value in options.items():
            arguments += ["--" + name.replace("_", "-"), str(value)]
        done = subprocess.run(arguments + ["127.0.0.1:%d" % node.port], capture_output=True, text=True,
                              timeout=LIMIT_S)
        if not are_files_kept:
            node.empty_inbox()
        if done.returncode != 0:
            error("dustwire-load %s exited with %d:\n%s" % (case, done.returncode, done.stderr))
        if not done.stdout:
            raise SystemExit("load.sh: %s printed no results" % " ".join(arguments))
        return json.loads(done.stdout)["parts"]

    def warm(self, mib):
        """Allocates and frees that much memory in the folder right before it is used: on a virtual machine the first
        access to memory is several times slower, and free memory can return to the host after some seconds."""
        path = os.path.join(self.folder, "warm")
        block = bytes(MIB)
        with open(path, "wb", buffering=0) as out:
            for _ in range(mib):
                out.write(block)
        os.unlink(path)


def files_of(parts, part=0, role=0):
    return parts[part]["roles"][role]


def machine():
    """Description of the machine, for the report."""
    def first(path, word):
        with open(path) as stream:
            return next((line.split(":", 1)[1].strip() for line in stream if line.startswith(word)), "?")
    return {"cpu": first("/proc/cpuinfo", "model name"), "cpus": os.cpu_count(),
            "memory": first("/proc/meminfo", "MemTotal"), "kernel": os.uname().release,
            "is_virtual": "hypervisor" in first("/proc/cpuinfo", "flags"),
            "load_average": os.getloadavg()}


def file_system(path):
    """Device and type of the file system of a path."""
    done = subprocess.run(["findmnt", "-n", "-o", "SOURCE,FSTYPE", "-T", path], capture_output=True, text=True)
    return " ".join((done.stdout.splitlines() or ["?"])[-1].split())  # the last one is mounted over the others
