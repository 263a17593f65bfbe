/* Room on the disk for what peers announced. A file's whole size is reserved when it begins, so
 * that files that come in at once never fill the disk together. What counts is what the file system
 * takes: whole blocks, one at least. Any thread, where nothing else is said. */
#ifndef STORE_INBOX_SPACE_H
#define STORE_INBOX_SPACE_H

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zero is one without limits. */
struct inbox_space {
    uint64_t block_bytes; /* of the file system; set before the threads */
    /* Of all files that stand in the inbox or are under way; 0: no limit. */
    _Atomic uint64_t quota_bytes, files_limit;
    _Atomic uint64_t min_free_bytes; /* of the disk */
    _Atomic uint64_t pending_bytes;  /* reserved and not written yet, in steps */
    /* Of the files under way. */
    _Atomic uint64_t open_bytes, open_files;
    /* Those, and what stood in the inbox when it was counted last. */
    _Atomic uint64_t used_bytes, used_files;
};

enum { INBOX_SPACE_STEP_BYTES = 1 << 20 };

/* Before the threads. */
void inbox_space_open(struct inbox_space *s, int dir_fd);

/* What a file of that size takes. */
uint64_t inbox_space_cost(const struct inbox_space *s, uint64_t size);

struct inbox_space_limits {
    uint64_t quota_bytes, files; /* 0: none */
    uint64_t min_free_bytes;
};
/* Not in a worker: a new limit begins with counting. */
void inbox_space_set_limits(struct inbox_space *s, int dir_fd,
                            const struct inbox_space_limits *limits);

/* How many inodes stay free on a file system that has `all`. */
uint64_t inbox_space_free_files_wanted(uint64_t all);

/* One file more, of that inbox_space_cost. ERR_INBOX_QUOTA, ERR_INBOX_FILES, ERR_MIN_FREE,
 * ERR_MIN_FREE_FILES: nothing is reserved. */
enum err inbox_space_reserve(struct inbox_space *s, int dir_fd, uint64_t cost);
void inbox_space_written(struct inbox_space *s, uint64_t bytes);

/* The file is through. `pending`: what was not told as written; `is_kept`: it stands in the inbox.
 */
void inbox_space_release(struct inbox_space *s, uint64_t pending, uint64_t cost, bool is_kept);

/* Not in a worker: reads the directory, because others take files away. `has_sizes`: every inode
 * too, for the quota. */
void inbox_space_count(struct inbox_space *s, int dir_fd, bool has_sizes);

/* The same, if there is a limit and the folder has changed since the last time (or a minute has
 * gone by). `r`: the caller's, all zero at first. */
struct inbox_space_recount {
    int64_t mtime_ns; /* of the folder, when it was counted */
    uint64_t counted_ms;
    bool is_settled; /* nothing more could change under that mtime */
};
void inbox_space_recount(struct inbox_space *s, struct inbox_space_recount *r, int dir_fd,
                         uint64_t now_ms);

#endif
