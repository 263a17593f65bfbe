#include "gateway_client/queue.h"

#include <stdlib.h>
#include <string.h>

struct gateway_client_queue_entry *
gateway_client_queue_entry_new(struct gateway_client_delivery *delivery)
{
    struct gateway_client_queue_entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        gateway_client_delivery_free(&delivery);
    else
        entry->delivery = delivery;
    return entry;
}

void gateway_client_queue_entry_free(struct gateway_client_queue_entry **entry)
{
    gateway_client_delivery_free(&(*entry)->delivery);
    free(*entry);
    *entry = NULL;
}

void gateway_client_queue_init(struct gateway_client_queue *queue)
{
    memset(queue, 0, sizeof *queue);
    for (unsigned rank = 0; rank < GATEWAY_CLIENT_RANK_COUNT; rank++)
        TAILQ_INIT(&queue->ready[rank]);
    TAILQ_INIT(&queue->notices);
    TAILQ_INIT(&queue->held);
    TAILQ_INIT(&queue->away);
}

static enum gateway_client_rank rank_of(const struct gateway_client_queue_entry *entry)
{
    if (entry->delivery->retry_ms > 0)
        return GATEWAY_CLIENT_RANK_REPEAT;
    return entry->delivery->kind == GATEWAY_CLIENT_DELIVERY_END ? GATEWAY_CLIENT_RANK_END
                                                                : GATEWAY_CLIENT_RANK_FIRST;
}

void gateway_client_queue_add_ready(struct gateway_client_queue *queue,
                                    struct gateway_client_queue_entry *entry, bool is_first)
{
    struct gateway_client_queue_list *list = &queue->ready[rank_of(entry)];

    if (is_first)
        TAILQ_INSERT_HEAD(list, entry, link);
    else
        TAILQ_INSERT_TAIL(list, entry, link);
}

void gateway_client_queue_add_notice(struct gateway_client_queue *queue,
                                     struct gateway_client_queue_entry *entry)
{
    TAILQ_INSERT_TAIL(&queue->notices, entry, link);
}

void gateway_client_queue_hold(struct gateway_client_queue *queue,
                               struct gateway_client_queue_entry *entry)
{
    TAILQ_INSERT_TAIL(&queue->held, entry, link);
}

void gateway_client_queue_put_away(struct gateway_client_queue *queue,
                                   struct gateway_client_queue_entry *entry)
{
    entry->is_away = true;
    TAILQ_INSERT_TAIL(&queue->away, entry, link);
}

void gateway_client_queue_post(struct gateway_client_queue *queue,
                               struct gateway_client_queue_entry *entry)
{
    gateway_client_queue_take_ready(queue, entry);
    entry->rank = rank_of(entry);
    entry->is_on_wire = true;
    queue->on_wire[entry->rank]++;
    gateway_client_queue_put_away(queue, entry);
}

void gateway_client_queue_take_ready(struct gateway_client_queue *queue,
                                     struct gateway_client_queue_entry *entry)
{
    TAILQ_REMOVE(&queue->ready[rank_of(entry)], entry, link);
}

void gateway_client_queue_take_away(struct gateway_client_queue *queue,
                                    struct gateway_client_queue_entry *entry)
{
    if (!entry->is_away)
        return;
    TAILQ_REMOVE(&queue->away, entry, link);
    entry->is_away = false;
    if (entry->is_on_wire)
        queue->on_wire[entry->rank]--;
    entry->is_on_wire = false;
}

void gateway_client_queue_advance_notices(struct gateway_client_queue *queue)
{
    struct gateway_client_queue_entry *entry = TAILQ_FIRST(&queue->notices);

    if (queue->has_notice_due || entry == NULL)
        return;
    TAILQ_REMOVE(&queue->notices, entry, link);
    queue->has_notice_due = true;
    gateway_client_queue_add_ready(queue, entry, true);
}

static bool has_share(const struct gateway_client_queue *queue, unsigned rank)
{
    const unsigned *on_wire = queue->on_wire;
    unsigned ends = on_wire[GATEWAY_CLIENT_RANK_END] + on_wire[GATEWAY_CLIENT_RANK_REPEAT];

    if (rank == GATEWAY_CLIENT_RANK_REPEAT && on_wire[rank] >= GATEWAY_CLIENT_REPEATS_MAX)
        return false;
    return rank == GATEWAY_CLIENT_RANK_FIRST || ends < GATEWAY_CLIENT_ENDS_MAX;
}

struct gateway_client_queue_entry *
gateway_client_queue_next(const struct gateway_client_queue *queue)
{
    for (unsigned rank = 0; rank < GATEWAY_CLIENT_RANK_COUNT; rank++)
        if (!TAILQ_EMPTY(&queue->ready[rank]) && has_share(queue, rank))
            return TAILQ_FIRST(&queue->ready[rank]);
    return NULL;
}

bool gateway_client_queue_is_idle(const struct gateway_client_queue *queue)
{
    for (unsigned rank = 0; rank < GATEWAY_CLIENT_RANK_COUNT; rank++)
        if (!TAILQ_EMPTY(&queue->ready[rank]))
            return false;
    return TAILQ_EMPTY(&queue->away) && TAILQ_EMPTY(&queue->notices);
}

void gateway_client_queue_gather(struct gateway_client_queue *queue,
                                 struct gateway_client_queue_list *all)
{
    struct gateway_client_queue_entry *entry;

    TAILQ_FOREACH (entry, &queue->away, link)
        entry->is_away = entry->is_on_wire = false;
    memset(queue->on_wire, 0, sizeof queue->on_wire);
    TAILQ_CONCAT(all, &queue->away, link);
    TAILQ_CONCAT(all, &queue->held, link);
    for (unsigned rank = 0; rank < GATEWAY_CLIENT_RANK_COUNT; rank++)
        TAILQ_CONCAT(all, &queue->ready[rank], link);
}
