/* What the journal knows of received files, in order of time, a page at a time.
 *
 * Owner: one thread, which may wait for a disk here; not a worker, nor one that others wait for. It
 * reads beside the journal's writers and keeps what it has read: 40 bytes a record, until
 * received_forget. */
#ifndef STORE_INBOX_RECEIVED_H
#define STORE_INBOX_RECEIVED_H

#include "base/err.h"
#include "store/inbox/inbox.h"

#include <stdatomic.h>

struct received;

/* A file's place in the order: no two have the same. */
struct received_place {
    int64_t committed_us;
    uint32_t transfer_id;
};

enum received_from {
    RECEIVED_FROM_START, /* the oldest, skipping `offset` */
    RECEIVED_AFTER,      /* those behind `place` */
    RECEIVED_BEFORE,     /* the last ones before `place` */
    RECEIVED_NEWEST,     /* the last ones */
};

/* A page of those committed at or after `since_us`: `limit` at most, told in order of time. */
struct received_query {
    int64_t since_us;
    enum received_from from;
    size_t offset;
    struct received_place place;
    size_t limit;
};

/* `is_there`: a file of its name stands in the inbox. The record is valid during the call. */
typedef void received_fn(void *ctx, const struct inbox_record *record, bool is_reported,
                         bool is_there);

/* `is_stopping` may be set by any thread: what is being read then ends with ERR_CLOSED. */
enum err received_open(struct received **out, struct inbox *inbox, const atomic_bool *is_stopping);
void received_close(struct received **received);

enum err received_each(struct received *received, const struct received_query *query,
                       received_fn *each, void *ctx);

/* Gives the memory back; the next query reads all of it again. */
void received_forget(struct received *received);

#endif
