/* What the tests of the redo log share: files that go into it, what a power cut takes, and a disk
 * that refuses. */
#ifndef TESTS_STORE_REDO_SUPPORT_H
#define TESTS_STORE_REDO_SUPPORT_H

#include "store/redo.h"

#include <sys/types.h>

enum { SMALL_LOG = 1 << 20 };

/* An inbox whose log was written in another run of the kernel, or in this one. */
void open_with_log(void);
void open_with_log_of_this_run(void);

/* One batch, without a committer whose end would leave the log clean. */
void run_batch(struct commit_request *requests, size_t count);
struct commit_request logged_file(uint32_t transfer_id, const void *bytes, size_t length);

void lose_name(const struct commit_request *r);
void lose_data(const struct commit_request *r, off_t length);
void lose_journal(uint64_t from);

int open_log(void);
void damage_log(uint64_t at, const void *bytes, size_t length);

/* The inode: another one is another file. */
ino_t number_of(const struct commit_request *r);

/* What is refused with EIO, once: the n-th call from now on (0: none), the n-th after that, the
 * first read of the log at that offset (0: none). */
extern struct bad_disk {
    int syncfs_number, syncfs_again;
    int fdatasync_number, fdatasync_again;
    off_t log_read_at;
    bool has_no_group; /* fchown(2) is refused, as long as this is set */
} bad_disk;

#endif
