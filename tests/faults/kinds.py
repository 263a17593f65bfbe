"""The table of kinds. A row: name, description, function, and the maximum number of runs, in full and
with --quick (0: all)."""
import gatekills
import hostile
import failing_calls
import kills
import network
import powercut
import realcut

KINDS = (
    ("kill-receiver", "kill -9 of the receiver at random times under load", kills.receiver, 200, 6),
    ("kill-sender", "kill -9 of the sender at random times under load", kills.sender, 200, 6),
    ("kill-none", "the receiver with durability = none", kills.receiver_none, 200, 4),
    ("kill-call", "killed before and after each call of the receive path (layer)", kills.each_call, 0, 13),
    ("kill-call-none", "the same with durability = none", kills.each_call_none, 0, 14),
    ("kill-syscall", "killed at each system call of the receive path (strace)", kills.syscalls, 0, 17),
    ("gateway", "kill -9 of a remote gateway, of the daemon under it, of both, under load", gatekills.kills, 80, 4),
    ("power-cut", "unsynced writes and names dropped, some or all", powercut.cuts, 1000, 20),
    ("power-cut-ext4", "an atomic copy of a mounted ext4 under load", realcut.ext4, 100, 3),
    ("power-cut-xfs", "the same of an XFS", realcut.xfs, 100, 3),
    ("power-cut-btrfs", "the same of a btrfs", realcut.btrfs, 100, 3),
    ("power-cut-journal", "the same while the journal is rewritten", powercut.journal_cuts, 200, 2),
    ("disk", "each call on the inbox fails: ENOSPC EIO EDQUOT EROFS, short", failing_calls.disk, 600, 20),
    ("disk-none", "the same with durability = none", failing_calls.disk_none, 300, 14),
    ("disk-dies", "syncs, writes, renames, or all of them fail from some call on", failing_calls.failing_disk, 200, 12),
    ("disk-back", "the same, and recover without a restart", failing_calls.recovering_disk, 200, 12),
    ("disk-start", "each call on the inbox fails, at the start", failing_calls.start_disk, 0, 8),
    ("disk-full", "an inbox on a tmpfs of 2 MiB", failing_calls.full_disk, 10, 2),
    ("memory", "each allocation fails", failing_calls.memory, 0, 12),
    ("memory-start", "the same at the start", failing_calls.start_memory, 0, 8),
    ("descriptors", "EMFILE at each call that creates one", failing_calls.descriptors, 0, 8),
    ("descriptors-start", "the same at the start", failing_calls.start_descriptors, 0, 5),
    ("starved", "the descriptor limit of a running daemon lowered", failing_calls.low_descriptors, 5, 1),
    ("disk-blocked", "a disk that blocks one write for 10 s", network.blocked_disk, 5, 1),
    ("net-slow", "delay, one-byte segments, modem speed", network.slow_links, 9, 3),
    ("net-cut", "reset and half-close at random times", network.cuts, 60, 4),
    ("net-partition", "a partition that heals, and one that does not", network.partitions, 10, 2),
    ("net-flaky", "all sockets closed every 250 ms", network.flaky, 60, 1),
    ("net-link", "nftables and tc tbf lose packets, the link down", network.link, 12, 4),
    ("reload", "reloads and reconnects under load", network.reloads, 1000, 20),
    ("clock", "clock jumps", network.clock, 20, 5),
    ("half-open", "10,000 half-open handshakes, with good peers", hostile.half_open, 10, 1),
    ("drip", "1,000 peers of a byte per second, with good peers", hostile.drip, 10, 1),
    ("sizes", "invalid sizes and ids, 41 files", hostile.sizes, 10, 1),
    ("frames", "frames of every length from 0 to the limit + 2", hostile.frames, 200000, 400),
    ("hellos", "hellos with every kind of broken address", hostile.hellos, 10000, 300),
    ("file-ids", "a million distinct file ids", hostile.many_ids, 1000000, 10000),
)

# They measure throughput: no other kind runs at the same time.
ALONE = ("half-open", "drip")
