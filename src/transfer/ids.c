#include "transfer/ids.h"

#include "base/log.h"
#include "store/commit/committer.h"
#include "store/inbox/inbox.h"

#include <stddef.h>
#include <stdlib.h>

static struct transfer_ids_block *ids_with(struct transfer_ids_pool *pool, uint32_t id)
{
    struct transfer_ids_block *used;

    SLIST_FOREACH(used, &pool->used, link)
    if (id >= used->ids.next && id < used->ids.end)
        return used;
    return NULL;
}

/* What is left of `block` counts as used from now on; NULL without memory. */
static struct transfer_ids_block *begin_ids(struct transfer_ids_pool *pool,
                                            const struct transfer_ids *block)
{
    struct transfer_ids_block *used = calloc(1, sizeof *used);

    if (used == NULL)
        return NULL;
    used->ids = *block;
    SLIST_INSERT_HEAD(&pool->used, used, link);
    return used;
}

/* Takes out a block that nobody needs any more; an empty one if there is none. */
static struct transfer_ids take_unused(struct transfer_ids_pool *pool)
{
    bool is_all_used = pool->present.next == pool->present.end;
    struct transfer_ids block = {0};
    struct transfer_ids_block *used;

    SLIST_FOREACH(used, &pool->used, link)
    {
        if (used->live > 0 || (used->ids.end == pool->present.end && !is_all_used))
            continue;
        block = used->ids;
        SLIST_REMOVE(&pool->used, used, transfer_ids_block, link);
        free(used);
        break;
    }
    return block;
}

static void ids_came(struct message *m, void *owner)
{
    struct transfer_ids_pool *pool = (void *)((char *)m - offsetof(struct transfer_ids_pool, more));

    (void)owner;
    pool->is_asking = false;
    if (pool->more.request.result != ERR_OK) {
        if (pool->more.ids.end > 0) /* reserved all the same: returned with the next request */
            begin_ids(pool, &pool->more.ids);
        pool->more.ids = (struct transfer_ids){0};
        log_error("no new block of transfer ids: %s", err_text(pool->more.request.result));
    }
}

static void ask_ids(struct transfer_ids_pool *pool)
{
    pool->is_asking = true;
    pool->more = (struct commit_request){
        .kind = COMMIT_IDS,
        .ids_back = take_unused(pool),
        .request = {.answer_to = loop_mailbox(pool->loop), .on_answer = ids_came}};
    committer_submit(pool->committer, &pool->more);
}

static uint32_t use_id(struct transfer_ids_pool *pool)
{
    struct transfer_ids_block *used = ids_with(pool, pool->present.next);

    if (used == NULL)
        used = begin_ids(pool, &pool->present);
    if (used == NULL)
        return 0;
    used->live++;
    return pool->present.next++;
}

enum err transfer_ids_init(struct transfer_ids_pool *pool, struct loop *loop, struct inbox *inbox,
                           struct committer *committer)
{
    *pool = (struct transfer_ids_pool){.loop = loop, .committer = committer};
    return inbox_first_ids(inbox, &pool->present);
}

/* The second block is asked for when half of the first is gone: 32,768 more files would have to
 * begin before the disk answers to run dry. */
uint32_t transfer_ids_next(struct transfer_ids_pool *pool)
{
    struct transfer_ids *spare = &pool->more.ids;

    if (pool->present.next == pool->present.end && !pool->is_asking) {
        pool->present = *spare;
        *spare = (struct transfer_ids){0};
    }
    if (!pool->is_asking && spare->next == spare->end &&
        pool->present.end - pool->present.next <= TRANSFER_IDS_BLOCK / 2)
        ask_ids(pool);
    return pool->present.next == pool->present.end ? 0 : use_id(pool);
}

void transfer_ids_give_back(struct transfer_ids_pool *pool, uint32_t id)
{
    struct transfer_ids_block *used = id == 0 ? NULL : ids_with(pool, id);

    if (used != NULL)
        used->live--;
}

void transfer_ids_fini(struct transfer_ids_pool *pool)
{
    struct transfer_ids_block *used;

    while ((used = SLIST_FIRST(&pool->used)) != NULL) {
        SLIST_REMOVE_HEAD(&pool->used, link);
        free(used);
    }
}
