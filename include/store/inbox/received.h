/* What the journal knows of received files, in order of time, a page at a time.
 *
 * Owner: one thread, which may wait for a disk here; not a worker, nor one that others wait for. It
 * reads beside the journal's writers and keeps what it has read: 40 bytes a record, until
 * inbox_received_forget. */
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

/* A file's place in the order: no two have the same. */
struct inbox_received_place {
    int64_t committed_us;
    uint32_t transfer_id;
};

enum inbox_received_from {
    INBOX_RECEIVED_FROM_START, /* the oldest, skipping `offset` */
    INBOX_RECEIVED_AFTER,      /* those behind `place` */
    INBOX_RECEIVED_BEFORE,     /* the last ones before `place` */
    INBOX_RECEIVED_NEWEST,     /* the last ones */
};

/* A page of those committed at or after `since_us`: `limit` at most, told in order of time. */
struct inbox_received_query {
    int64_t since_us;
    enum inbox_received_from from;
    size_t offset;
    struct inbox_received_place place;
    size_t limit;
};

/* `is_there`: a file of its name stands in the inbox. The record is valid during the call. */
typedef void inbox_received_fn(void *ctx, const struct journal_file *record, bool is_reported,
                               bool is_there);

/* `is_stopping` may be set by any thread: what is being read then ends with ERR_CLOSED. */
enum err inbox_received_open(struct inbox_received **out, struct inbox *inbox,
                             const atomic_bool *is_stopping);
void inbox_received_close(struct inbox_received **received);

enum err inbox_received_each(struct inbox_received *received,
                             const struct inbox_received_query *query, inbox_received_fn *each,
                             void *ctx);

/* Gives the memory back; the next query reads all of it again. */
void inbox_received_forget(struct inbox_received *received);

#endif
