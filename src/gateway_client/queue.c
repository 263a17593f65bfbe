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
    for (unsigned priority = 0; priority < GATEWAY_CLIENT_PRIORITY_COUNT; priority++)
        TAILQ_INIT(&queue->ready[priority]);
    TAILQ_INIT(&queue->notices);
    TAILQ_INIT(&queue->deferred);
    TAILQ_INIT(&queue->outstanding);
}

static enum gateway_client_priority priority_of(const struct gateway_client_queue_entry *entry)
{
    if (entry->delivery->retry_ms > 0)
        return GATEWAY_CLIENT_PRIORITY_RETRY;
    return entry->delivery->kind == GATEWAY_CLIENT_DELIVERY_END ? GATEWAY_CLIENT_PRIORITY_END
                                                                : GATEWAY_CLIENT_PRIORITY_FIRST;
}

void gateway_client_queue_add_ready(struct gateway_client_queue *queue,
                                    struct gateway_client_queue_entry *entry, bool is_first)
{
    struct gateway_client_queue_list *list = &queue->ready[priority_of(entry)];

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

void gateway_client_queue_defer(struct gateway_client_queue *queue,
                                struct gateway_client_queue_entry *entry)
{
    TAILQ_INSERT_TAIL(&queue->deferred, entry, link);
}

void gateway_client_queue_add_outstanding(struct gateway_client_queue *queue,
                                          struct gateway_client_queue_entry *entry)
{
    entry->is_outstanding = true;
    TAILQ_INSERT_TAIL(&queue->outstanding, entry, link);
}

void gateway_client_queue_mark_in_flight(struct gateway_client_queue *queue,
                                         struct gateway_client_queue_entry *entry)
{
    gateway_client_queue_remove_ready(queue, entry);
    entry->priority = priority_of(entry);
    entry->is_in_flight = true;
    queue->in_flight[entry->priority]++;
    gateway_client_queue_add_outstanding(queue, entry);
}

void gateway_client_queue_remove_ready(struct gateway_client_queue *queue,
                                       struct gateway_client_queue_entry *entry)
{
    TAILQ_REMOVE(&queue->ready[priority_of(entry)], entry, link);
}

void gateway_client_queue_remove_outstanding(struct gateway_client_queue *queue,
                                             struct gateway_client_queue_entry *entry)
{
    if (!entry->is_outstanding)
        return;
    TAILQ_REMOVE(&queue->outstanding, entry, link);
    entry->is_outstanding = false;
    if (entry->is_in_flight)
        queue->in_flight[entry->priority]--;
    entry->is_in_flight = false;
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

static bool is_below_limit(const struct gateway_client_queue *queue, unsigned priority)
{
    const unsigned *in_flight = queue->in_flight;
    unsigned ends =
        in_flight[GATEWAY_CLIENT_PRIORITY_END] + in_flight[GATEWAY_CLIENT_PRIORITY_RETRY];

    if (priority == GATEWAY_CLIENT_PRIORITY_RETRY &&
        in_flight[priority] >= GATEWAY_CLIENT_RETRIES_MAX)
        return false;
    return priority == GATEWAY_CLIENT_PRIORITY_FIRST || ends < GATEWAY_CLIENT_ENDS_MAX;
}

struct gateway_client_queue_entry *
gateway_client_queue_next(const struct gateway_client_queue *queue)
{
    for (unsigned priority = 0; priority < GATEWAY_CLIENT_PRIORITY_COUNT; priority++)
        if (!TAILQ_EMPTY(&queue->ready[priority]) && is_below_limit(queue, priority))
            return TAILQ_FIRST(&queue->ready[priority]);
    return NULL;
}

bool gateway_client_queue_is_idle(const struct gateway_client_queue *queue)
{
    for (unsigned priority = 0; priority < GATEWAY_CLIENT_PRIORITY_COUNT; priority++)
        if (!TAILQ_EMPTY(&queue->ready[priority]))
            return false;
    return TAILQ_EMPTY(&queue->outstanding) && TAILQ_EMPTY(&queue->notices);
}

void gateway_client_queue_drain(struct gateway_client_queue *queue,
                                struct gateway_client_queue_list *all)
{
    struct gateway_client_queue_entry *entry;

    TAILQ_FOREACH (entry, &queue->outstanding, link)
        entry->is_outstanding = entry->is_in_flight = false;
    memset(queue->in_flight, 0, sizeof queue->in_flight);
    TAILQ_CONCAT(all, &queue->outstanding, link);
    TAILQ_CONCAT(all, &queue->deferred, link);
    for (unsigned priority = 0; priority < GATEWAY_CLIENT_PRIORITY_COUNT; priority++)
        TAILQ_CONCAT(all, &queue->ready[priority], link);
}
