"""Planted losses: each must be detected, or the harness proves nothing."""
import os

import powercut
import realcut
from field import Field


def gone(paths):
    os.unlink(paths[0])


def twice(paths):
    with open(paths[0], "rb") as one, open(paths[0][:-4] + "f.in", "wb") as other:
        other.write(one.read())


def another_byte(paths):
    with open(paths[0], "r+b") as one:
        one.seek(-1, os.SEEK_END)
        last = one.read(1)
        one.seek(-1, os.SEEK_END)
        one.write(bytes([last[0] ^ 1]))


def partial(paths):
    os.truncate(paths[0], os.path.getsize(paths[0]) - 1)


def nothing_but_unreported(paths):
    with open(os.path.join(os.path.dirname(paths[0]), "20261121T000000Z-0123456789abcdef.in"), "wb"):
        pass


HARMS = (gone, twice, another_byte, partial, nothing_but_unreported)


def is_harm_found(field, harm):
    node = field.node()
    for sender in field.senders(node, 1, files=5, size=100):
        sender.join()
    harm(node.received())
    return field.promises(node)


def is_power_cut_found(field):
    """Without durability a power cut must lose files: shows that unsynced changes are really dropped."""
    powercut.cuts(field, 6, {"inbox/durability": "none"})
    return field.losses


def is_real_cut_found(kind):
    def check(field):
        realcut.cuts(field, 3, kind, {"inbox/durability": "none"})
        return field.losses or ([] if field.runs else ["not checked: " + field.notes[0]])
    return check


POWER_CUTS = (("no durability", is_power_cut_found),
              *(("no durability, " + kind, is_real_cut_found(kind)) for kind in realcut.MAKE))


def run():
    missed = 0
    for harm in HARMS:
        field = Field(0, harm.__name__)
        found = is_harm_found(field, harm)
        field.close()
        print("%-24s %s" % (harm.__name__, found[0][:90] if found else "NOT FOUND"))
        missed += not found
    for name, check in POWER_CUTS:
        field = Field(0, name)
        field.is_silent = True
        found = check(field)
        field.close()
        print("%-24s %s" % (name, found[0][:90] if found else "NOT FOUND"))
        missed += not found
    return 1 if missed else 0
