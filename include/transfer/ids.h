/* Transfer ids for one thread: blocks reserved from the journal, and how many ids of each are in
 * use. A block is returned to the journal, which reuses it after all ids have been used once, only
 * when none of its ids is in use. Owner: the thread of the loop. */
#ifndef TRANSFER_IDS_H
#define TRANSFER_IDS_H

#include "base/err.h"
#include "loop/loop.h"
#include "store/commit/request.h"
#include "store/journal/transfer_ids.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* A block, and how many of its ids are in use. */
struct transfer_ids_block {
    SLIST_ENTRY(transfer_ids_block) link;
    struct transfer_ids ids; /* from the first used one to the end */
    unsigned live;
};

struct committer;
struct inbox;

struct transfer_ids_pool {
    struct loop *loop;
    struct committer *committer;
    struct transfer_ids present; /* the rest of the current block */
    SLIST_HEAD(, transfer_ids_block) used;
    struct commit_request more;
    bool is_requesting; /* the committer has `more`: the pool must exist until it is answered */
};

/* Reserves the first block. On failure nothing must be released. */
enum err transfer_ids_init(struct transfer_ids_pool *pool, struct loop *loop, struct inbox *inbox,
                           struct committer *committer);
/* Not while `is_requesting`. An all-zero pool is a no-op. */
void transfer_ids_fini(struct transfer_ids_pool *pool);

/* The next id, in use until it is given back; 0: none left, the journal could not reserve more. */
uint32_t transfer_ids_next(struct transfer_ids_pool *pool);
void transfer_ids_release(struct transfer_ids_pool *pool, uint32_t id);

#endif
