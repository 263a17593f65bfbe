/* A batch of commits. Owner: the owner of its journal. */
#ifndef STORE_COMMIT_BATCH_H
#define STORE_COMMIT_BATCH_H

#include "base/err.h"
#include "loop/mailbox.h"
#include "store/commit/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inbox;
struct journal;

enum { COMMIT_BATCH_MAX = 1024 };

struct commit_batch {
    struct inbox *inbox;
    struct journal *journal;
    int meminfo_fd; /* /proc/meminfo; -1: unknown, or syncfs must not be used */
    /* Queues: COMMIT_FILE; COMMIT_REPORTED and COMMIT_IDS. */
    struct message_list files, marks;
    /* The batch being committed. A request's result is its state: ERR_OK until a step fails. */
    struct message_list marks_taken;
    size_t count;
    struct commit_request *requests[COMMIT_BATCH_MAX];
    bool is_renamed[COMMIT_BATCH_MAX];
    int64_t now_us;
    bool has_ids;                /* reserved ids must be durable before they are handed out */
    bool has_records;            /* this batch's records are in the journal */
    enum err journal_error;      /* error of writing this batch's records and marks */
    uint64_t logged_s;           /* time of the last log line about the journal */
    struct message_list answers; /* of commit_batch_run, not sent yet; `deliver` is set in each */
};

void commit_batch_init(struct commit_batch *batch, struct inbox *inbox, struct journal *journal);

/* FILE, REPORTED, IDS. */
void commit_batch_add(struct commit_batch *batch, struct commit_request *request);
bool commit_batch_has_pending(const struct commit_batch *batch);

/* Commits the queued requests, at most COMMIT_BATCH_MAX files, and appends them to `answers`.
 * `journal_state` other than ERR_OK: the journal cannot be written, all requests fail with that
 * error. */
void commit_batch_run(struct commit_batch *batch, enum err journal_state);

/* Any thread that owns the batch. Sends `answers` to the requesters. */
void commit_batch_send_answers(struct commit_batch *batch);

#endif
