/* Shared by the store's tests: a scratch directory, an open inbox, commits with their answers. */
#ifndef STORE_STORE_SUPPORT_H
#define STORE_STORE_SUPPORT_H

#include "store/commit/committer.h"
#include "store/inbox/inbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCRATCH_SIZE = 256, LIMIT_BYTES = 1 << 20 };

extern char scratch[SCRATCH_SIZE]; /* the inbox's path is below it */
extern char inbox_path[SCRATCH_SIZE + 16];
extern struct inbox *inbox;

/* `.init` and `.fini` of a suite: only the directory; the test opens the inbox. */
void make_scratch(void);
void remove_scratch(void);
/* The same in the build directory: a real disk, where syncs have an effect. */
void make_scratch_on_disk(void);
void remove_tree(const char *path);

void open_inbox(enum durability durability, uint64_t limit_bytes);
void reopen_inbox(enum durability durability);

/* Runs a committer, submits `count` requests and waits until each is answered, once. */
void commit_all(struct commit_request *requests, size_t count);

/* A written file, as a request to commit it. */
struct commit_request written_file(uint32_t transfer_id, const void *bytes, size_t length);
void commit_file(uint32_t transfer_id, const char *text);
void mark_reported(uint32_t transfer_id);

/* The received files as listed by a single query: from `offset` on, oldest first. */
typedef void received_row_fn(void *ctx, const struct journal_file *record, bool is_reported);
enum err inbox_each_received(struct inbox *from, int64_t since_us, size_t offset, size_t limit,
                             received_row_fn *each, void *ctx);

/* The first step of a commit only, as after a crash: writes the record. */
void journal_file_only(const struct commit_request *r);

bool is_in_inbox(const char *name, const void *bytes, size_t length);
bool is_partial(const char *name);

/* Number of unreported results, and the last of them. */
struct unreported_seen {
    unsigned finished, failed;
    uint32_t last_id;
    char last_proto[JOURNAL_FILE_PROTO_SIZE];
};
struct unreported_seen unreported_now(void);

#endif
