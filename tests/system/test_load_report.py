"""The report of scripts/load.sh: units, titles and legends of its tables and plots, from sample figures."""
import os
import re
import shutil
import subprocess
import sys
import unittest

from node import HERE, SystemTest, main

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(HERE)), "scripts", "load"))
import report  # noqa: E402 (the path above)
from tools import Figure  # noqa: E402

# p50 of each thread count in microseconds, and the expected unit.
UNITS = (
    ((0.5,), "us"), ((60.0,), "us"), ((999.0,), "us"), ((1000.0,), "ms"), ((1500.0,), "ms"), ((250000.0,), "ms"),
    ((60.0, 70.0), "us"), ((900.0, 1200.0, 1300.0), "ms"), ((900.0, 950.0, 250000.0), "us"), ((200000.0, 90000.0), "ms"),
    ((1.0, 2.0, 3.0, 4.0), "us"),
)


def by_count(medians):
    """{threads: figures} as returned by sweep.py: 1, 2, 4, ... threads with these medians."""
    found = {}
    for number, p50 in enumerate(medians):
        figures = {name: Figure([p50 * factor]) for name, factor in
                   (("p50", 1), ("p90", 2), ("p99", 3), ("p99_9", 4), ("max", 5))}
        figures.update(unit="MB/s", speed=Figure([1000]), cpu_s_per_GB=Figure([1]), cpu_s_per_1000_files=Figure([1]),
                       peak_kib=Figure([9000]), curve=[[0, p50], [0.5, p50], [0.75, 2 * p50], [0.875, 3 * p50]])
        found[1 << number] = figures
    return found


class Report(SystemTest):
    def setUp(self):
        super().setUp()
        self.scripts = []
        self.addCleanup(setattr, report, "subprocess", report.subprocess)
        real = report.subprocess.run

        class Gnuplot:
            """Records the scripts for gnuplot, and runs them if it is installed."""
            @staticmethod
            def run(command, **more):
                self.scripts.append(more["input"])
                return real(command, **more) if shutil.which("gnuplot") else None

        report.subprocess = Gnuplot

    def test_a_latency_has_a_suitable_unit(self):
        for medians, unit in UNITS:
            with self.subTest(medians):
                figures = by_count(medians)
                self.assertIn("| p50, %s | p99, %s |" % (unit, unit), report.threads_table("bulk", figures))
                self.scripts.clear()
                report.plot_latency(self.folder(), "bulk", figures)
                report.plot_threads(self.folder(), "bulk", figures)
                self.assertIn("set ylabel 'latency, %s'" % unit, self.scripts[0])
                self.assertIn("set y2label 'p99 of the latency, %s'" % unit, self.scripts[1])
                parts = 1000 if unit == "ms" else 1
                drawn = re.search(r"\$t1 << END\n\S+ (\S+)", self.scripts[0]).group(1)
                self.assertAlmostEqual(float(drawn), medians[0] / parts)
                drawn = re.search(r"\$all << END\n\S+ \S+ (\S+)", self.scripts[1]).group(1)
                self.assertAlmostEqual(float(drawn), 3 * medians[0] / parts)

    def test_every_plot_has_a_title_and_its_legend_outside(self):
        folder = self.folder()
        results = {"threads": {"bulk": by_count((200000.0, 100000.0)), "small": by_count((60.0, 70.0))},
                   "sessions": [(100, 900, 1000, 1024.0), (500, 900, 1400, 1024.0)]}
        names = report.plots(folder, results) if shutil.which("gnuplot") else []
        for name in names:
            self.assertGreater(os.path.getsize(os.path.join(folder, name)), 1000, name)
        for script in self.scripts:
            self.assertRegex(script, r"set title '\w[^']+'")
            self.assertIn("set key outside", script)
        for number in (1, 2):
            said = "1 worker thread" if number == 1 else "2 worker threads"
            self.assertEqual(report.threads_of(number), said)

    def test_the_kind_of_memory_is_named(self):
        text = report.text_of({"machine": {"cpus": 2, "cpu": "x", "is_virtual": False, "memory": "y", "kernel": "z",
                                           "load_average": (0, 0, 0)},
                               "folder": "/", "file_system": "ext4", "rounds": 1,
                               "threads": {"bulk": by_count((60.0,))}, "sessions": [(100, 900, 1000, 1024.0)],
                               "slow": [Figure([46924]), Figure([41157])]})
        self.assertIn("alone: 46.9 ms; beside 20 peers that read or write one byte per second: 41.2 ms", text)
        self.assertIn("RssAnon", text)
        self.assertIn("peak resident (VmHWM), KiB", text)


@unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
class Gnuplot(unittest.TestCase):
    def test_a_syntax_error_in_a_script_is_reported(self):
        with self.assertRaises(subprocess.CalledProcessError):
            report.gnuplot("/tmp", "never", "never", "plot nonsense nonsense\n", {})


if __name__ == "__main__":
    main()
