/* Received files as recorded in the journal, in order of time, one page at a time.
 *
 * Owner: one thread that may block on the disk here; neither a worker nor a thread that others wait
 * for. Reads concurrently with the journal's writers and keeps an index of what it has read, 40
 * bytes a record, until inbox_received_forget. */
#ifndef STORE_INBOX_RECEIVED_H
#define STORE_INBOX_RECEIVED_H

#include "base/err.h"
#include "store/journal/file.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inbox;

struct inbox_received;

/* A file's position in that order; unique. */
struct inbox_received_position {
    int64_t committed_us;
    uint32_t transfer_id;
};

enum inbox_received_from {
    INBOX_RECEIVED_FROM_START, /* the oldest, after skipping `offset` */
    INBOX_RECEIVED_AFTER,      /* those after `position` */
    INBOX_RECEIVED_BEFORE,     /* the newest ones before `position` */
    INBOX_RECEIVED_NEWEST,     /* the newest ones */
};

/* A page of the files committed at or after `since_us`: at most `limit`, in order of time. */
struct inbox_received_query {
    int64_t since_us;
    enum inbox_received_from from;
    size_t offset;
    struct inbox_received_position position;
    size_t limit;
};

/* `is_there`: the inbox has a file of that name. The record is valid during the call. */
typedef void inbox_received_fn(void *ctx, const struct journal_file *record, bool is_reported,
                               bool is_there);

/* `is_stopping` can be set by any thread: a running query then fails with ERR_CLOSED. */
enum err inbox_received_open(struct inbox_received **out, struct inbox *inbox,
                             const atomic_bool *is_stopping);
void inbox_received_close(struct inbox_received **received);

enum err inbox_received_each(struct inbox_received *received,
                             const struct inbox_received_query *query, inbox_received_fn *each,
                             void *ctx);

/* Frees the index; the next query reads the whole journal again. */
void inbox_received_forget(struct inbox_received *received);

#endif
