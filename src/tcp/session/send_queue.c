#include "tcp/session/send_queue.h"

void session_send_queue_init(struct session_send_queue *queue)
{
    *queue = (struct session_send_queue){.count = 0};
    TAILQ_INIT(&queue->head);
}

enum err session_send_queue_put(struct session_send_queue *queue, struct send_request *send)
{
    HASH_ADD(hh, queue->by_id, id, sizeof send->id, send);
    if (send->hh.tbl == NULL)
        return ERR_NO_MEMORY;
    TAILQ_INSERT_TAIL(&queue->head, send, queue_link);
    queue->count++;
    return ERR_OK;
}

struct send_request *session_send_queue_take(struct session_send_queue *queue)
{
    struct send_request *send = TAILQ_FIRST(&queue->head);

    if (send != NULL)
        session_send_queue_remove(queue, send);
    return send;
}

struct send_request *session_send_queue_find(const struct session_send_queue *queue, uint64_t id)
{
    struct send_request *send;

    HASH_FIND(hh, queue->by_id, &id, sizeof id, send);
    return send;
}

void session_send_queue_remove(struct session_send_queue *queue, struct send_request *send)
{
    /* The table holds `send`, so its head is not NULL. */
    HASH_DEL(queue->by_id, send); /* NOLINT(clang-analyzer-core.NullDereference) */
    TAILQ_REMOVE(&queue->head, send, queue_link);
    queue->count--;
}
