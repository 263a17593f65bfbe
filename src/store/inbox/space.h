/* Disk space accounting. The full announced size of a file is reserved when it begins, so that
 * concurrent files cannot fill the disk together. Sizes are counted as allocated by the file
 * system: whole blocks, at least one. Any thread unless stated otherwise. */
#ifndef STORE_INBOX_SPACE_H
#define STORE_INBOX_SPACE_H

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised: no limits. */
struct inbox_space {
    uint64_t block_bytes; /* file system's block size; set before the threads start */
    /* For all files in the inbox or being received; 0: no limit. */
    _Atomic uint64_t quota_bytes, files_limit;
    _Atomic uint64_t min_free_bytes; /* to keep free on the disk */
    _Atomic uint64_t pending_bytes;  /* reserved and not yet written; updated in steps */
    /* Files being received. */
    _Atomic uint64_t open_bytes, open_files;
    /* The same plus the files in the inbox as of the last count. */
    _Atomic uint64_t used_bytes, used_files;
};

enum { INBOX_SPACE_STEP_BYTES = 1 << 20 };

/* Before the threads start. */
void inbox_space_open(struct inbox_space *s, int dir_fd);

/* Disk usage of a file of that size. */
uint64_t inbox_space_cost(const struct inbox_space *s, uint64_t size);

struct inbox_space_limits {
    uint64_t quota_bytes, files; /* 0: none */
    uint64_t min_free_bytes;
};
/* Not in a worker: enabling a limit counts the files in the inbox. */
void inbox_space_set_limits(struct inbox_space *s, int dir_fd,
                            const struct inbox_space_limits *limits);

/* Number of inodes to keep free on a file system with `all` inodes. */
uint64_t inbox_space_min_free_files(uint64_t all);

/* Reserves space for one more file; `cost` as of inbox_space_cost. ERR_INBOX_QUOTA,
 * ERR_INBOX_FILES, ERR_MIN_FREE, ERR_MIN_FREE_FILES: nothing is reserved. */
enum err inbox_space_reserve(struct inbox_space *s, int dir_fd, uint64_t cost);
void inbox_space_written(struct inbox_space *s, uint64_t bytes);

/* Releases a finished file's reservation. `pending`: the part not reported as written; `is_kept`:
 * the file is in the inbox. */
void inbox_space_release(struct inbox_space *s, uint64_t pending, uint64_t cost, bool is_kept);

/* Not in a worker: reads the directory, because files are removed by other programs. `has_sizes`:
 * reads every inode as well, for the quota. */
void inbox_space_count(struct inbox_space *s, int dir_fd, bool has_sizes);

/* The same, but only if a limit is set and the directory has changed since the last count (or a
 * minute has passed). `r`: owned by the caller, zero-initialised. */
struct inbox_space_recount {
    int64_t mtime_ns; /* mtime of the directory at the last count */
    uint64_t counted_ms;
    bool is_settled; /* no later change can have the same mtime */
};
void inbox_space_recount(struct inbox_space *s, struct inbox_space_recount *r, int dir_fd,
                         uint64_t now_ms);

#endif
