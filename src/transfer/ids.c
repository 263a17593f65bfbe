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

/* Adds the rest of `block` to the used blocks; NULL: out of memory. */
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

/* Removes and returns a block without ids in use; an empty one if there is none. */
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

static void ids_received(struct message *m, void *owner)
{
    struct transfer_ids_pool *pool = (void *)((char *)m - offsetof(struct transfer_ids_pool, more));

    (void)owner;
    pool->is_requesting = false;
    if (pool->more.request.result != ERR_OK) {
        if (pool->more.ids.end > 0) /* reserved despite the error: returned with the next request */
            begin_ids(pool, &pool->more.ids);
        pool->more.ids = (struct transfer_ids){0};
        log_error("cannot reserve transfer ids: %s", err_text(pool->more.request.result));
    }
}

static void request_ids(struct transfer_ids_pool *pool)
{
    pool->is_requesting = true;
    pool->more = (struct commit_request){
        .kind = COMMIT_IDS,
        .ids_back = take_unused(pool),
        .request = {.answer_to = loop_mailbox(pool->loop), .on_answer = ids_received}};
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

/* The next block is requested when half of the current one is used: only 32,768 more files before
 * the disk answers could exhaust it. */
uint32_t transfer_ids_next(struct transfer_ids_pool *pool)
{
    struct transfer_ids *spare = &pool->more.ids;

    if (pool->present.next == pool->present.end && !pool->is_requesting) {
        pool->present = *spare;
        *spare = (struct transfer_ids){0};
    }
    if (!pool->is_requesting && spare->next == spare->end &&
        pool->present.end - pool->present.next <= TRANSFER_IDS_BLOCK / 2)
        request_ids(pool);
    return pool->present.next == pool->present.end ? 0 : use_id(pool);
}

void transfer_ids_release(struct transfer_ids_pool *pool, uint32_t id)
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
