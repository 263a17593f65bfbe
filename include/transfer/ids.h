/* Transfer ids for one thread: blocks of them from the journal, and which of a block's are in use.
 * A block goes back to the journal, and to others when all ids have been used once, only when no
 * transfer has one of them. Owner: the thread of the loop. */
#ifndef TRANSFER_IDS_H
#define TRANSFER_IDS_H

#include "base/err.h"
#include "loop/loop.h"
#include "store/commit/request.h"
#include "store/journal/transfer_ids.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* A block, and how many transfers have one of its ids. */
struct transfer_ids_block {
    SLIST_ENTRY(transfer_ids_block) link;
    struct transfer_ids ids; /* from the first that was given to the end */
    unsigned live;
};

struct committer;
struct inbox;

struct transfer_ids_pool {
    struct loop *loop;
    struct committer *committer;
    struct transfer_ids present; /* what is left of the block in use */
    SLIST_HEAD(, transfer_ids_block) used;
    struct commit_request more;
    bool is_asking; /* `more` is the committer's: the pool has to stay */
};

/* With the first block. On failure there is nothing to be released. */
enum err transfer_ids_init(struct transfer_ids_pool *pool, struct loop *loop, struct inbox *inbox,
                           struct committer *committer);
/* Not while it is asking. One that is all zero is a no-op. */
void transfer_ids_fini(struct transfer_ids_pool *pool);

/* The next id; 0 if the journal could not reserve any more. It is the transfer's until it is given
 * back. */
uint32_t transfer_ids_next(struct transfer_ids_pool *pool);
void transfer_ids_give_back(struct transfer_ids_pool *pool, uint32_t id);

#endif
