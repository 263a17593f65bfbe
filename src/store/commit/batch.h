/* Many commits as one. Owner: its journal's. */
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
    int meminfo_fd; /* /proc/meminfo; -1: none, or nothing is synced at once */
    /* What waits: COMMIT_FILE; COMMIT_REPORTED and COMMIT_IDS. */
    struct message_list files, marks;
    /* The batch under way. A request's result is its state: ERR_OK as long as all went well. */
    struct message_list marks_taken;
    size_t count;
    struct commit_request *requests[COMMIT_BATCH_MAX];
    bool is_renamed[COMMIT_BATCH_MAX];
    int64_t now_us;
    bool has_ids;           /* that must be on the disk before they are given out */
    bool has_records;       /* of this batch, in the journal */
    enum err journal_error; /* of this batch's records and marks */
    uint64_t told_s;        /* when it was said last */
    struct message_list
        answers; /* of commit_batch_run, not sent yet; each with its `deliver` set */
};

void commit_batch_init(struct commit_batch *batch, struct inbox *inbox, struct journal *journal);

/* FILE, REPORTED, IDS. */
void commit_batch_add(struct commit_batch *batch, struct commit_request *request);
bool commit_batch_is_waiting(const struct commit_batch *batch);

/* Commits what waits, COMMIT_BATCH_MAX files at most, and adds it to `answers`. `journal_state` not
 * ERR_OK: the journal cannot be written, everything fails for that reason. */
void commit_batch_run(struct commit_batch *batch, enum err journal_state);

/* Any thread that has the batch. Sends `answers` back to whoever asked. */
void commit_batch_send_answers(struct commit_batch *batch);

#endif
