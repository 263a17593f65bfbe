"""Golden file lines from the programs' output: the members of JSON and XML-RPC values, the options of a
help text, the keys of a settings file, the bytes of a frame. Values that vary between runs are omitted or
masked."""
import base64
import re
import xmlrpc.client

import raw

JSON_TYPES = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}
RPC_TYPES = {bool: "boolean", int: "int", float: "double", str: "string", type(None): "nil",
             xmlrpc.client.Binary: "base64"}
UNITS = {"seconds": "s", "s": "s", "milliseconds": "ms", "ms": "ms", "bytes": "bytes", "KiB": "KiB", "MiB": "MiB"}


class Shapes:
    """The members of many values, each a path such as `transports[].state`, with the types found there.
    `maps`: objects whose member names are data; `hidden`: members with a separate section."""

    def __init__(self, types, maps=(), hidden=()):
        self._types, self._maps, self._hidden, self._seen = types, maps, hidden, {}

    def add(self, source, value, path=""):
        """Adds the members of `value`, the answer of `source` (a command or a call)."""
        if path in self._hidden:
            return
        if isinstance(value, dict):
            for name, member in value.items():
                self.add(source, member, "%s.%s" % (path, "*" if path in self._maps else name) if path else name)
        elif isinstance(value, list):
            for item in value:
                self.add(source, item, path + "[]")
        else:
            self._seen.setdefault("%s %s" % (source, path) if path else source, set()).add(
                self._types[type(value)])

    def lines(self):
        return ["%s: %s" % (path, "|".join(sorted(types))) for path, types in self._seen.items()]


def options(program, text):
    """`program --long, -s VALUE` for each option in a help text."""
    return ["%s %s%s%s" % (program, long, ", " + short if short else "", " VALUE" if value else "")
            for short, long, value in re.findall("^ +(?:(-[a-zA-Z]), )?(--[a-z][a-z-]*)( [A-Z]+)?",
                                                 text, re.MULTILINE)]


def kind(comment):
    """The allowed values of a setting: range and unit, or keywords; `text` for other descriptions. The wording
    of the comment may change, but not its numbers and keywords."""
    allowed = re.split(r"\W+default\b", comment.lstrip("# "))[0]
    numbers = re.search(r"(?<![\d.])(\d+)\D{1,8}(?<!\.)(\d+)(?![\d.])(?: (%s)\b)?" % "|".join(UNITS), allowed)
    if numbers:
        low, high, unit = numbers.groups()
        return " ".join(filter(None, (low, "to", high, UNITS.get(unit))))
    words = re.split(r", | or | ?\| ?", allowed)
    return " or ".join(words) if len(words) > 1 and all(map(str.isalpha, words)) and "empty" not in words else "text"


def settings(dump):
    """`section/key = default (allowed values)` for each key of a dump."""
    section, kinds, lines = "", [], []
    for line in dump.splitlines():
        head = re.fullmatch(r"\[(.+)\]", line)
        if head:
            section = head.group(1)
        elif line.startswith("#"):
            kinds.append(kind(line))
        elif line:
            lines.append("%s/%s (%s)" % (section, line, next((k for k in kinds[1:] if k != "text"), "text")))
            kinds = []
        else:
            kinds = []
    return lines


def transitions(dot):
    """`automat: STATE -> STATE: event [condition] / actions`, and the first and last states."""
    name, lines = "", []
    for line in dot.splitlines():
        graph = re.match(r"digraph (\w+)", line)
        arrow = re.match(r'\s+"(.+)" -> "(.+)" \[label="(.+)"\]', line)
        state = re.match(r'\s+"([^"]+)"( \[(?:style=bold|peripheries=2)\])?;', line)
        if graph:
            name = graph.group(1)
        elif arrow:
            lines.append("%s: %s -> %s: %s" % (name, *arrow.groups()[:2], arrow.group(3).replace("\\n", " ")))
        elif state:
            place = {" [style=bold]": " (first)", " [peripheries=2]": " (last)"}.get(state.group(2), "")
            lines.append("%s: %s%s" % (name, state.group(1), place))
    return lines


def frame(got, *masked, longest=None):
    """A frame as hex: length, version, command, payload (at most `longest` bytes of it). `masked`: (bytes,
    name) pairs; varying bytes that are replaced by a name."""
    whole = raw.frame(got.command, got.payload, got.version)
    payload = whole[6:][:longest].hex()
    for value, name in masked:
        payload = payload.replace(value.hex(), " <%s> " % name)
    parts = [whole[:4].hex(), whole[4:5].hex(), whole[5:6].hex(), *payload.split()]
    return " ".join(parts + ["..."] * (len(whole) - 6 > len(whole[6:][:longest])))


def arguments(args):
    """A call's argument types; a struct with its members."""
    def type_of(value):
        if isinstance(value, dict) and set(value) == {"base64"}:
            return "base64"
        if isinstance(value, dict):
            return "{%s}" % ", ".join("%s: %s" % (name, type_of(value[name])) for name in sorted(value))
        return RPC_TYPES[type(value)]
    return "(%s)" % ", ".join(map(type_of, args))


def fixed_part(text):
    """The fixed part of a reason: the text after a colon depends on the case."""
    if isinstance(text, dict):
        text = base64.b64decode(text["base64"]).decode()
    return text if text is None else text.partition(": ")[0]
