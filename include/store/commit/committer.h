/* Makes finished files durable in batches: everything that waits in its mailbox is one batch, so
 * many files share a sync. One thread; owns the journal, but for a file alone without durability,
 * which its worker commits itself (committer_turn_end). Order of a commit: data written -> record
 * appended to the journal -> data synced, journal synced -> renameat2(RENAME_NOREPLACE) ->
 * directory synced -> answer. Without durability the same without syncs. A failed sync: the file is
 * removed under either name and the request answered with the error; it is never synced again as if
 * it were clean. Large unlinks happen here too, so that no worker waits for them. */
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
/* After everybody who submits has stopped; what was submitted is done first. */
void committer_stop(struct committer *committer);

/* Any thread. Never refused: files at once are bounded by sessions, 40 each. */
void committer_submit(struct committer *committer, struct commit_request *request);

/* What a worker submits in a turn of its loop, handed over together at its end: one by one they
 * would be batches of one, each with syncs of its own. Without durability one or two are committed
 * in the worker's thread, if nobody commits just then, and answered before committer_turn_end
 * returns. Owner: the worker. */
struct committer_turn {
    struct message_list requests;
    size_t count;
    void *owner; /* of the mailbox that all of them are answered to */
};
void committer_turn_init(struct committer_turn *turn, void *owner);
void committer_turn_add(struct committer_turn *turn, struct committer *committer,
                        struct commit_request *request);
/* True if some were answered. */
bool committer_turn_end(struct committer_turn *turn, struct committer *committer);

/* The file's owner, after each write. Of a large file the bytes start on their way to the disk
 * while more come in (durability full), so that the sync at its end has little left to wait for. A
 * hint: nothing fails by it, and it never waits. */
void committer_write_early(struct committer *committer, struct inbox_partial_file *file);

/* Any thread. Requests that wait now, for status. */
size_t committer_waiting(struct committer *committer);

#endif
