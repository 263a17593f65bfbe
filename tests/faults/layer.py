"""The test's side of the preloaded fault layer (layer.h)."""
import errno
import mmap
import os
import struct

import node as harness

LIBRARY = os.path.join(harness.BUILD, "tests", "libfaultlayer.so")
FAIL, SHORT, BLOCK, KILL_BEFORE, KILL_AFTER = range(5)
EVER = 0xffffffff
_PAGE = struct.Struct("=128s256sIIIIiIIIq")
_ARMED_AT = 128 + 256
_SEEN_AT = _ARMED_AT + 6 * 4
_OFFSET_AT = _SEEN_AT + 8


class Layer:
    """The page of one daemon; `environment` is to be set for the daemon."""

    def __init__(self, folder, recorded=None):
        self.path = os.path.join(folder, "faults-page")
        with open(self.path, "wb") as out:
            out.write(bytes(_PAGE.size))
        with open(self.path, "r+b") as stream:
            self._page = mmap.mmap(stream.fileno(), _PAGE.size)
        self.environment = {"LD_PRELOAD": LIBRARY, "FAULTS_PAGE": self.path}
        if recorded:
            self.log_path = os.path.join(folder, "faults-log")
            open(self.log_path, "wb").close()
            self.environment.update(FAULTS_ROOT=recorded, FAULTS_LOG=self.log_path)

    def arm(self, call, at=0, times=1, mode=FAIL, error=errno.EIO, block_ms=0, under=""):
        """From now on, hits the `at`-th of those calls (space-separated names) and the `times` - 1 after
        it."""
        self.disarm()
        offset, = struct.unpack_from("=q", self._page, _OFFSET_AT)
        self._page[:] = _PAGE.pack(call.encode(), under.encode(), 0, at, times, mode, error, block_ms,
                                   0, 0, offset)
        struct.pack_into("=I", self._page, _ARMED_AT, 1)

    def count(self, call, under=""):
        """Counts calls, without hitting any."""
        self.arm(call, at=EVER, times=0, under=under)

    def disarm(self):
        struct.pack_into("=I", self._page, _ARMED_AT, 0)

    @property
    def seen(self):
        return struct.unpack_from("=I", self._page, _SEEN_AT)[0]

    @property
    def hits(self):
        return struct.unpack_from("=I", self._page, _SEEN_AT + 4)[0]

    def shift_clock(self, seconds):
        struct.pack_into("=q", self._page, _OFFSET_AT, int(seconds * 1000000))
