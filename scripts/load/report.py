"""The report folder: report.md, results.json, and plots by gnuplot, if installed."""
import json
import os
import shutil
import statistics
import subprocess

import rows
from tools import Figure, number, say


def table(header, lines):
    return "\n".join("| " + " | ".join(cells) + " |"
                     for cells in [header, ["---"] * len(header), *[list(map(str, line)) for line in lines]])


def goals(measured):
    return table(rows.HEADER, [row.cells() for row in measured])


def machine_lines(results):
    m = results["machine"]
    return ("%s CPUs, %s%s; %s of memory; Linux %s. Files in %s (%s). Load average at the start: %.2f.\n"
            "Generator, node and yardstick share these CPUs: a result includes both ends. Each is "
            "the median of the rounds (%d), with minimum and maximum in parentheses." % (
                m["cpus"], m["cpu"], ", virtual" if m["is_virtual"] else "", m["memory"], m["kernel"],
                results["folder"], results["file_system"], m["load_average"][0], results["rounds"]))


def time_unit(latencies):
    """(microseconds per unit, its name): milliseconds if the median is at least one."""
    return (1000, "ms") if statistics.median(figure.median for figure in latencies) >= 1000 else (1, "us")


def unit_of_case(by_count):
    return time_unit([figures["p50"] for figures in by_count.values()])


def threads_table(case, by_count):
    parts, unit = unit_of_case(by_count)
    names = ("p50", "p99", "p99_9", "max")
    return table(["worker threads", "speed, " + next(iter(by_count.values()))["unit"],
                  *["%s, %s" % (name.replace("_", "."), unit) for name in names],
                  "node: CPU s/GB", "node: CPU s/1,000 files", "node: peak resident (VmHWM), KiB"],
                 [[count, f["speed"], *[f[name].by(parts) for name in names], f["cpu_s_per_GB"],
                   f["cpu_s_per_1000_files"], f["peak_kib"]] for count, f in by_count.items()])


def growth_table(growth):
    return table(["per", *["instructions at %d sessions (twice)" % n for n in growth[0][1]], "growth", "locks"],
                 [[unit, *[" and ".join("%.0f" % n for n, _ in twice) for twice in counts.values()],
                   "%+.1f %%" % growth_of(counts), "%.2f" % list(counts.values())[-1][0][1]]
                  for unit, counts in growth])


def growth_of(counts):
    few, many = [Figure(n for n, _ in twice).median for twice in counts.values()]
    return 100 * (many / few - 1)


def text_of(results):
    parts = ["# Load report", machine_lines(results)]
    if results.get("rows"):
        parts += ["## Goals, relative to the yardstick", goals(results["rows"])]
    for case, by_count in results.get("threads", {}).items():
        parts += ["## %s, by worker threads" % case, threads_table(case, by_count)]
    if results.get("sessions"):
        parts += ["## Memory by idle sessions", "Anonymous memory (RssAnon) as in the row of the goals: before the sessions "
                  "and with them, after 5,000 handshakes that fill the node's event buffer.",
                  table(["sessions", "before, KiB", "with sessions, KiB", "bytes per session"],
                        [[n, before, after, number(each)] for n, before, after, each in results["sessions"]])]
    if results.get("slow"):
        in_it, unit = time_unit(results["slow"])
        alone, beside = [figure.by(in_it) for figure in results["slow"]]
        parts += ["## Slow peers", "p99 of small files alone: %s %s; beside 20 peers that read or write one byte per "
                  "second: %s %s." % (alone, unit, beside, unit)]
    if results.get("growth"):
        parts += ["## Growth (callgrind)", growth_table(results["growth"])]
    if results.get("peers"):
        parts += ["## Other programs",
                  table(["by", "one large file, MB/s", "1 KiB files, files/s"], results["peers"])]
    parts += ["![%s](%s)" % (name, name) for name in results.get("plots", [])]
    return "\n\n".join(parts) + "\n"


def as_json(value):
    if hasattr(value, "json"):
        return value.json()
    raise TypeError(type(value))


# ---- plots

def gnuplot(folder, name, title, script, data):
    """Draws folder/name.png from inline data blocks; the legend is below the title, outside the plot."""
    blocks = "".join("$%s << END\n%s\nEND\n" % (block, "\n".join(" ".join(map(str, line)) for line in lines))
                     for block, lines in data.items())
    head = ("set terminal pngcairo size 900,540\nset output '%s.png'\nset title '%s'\nset grid\n"
            "set key outside center top horizontal\n" % (name, title))
    subprocess.run(["gnuplot"], input=blocks + head + script, text=True, check=True, cwd=folder, timeout=60)
    return name + ".png"


def threads_of(count):
    return "1 worker thread" if count == 1 else "%d worker threads" % count


def plot_threads(folder, case, by_count):
    parts, unit = unit_of_case(by_count)
    speed = next(iter(by_count.values()))["unit"]
    lines = [[count, f["speed"].median, f["p99"].median / parts] for count, f in by_count.items()]
    return gnuplot(folder, "threads-" + case, "%s: speed and latency by worker threads" % case, """
set xlabel 'worker threads'
set ylabel 'speed, {speed}'
set y2label 'p99 of the latency, {unit}'
set ytics nomirror
set y2tics
set yrange [0:*]
set y2range [0:*]
set xtics 1
plot $all using 1:2 with linespoints title 'speed (left)' lw 2, \\
     $all using 1:3 axes x1y2 with linespoints title 'p99 (right)' lw 2
""".format(speed=speed, unit=unit), {"all": lines})


def plot_latency(folder, case, by_count):
    """The x axis is 1 / (1 - percentile), so that each nine has the same width."""
    parts, unit = unit_of_case(by_count)
    data = {"t%d" % n: [[1 / (1 - share), us / parts] for share, us in f["curve"]] for n, f in by_count.items()}
    curves = ", ".join("$t%d using 1:2 with lines lw 2 title '%s'" % (n, threads_of(n)) for n in by_count)
    return gnuplot(folder, "latency-" + case, "%s: latency by percentile" % case, """
set logscale xy
set xlabel 'percentile'
set ylabel 'latency, %s'
set xtics ('50' 2, '90' 10, '99' 100, '99.9' 1000, '99.99' 10000)
plot %s
""" % (unit, curves), data)


def plot_sessions(folder, sessions):
    return gnuplot(folder, "memory", "Memory of the node by idle sessions", """
set xlabel 'idle sessions'
set ylabel 'anonymous memory (RssAnon), KiB'
set yrange [0:*]
plot $all using 1:2 with linespoints lw 2 title 'with sessions', \\
     $all using 1:3 with linespoints lw 2 title 'before'
""", {"all": [[n, after, before] for n, before, after, _ in sessions]})


def plots(folder, results):
    if shutil.which("gnuplot") is None:
        say("gnuplot is not installed: no plots")
        return []
    names = []
    for case, by_count in results.get("threads", {}).items():
        names += [plot_threads(folder, case, by_count), plot_latency(folder, case, by_count)]
    if results.get("sessions"):
        names.append(plot_sessions(folder, results["sessions"]))
    return names


def write(folder, results):
    os.makedirs(folder, exist_ok=True)
    results["plots"] = plots(folder, results)
    with open(os.path.join(folder, "results.json"), "w") as out:
        json.dump(results, out, indent=1, default=as_json)
    with open(os.path.join(folder, "report.md"), "w") as out:
        out.write(text_of(results))
