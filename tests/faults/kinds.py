"""The one table of kinds. A row: name, what is done, the function, and how many runs it makes at most,
in full and with --quick (0: all there are)."""
import kills
import powercut

KINDS = (
    ("kill-receiver", "kill -9 of the receiver at random times under load", kills.receiver, 200, 8),
    ("kill-sender", "kill -9 of the sender at random times under load", kills.sender, 200, 6),
    ("kill-call", "killed before and after each call of the receive path (layer)", kills.in_turn, 0, 26),
    ("kill-syscall", "killed at each system call of the receive path (strace)", kills.syscalls, 0, 17),
    ("power-cut", "unsynced writes and names dropped, some or all", powercut.cuts, 1000, 40),
    ("power-cut-journal", "the same while the journal is rewritten", powercut.journal_cuts, 200, 6),
)
