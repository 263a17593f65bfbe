/* Where a worker hands in what is to be committed. With durability = none there is no disk to wait
 * for, so the desk commits in its owner's own thread, many files at once, into a part of the
 * journal of its own (docs/store.md); a part that has grown is handed to the committer, which
 * absorbs it. Everything else, and everything with durability = full, it passes on to the
 * committer, together at the end of the owner's turn, so that it is one batch there, too; while the
 * redo log takes small files, some at a time.
 *
 * Owner: one worker. Open before its thread starts, close after it ended. */
#ifndef STORE_COMMIT_DESK_H
#define STORE_COMMIT_DESK_H

#include "base/err.h"
#include "store/committer.h"

#include <stdbool.h>

struct commit_desk;

enum err commit_desk_open(struct commit_desk **out, struct inbox *inbox,
                          struct committer *committer, unsigned worker);

/* Owner. As committer_submit; but what the desk does itself it answers by calling `on_answer` from
 * within commit_desk_run. */
void commit_desk_submit(struct commit_desk *desk, struct commit_request *request);

/* Owner, once a turn or more often: commits what was handed in. Answers may hand in more, for the
 * next run. True if files were committed, so that somebody is to be told. */
bool commit_desk_run(struct commit_desk *desk);

/* Owner. True if the next run has something to do. */
bool commit_desk_is_waiting(const struct commit_desk *desk);

/* After the owner's last turn, while the committer runs: gives it the part of the journal. */
void commit_desk_stop(struct commit_desk *desk);

/* A part not given by then stays for the next start. */
void commit_desk_close(struct commit_desk **desk);

#endif
