/* Transfer ids: blocks of them from the journal, and which of a block's are in use. */
#include "tcp/tcp_stream.h"

#include "tcp/tcp_stream_priv.h"

#include "base/log.h"

#include <stdlib.h>

static struct tcp_ids *ids_with(struct tcp_home *home, uint32_t id)
{
    struct tcp_ids *used;

    SLIST_FOREACH(used, &home->ids_used, link)
    if (id >= used->block.next && id < used->block.end)
        return used;
    return NULL;
}

/* What is left of `block` counts as used from now on; NULL without memory. */
static struct tcp_ids *begin_ids(struct tcp_home *home, const struct transfer_ids *block)
{
    struct tcp_ids *used = calloc(1, sizeof *used);

    if (used == NULL)
        return NULL;
    used->block = *block;
    SLIST_INSERT_HEAD(&home->ids_used, used, link);
    return used;
}

/* Takes out a block that nobody needs any more; an empty one if there is none. */
static struct transfer_ids take_unused(struct tcp_home *home)
{
    bool is_all_used = home->ids.next == home->ids.end;
    struct transfer_ids block = {0};
    struct tcp_ids *used;

    SLIST_FOREACH(used, &home->ids_used, link)
    {
        if (used->live > 0 || (used->block.end == home->ids.end && !is_all_used))
            continue;
        block = used->block;
        SLIST_REMOVE(&home->ids_used, used, tcp_ids, link);
        free(used);
        break;
    }
    return block;
}

static void ids_came(struct message *m, void *owner)
{
    struct tcp_home *home = AROUND(m, struct tcp_home, more_ids);

    (void)owner;
    home->is_asking_ids = false;
    home->streams--;
    if (home->more_ids.request.result != ERR_OK) {
        if (home->more_ids.ids.end > 0) /* reserved all the same: returned with the next request */
            begin_ids(home, &home->more_ids.ids);
        home->more_ids.ids = (struct transfer_ids){0};
        log_error("no new block of transfer ids: %s", err_text(home->more_ids.request.result));
    }
}

static void ask_ids(struct tcp_home *home)
{
    home->is_asking_ids = true;
    home->streams++; /* the answer needs the home, like a stream's */
    home->more_ids = (struct commit_request){
        .kind = COMMIT_IDS,
        .ids_back = take_unused(home),
        .request = {.answer_to = loop_mailbox(home->loop), .on_answer = ids_came}};
    committer_submit(home->committer, &home->more_ids);
}

static uint32_t use_id(struct tcp_home *home)
{
    struct tcp_ids *used = ids_with(home, home->ids.next);

    if (used == NULL)
        used = begin_ids(home, &home->ids);
    if (used == NULL)
        return 0;
    used->live++;
    return home->ids.next++;
}

/* The second block is asked for when half of the first is gone: 32,768 more files would have to
 * begin before the disk answers to run dry. */
uint32_t tcp_home_next_id(struct tcp_home *home)
{
    struct transfer_ids *spare = &home->more_ids.ids;

    if (home->ids.next == home->ids.end && !home->is_asking_ids) {
        home->ids = *spare;
        *spare = (struct transfer_ids){0};
    }
    if (!home->is_asking_ids && spare->next == spare->end &&
        home->ids.end - home->ids.next <= TRANSFER_IDS_BLOCK / 2)
        ask_ids(home);
    return home->ids.next == home->ids.end ? 0 : use_id(home);
}

void tcp_home_id_back(struct tcp_home *home, uint32_t id)
{
    struct tcp_ids *used = id == 0 ? NULL : ids_with(home, id);

    if (used != NULL)
        used->live--;
}

void tcp_home_free_ids(struct tcp_home *home)
{
    struct tcp_ids *used;

    while ((used = SLIST_FIRST(&home->ids_used)) != NULL) {
        SLIST_REMOVE_HEAD(&home->ids_used, link);
        free(used);
    }
}
