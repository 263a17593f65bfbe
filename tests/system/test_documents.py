"""Checks of the documents: every path, link, file and identifier in them exists, a function is defined in the file
that is named beside it, lines end at column 100, and the version is stated once."""
import glob
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("src", "include", "tests", "scripts", "docs", "etc", "bench", "cmake", "adapter")
WIDTH = 100
# Placeholders, files of other projects, and a callback that is documented as nonexistent.
PLACEHOLDERS = {"x.c", "x.h", "test_x.c", "x_internal.h", "bitdust.py", "cancelled_file_receiving", "room_file_verb"}

PATH = re.compile(r"(?<![\w./$~<>-])(?:%s)/[\w.*/-]*[\w/*]" % "|".join(FOLDERS))
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)]*))?\)")
FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:c|h|py|sh|cmake|golden))`")
IDENTIFIER = re.compile(r"`(\w+)\(\)`|`([a-z]+_\w+)`")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as stream:
        return stream.read()


def files_of_the_tree():
    """Paths from the root, without build folders and hidden ones."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in ("build", "__pycache__")]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), ROOT)


FILES = sorted(files_of_the_tree())
SOURCES = [path for path in FILES if path.endswith((".c", ".h", ".py", ".sh", ".ini", ".txt", ".cmake"))]
DOCUMENTS = [path for path in FILES if path.endswith(".md")]
WORDS = set().union(*(re.findall(r"\w+", read(path)) for path in SOURCES if not path.endswith("test_documents.py")))


def anchors_of(text):
    return {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
            for line in text.splitlines() if line.startswith("#")}


def link_problem(document, target, anchor):
    path = os.path.normpath(os.path.join(os.path.dirname(document), target)) if target else document
    if not os.path.exists(os.path.join(ROOT, path)):
        return "no file " + target
    if anchor and anchor not in anchors_of(read(path)):
        return "no heading #%s in %s" % (anchor, path)
    return None


def is_file(name):
    return name in PLACEHOLDERS or any(path == name or path.endswith("/" + name) for path in FILES)


def row_problems(line):
    """Checks a table row that names files and functions, `x()`: each function must be in one of the files."""
    files = [path for name in FILE.findall(line) for path in FILES if path == name]
    text = "".join(map(read, files))
    return ["%s() is not in %s" % (name, ", ".join(files)) for name in re.findall(r"`(\w+)\(\)`", line)
            if files and not re.search(r"\b%s\b" % name, text)]


def line_problems(document, line):
    for path in PATH.findall(line):
        if not glob.glob(os.path.join(ROOT, path)):
            yield "no file " + path
    for target, anchor in LINK.findall(line):
        problem = None if target.startswith("http") else link_problem(document, target, anchor)
        if problem:
            yield problem
    for name in FILE.findall(line):
        if not is_file(name):
            yield "no file " + name
    for name in filter(None, (called or word for called, word in IDENTIFIER.findall(line))):
        if name not in WORDS and name not in PLACEHOLDERS:
            yield "no identifier " + name
    if line.startswith("|"):
        yield from row_problems(line)


def must_be_wrapped(line):
    return not line.startswith("    ") and not line.lstrip().startswith("|") and "](http" not in line


def problems(document, text):
    found, is_code = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        at = "%s:%d: " % (document, number)
        if not is_code and len(line) > WIDTH and must_be_wrapped(line):
            found.append(at + "longer than %d columns" % WIDTH)
        if document != "CHANGELOG.md":  # describes former releases
            found += [at + problem for problem in line_problems(document, line)]
    return found


class Documents(unittest.TestCase):
    maxDiff = None

    def test_paths_links_and_identifiers_exist(self):
        self.assertIn("README.md", DOCUMENTS)
        found = [problem for document in DOCUMENTS for problem in problems(document, read(document))]
        self.assertEqual(found, [])

    def test_a_mistake_is_found(self):
        for text, expected in (
                ("see src/base/no_such.c", "no file src/base/no_such.c"),
                ("[a](docs/no.md)", "no file docs/no.md"),
                ("[a](docs/README.md#no-such)", "no heading #no-such"),
                ("`no_such.c`", "no file no_such.c"),
                ("`no_such" + "_function()`", "no identifier no_such"),
                ("`no_such" + "_name`", "no identifier no_such"),
                ("| `src/base/err.c` | `inbox_open()` |", "inbox_open() is not in src/base/err.c"),
                ("word " * 21, "longer than")):
            with self.subTest(text):
                self.assertIn(expected, "".join(problems("README.md", text)))

    def test_documents_that_the_sources_name_exist(self):
        named = {(path, name) for path in SOURCES for name in re.findall(r"\bdocs/[\w/]+\.md\b", read(path))}
        self.assertEqual({(path, name) for path, name in named if name not in DOCUMENTS and "test_documents" not in path},
                         set())

    def test_every_call_of_the_control_server_is_described(self):
        methods = re.findall(r'^    \{"(\w+)", "', read("src/control/method_table.c"), re.MULTILINE)
        self.assertGreater(len(methods), 30)
        page = read("docs/gateway.md")
        self.assertEqual([name for name in methods if "`%s`" % name not in page and not name.startswith("system.")], [])

    def test_the_version_is_stated_once(self):
        version = re.search(r"^project\(dustwire VERSION (\S+)", read("CMakeLists.txt"), re.MULTILINE).group(1)
        self.assertEqual(re.findall(r"^## (\d\S*)", read("CHANGELOG.md"), re.MULTILINE)[0], version)
        stated = [path for path in FILES if path.startswith(("src/", "include/", "etc/", "cmake/", "docs/man/", "adapter/"))
                  and re.search(r"\b(dustwired?|version)\W{1,4}%s\b" % re.escape(version), read(path))]
        self.assertEqual(stated, [])


if __name__ == "__main__":
    unittest.main()
