"""Reads an lcov file; prints the lines that were not executed, with their text, and a table."""
import os
import sys


def read(path):
    files, name = {}, None
    for line in open(path, encoding="utf-8"):
        key, _, value = line.strip().partition(":")
        if key == "SF":
            name = os.path.relpath(value)
            files[name] = {"lines": {}, "branches": [0, 0]}
        elif key == "DA":
            number, count = value.split(",")[:2]
            lines = files[name]["lines"]
            lines[int(number)] = lines.get(int(number), 0) + int(count)
        elif key == "BRDA":
            files[name]["branches"][0] += value.split(",")[3] not in ("-", "0")
            files[name]["branches"][1] += 1
    return files


def share(part, whole):
    return "%5.1f" % (100.0 * part / whole if whole else 100.0)


def main():
    files = {name: file for name, file in read(sys.argv[1]).items() if name.startswith("src/")}
    rows, sums = [], [0, 0, 0, 0]
    for name, file in sorted(files.items()):
        text = open(name, encoding="utf-8").read().splitlines()
        for number, count in sorted(file["lines"].items()):
            if count == 0:
                print("%s:%d: %s" % (name, number, text[number - 1].strip()))
        hit = sum(count > 0 for count in file["lines"].values())
        rows.append((name, hit, len(file["lines"]), *file["branches"]))
        sums = [a + b for a, b in zip(sums, rows[-1][1:])]
    print("\n%-40s %6s %8s" % ("file", "lines", "branches"))
    for name, hit, lines, taken, branches in sorted(rows, key=lambda row: row[1] / row[2]):
        print("%-40s %6s %8s" % (name, share(hit, lines), share(taken, branches)))
    print("%-40s %6s %8s" % ("all", share(sums[0], sums[1]), share(sums[2], sums[3])))


main()
