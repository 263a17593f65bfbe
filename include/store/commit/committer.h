/* Makes finished files durable in batches: all requests queued in its mailbox form one batch, so
 * many files share a sync. Runs in one thread, which owns the journal; exception: without
 * durability a worker commits one or two files itself (committer_turn_end). Order of a commit:
 * write data -> append record to the journal -> sync data and journal ->
 * renameat2(RENAME_NOREPLACE) -> sync directory -> answer. Without durability the same steps
 * without syncs. If a sync fails, the file is removed under either name and the request is answered
 * with the error; a file is never synced again after a failed sync. Large files are unlinked here
 * too, so that workers do not block on them. */
#ifndef STORE_COMMIT_COMMITTER_H
#define STORE_COMMIT_COMMITTER_H

#include "base/err.h"
#include "loop/mailbox.h"
#include "store/commit/request.h"
#include "store/inbox/partial_file.h"

#include <stdbool.h>
#include <stddef.h>

struct committer;
struct inbox;

enum err committer_open(struct committer **out, struct inbox *inbox);
void committer_close(struct committer **committer);
enum err committer_start(struct committer *committer);
/* Call after all submitters have stopped; requests submitted before are completed first. */
void committer_stop(struct committer *committer);

/* Any thread. Always accepted: the number of open files is bounded by the sessions, 40 each. */
void committer_submit(struct committer *committer, struct commit_request *request);

/* Collects what a worker submits in one turn of its loop and submits it at the end of the turn:
 * submitted one by one the files would become batches of one, each with its own syncs. Without
 * durability, one or two files are committed in the worker's thread if no other commit is running,
 * and are answered before committer_turn_end returns. Owner: the worker. */
struct committer_turn {
    struct message_list requests;
    size_t count;
    void *owner; /* of the mailbox that receives all the answers */
};
void committer_turn_init(struct committer_turn *turn, void *owner);
void committer_turn_add(struct committer_turn *turn, struct committer *committer,
                        struct commit_request *request);
/* True if requests were answered before it returned. */
bool committer_turn_end(struct committer_turn *turn, struct committer *committer);

/* File owner, after each write. Starts writeback of a large file while it is still being received
 * (durability full), so that the final sync has little left to write. A hint only: never fails,
 * never blocks. */
void committer_start_writeback(struct committer *committer, struct inbox_partial_file *file);

/* Any thread. Number of queued requests, for status. */
size_t committer_waiting(struct committer *committer);

#endif
