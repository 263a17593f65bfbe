/* Keeps the redo log in order beside the batches that write it: makes it when the first small file
 * comes, has the bulk thread settle a half that is full or whose first block is old, and cleans it
 * then. Until there is a clean half, files are synced without a log; what fails is tried again
 * later, after longer and longer.
 *
 * Owner: the committer's thread, where nothing else is said. */
#ifndef STORE_REDO_KEEPER_H
#define STORE_REDO_KEEPER_H

#include "redo.h"

#include "loop/loop.h"

struct redo_keeper;

/* Something for the bulk thread to do, and back with what came of it. */
struct redo_errand {
    struct message message; /* first */
    struct redo_keeper *keeper;
    unsigned half; /* to be settled: its number, which never changes */
    struct redo *made;
    enum err result;
    bool is_under_way;
};

struct redo_keeper {
    struct inbox *inbox;
    struct loop *loop, *bulk;
    struct timer timer;
    struct redo_errand making, settling[2]; /* one for each half */
    uint64_t pause_ms;                      /* until the next look; longer while it fails */
    bool is_failure_told;
};

/* Before the threads start. */
void redo_keeper_init(struct redo_keeper *keeper, struct inbox *inbox, struct loop *loop,
                      struct loop *bulk);

/* Before each batch of files. */
void redo_keeper_tend(struct redo_keeper *keeper);

/* After the last batch, when the bulk thread has ended: settles and cleans what there is. */
void redo_keeper_finish(struct redo_keeper *keeper);

#endif
