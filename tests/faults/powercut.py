"""Simulated power cuts: a daemon's changes to its inbox are recorded (layer.h), then replayed up to some
call; all changes not synced by then are dropped, or a random part. A daemon is started on the result.
Stricter than most disks: a name is durable only after the sync of its folder, whatever was done to the
file; names of one folder become durable in order, those of different folders in any order."""
import os
import struct

import node as harness
from field import TOKEN

CREATE, WRITE, TRUNCATE, SYNC, SYNC_ALL, RENAME, UNLINK = range(7)
_RECORD = struct.Struct("=IIQQQQQ48s48s")


class Record:
    def __init__(self, fields, content):
        self.kind, _, self.start_ns, self.ino, self.dir, self.to_dir, self.offset = fields[:7]
        self.name, self.to_name = (text.split(b"\0")[0].decode() for text in fields[7:])
        self.content = content


def read_log(path):
    with open(path, "rb") as stream:
        text = stream.read()
    records, at = [], 0
    while at + _RECORD.size <= len(text):
        fields = _RECORD.unpack_from(text, at)
        end = at + _RECORD.size + fields[1]
        records.append(Record(fields, text[at + _RECORD.size:end]))
        at = end
    return records


class DiskFile:
    def __init__(self, content=b""):
        self.durable, self.pending = bytearray(content), []

    def sync(self):
        for change in self.pending:
            apply(self.durable, change)
        self.pending = []

    def after_a_cut(self, source):
        """With a random source some pending changes are kept, and some of these torn."""
        content = bytearray(self.durable)
        kept = [c for c in self.pending if source and source.random() < 0.5]
        for offset, data in kept:
            is_torn = data is not None and source.random() < 0.2
            apply(content, (offset, data[:len(data) // 2] if is_torn else data))
        return content


def apply(content, change):
    offset, data = change
    if data is None or offset > len(content):
        content.extend(bytes(max(0, offset - len(content))))
    if data is None:
        del content[offset:]
    else:
        content[offset:offset + len(data)] = data


class DiskFolder:
    """`now`: the names that programs see; `durable`: those on the disk. A pending change sets several
    names atomically (None: removed)."""

    def __init__(self, names):
        self.now, self.durable, self.pending = dict(names), dict(names), []

    def change(self, **names):
        self.pending.append(names)
        put(self.now, names)

    def sync(self):
        for names in self.pending:
            put(self.durable, names)
        self.pending = []

    def after_a_cut(self, source):
        names = dict(self.durable)
        for change in self.pending[:source.randrange(len(self.pending) + 1) if source else 0]:
            put(names, change)
        return names


def put(to, names):
    for name, file in names.items():
        if file is None:
            to.pop(name, None)
        else:
            to[name] = file


class Disk:
    """The inbox and its folders."""

    def __init__(self, inbox):
        self._files, self._folders, self._places = {}, {}, {}
        for place in ("", ".dustwire", ".dustwire/partial"):
            folder, names = os.path.join(inbox, place), {}
            for entry in os.scandir(folder):
                if entry.is_file():
                    with open(entry.path, "rb") as stream:
                        names[entry.name] = DiskFile(stream.read())
                    self._files[entry.inode()] = names[entry.name]
            ino = os.stat(folder).st_ino
            self._folders[ino], self._places[ino] = DiskFolder(names), place

    def do(self, r):
        if r.kind == CREATE:
            self._files[r.ino] = DiskFile()
            self._folders[r.dir].change(**{r.name: self._files[r.ino]})
        elif r.kind == WRITE:
            self._files[r.ino].pending.append((r.offset, r.content))
        elif r.kind == TRUNCATE:
            self._files[r.ino].pending.append((r.offset, None))
        elif r.kind == SYNC:
            (self._folders.get(r.ino) or self._files[r.ino]).sync()
        elif r.kind == SYNC_ALL:
            for thing in [*self._folders.values(), *self._files.values()]:
                thing.sync()
        elif r.kind == RENAME:
            self._rename(r)
        elif r.kind == UNLINK:
            self._folders[r.dir].change(**{r.name: None})

    def _rename(self, r):
        moved = self._folders[r.dir].now[r.name]
        if r.dir == r.to_dir:
            self._folders[r.dir].change(**{r.name: None, r.to_name: moved})
        else:
            self._folders[r.dir].change(**{r.name: None})
            self._folders[r.to_dir].change(**{r.to_name: moved})

    def write_after_a_cut(self, inbox, source):
        contents = {}  # a file with two names is one file
        for ino, folder in self._folders.items():
            place = os.path.join(inbox, self._places[ino])
            os.makedirs(place, 0o700, exist_ok=True)
            for name, file in folder.after_a_cut(source).items():
                content = contents.setdefault(id(file), file.after_a_cut(source))
                with open(os.path.join(place, name), "wb") as out:
                    out.write(content)


def record_load(field, node, files, largest=40000):
    """Peers send to the recorded daemon, which is then killed."""
    os.makedirs(os.path.join(node.inbox, ".dustwire", "partial"), 0o700, exist_ok=True)
    before = Disk(node.inbox)
    node.start()
    senders = field.senders(node, 2, files=files // 2 - 5, largest=largest)
    senders += field.senders(node, 1, files=10, window=1)
    for sender in senders:
        sender.join()
    node.kill()
    return before, read_log(node.layer.log_path)


def random_points(field, records, limit):
    return [field.source.randrange(1, len(records)) for _ in range(limit)]


def missing_received(node, removed=()):
    """Files listed as received that do not exist."""
    rows = harness.rows_of(node.command("received", "--json"), "received")
    return ["%s is listed as received and does not exist" % row["path"] for row in rows
            if not os.path.exists(row["path"]) and os.path.basename(row["path"]) not in removed]


def play(field, disk, records, points, settings=None, removed=()):
    """Simulates a cut before each of those records, dropping all or some changes."""
    at = 0
    for i, cut in enumerate(sorted(points)):
        while at < cut:
            disk.do(records[at])
            at += 1
        source = field.source if i % 2 else None
        node = field.node("cut", settings, is_started=False)
        disk.write_after_a_cut(node.inbox, source)
        try:
            node.start()
            losses = field.promises(node, field.book.as_of(records[cut].start_ns)) + missing_received(
                node, removed)
        except AssertionError as e:
            losses = [str(e)[-2000:]]
        field.end_run("cut before record %d of %d (kind %d), %s dropped" % (
            cut, len(records), records[cut].kind, "some" if source else "all"), losses)
        node.kill()
        field.end(node)


def cuts(field, limit, settings=None):
    node = field.node("bob", settings, is_started=False)
    node.with_layer(True)
    disk, records = record_load(field, node, 120 if limit < 100 else 400)
    field.notes.append("%d calls recorded" % len(records))
    play(field, disk, records, random_points(field, records, limit), settings)


def journal_cuts(field, limit):
    """The journal is near its limit of 1 MiB when the recording begins."""
    settings = {"inbox/journal-limit-mib": 1}
    node = field.node("bob", settings, is_recorded=True, is_started=False)
    recorded, node.layer = node.layer, None
    node.start()
    journal = os.path.join(node.inbox, ".dustwire", "journal")
    while os.path.getsize(journal) < (1 << 20) - 40000:
        for sender in field.senders(node, 4, files=50, largest=TOKEN + 1):
            sender.join()
    node.stop()
    removed = {os.path.basename(path) for path in node.received()}
    for path in node.received():
        os.unlink(path)
    field.book.forget()
    node.layer = recorded
    disk, records = record_load(field, node, 500)
    first = next((i for i, r in enumerate(records) if r.kind == RENAME and r.name == "journal.new"), 0)
    if not first:
        raise AssertionError("the journal was not rewritten")
    records = records[:first + 12]
    play(field, disk, records, random_points(field, records, max(1, limit // 2)), settings, removed)
    field.notes.append("rewritten at call %d of %d" % (first, len(records)))
