"""Losses put in on purpose: a harness that does not find them proves nothing."""
import os

import powercut
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
    """Without durability a power cut must cost files: what the cuts drop is really dropped."""
    powercut.cuts(field, 6, {"inbox/durability": "none"})
    return field.losses


def run():
    missed = 0
    for harm in HARMS:
        field = Field(0, harm.__name__)
        found = is_harm_found(field, harm)
        field.close()
        print("%-24s %s" % (harm.__name__, found[0][:90] if found else "NOT FOUND"))
        missed += not found
    field = Field(0, "none")
    field.is_silent = True
    found = is_power_cut_found(field)
    field.close()
    print("%-24s %s" % ("no durability", found[0][:90] if found else "NOT FOUND"))
    return 1 if missed or not found else 0
