"""The golden file of the interface (interface.golden): sections of sorted lines, compared with the
programs' output. DUSTWIRE_GOLDEN_WRITE=1 rewrites the sections instead of comparing them."""
import difflib
import os
import re

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "interface.golden")
HEAD = """\
# What other programs rely on: names, shapes, codes and fixed texts, as the programs give them.
# test_interface.py compares; docs/testing.md says when a line may change and how it is rewritten.
"""


def read():
    """{section: its lines}; a missing file has no sections."""
    sections, lines = {}, None
    try:
        with open(PATH) as stream:
            text = stream.read()
    except FileNotFoundError:
        text = ""
    for line in text.splitlines():
        head = re.fullmatch(r"\[([a-z -]+)\]", line)
        if head:
            lines = sections.setdefault(head.group(1), [])
        elif line and lines is not None:
            lines.append(line)
    return sections


def write(sections):
    with open(PATH, "w") as out:
        out.write(HEAD)
        for name in sorted(sections):
            out.write("\n[%s]\n%s\n" % (name, "\n".join(sections[name])))


def normalized(entries):
    """Sorted, without duplicates. An entry is one printable line."""
    entries = sorted(set(entries))
    for entry in entries:
        if not entry.isprintable() or entry.startswith("["):
            raise AssertionError("an entry must be one printable line: %r" % entry)
    return entries


def difference(name, golden, entries):
    """A unified diff, or "" if both are equal."""
    return "\n".join(difflib.unified_diff(golden, normalized(entries), "interface.golden [%s]" % name,
                                          "the programs [%s]" % name, n=1, lineterm=""))


def is_rewriting():
    return bool(os.environ.get("DUSTWIRE_GOLDEN_WRITE"))


def check(test, seen):
    """Compares {section: entries} with the file, and fails with all differences."""
    sections = read()
    if is_rewriting():
        write({**sections, **{name: normalized(entries) for name, entries in seen.items()}})
        return
    for name in sorted(seen):
        test.assertTrue(seen[name], "no entries for section [%s]" % name)
    found = [difference(name, sections.get(name, []), seen[name]) for name in sorted(seen)]
    if any(found):
        test.fail("the interface has changed:\n" + "\n".join(filter(None, found)))
