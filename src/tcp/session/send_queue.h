/* The pending sends of a session: a FIFO with a hash by id, so that a cancel is O(1). Owner: the
 * session's worker. A request is in at most one queue, which does not own it. */
#ifndef TCP_SESSION_SEND_QUEUE_H
#define TCP_SESSION_SEND_QUEUE_H

#include "base/err.h"
#include "gateway/transport_ops.h"

#include <stdint.h>
#include <sys/queue.h>

struct session_send_queue {
    TAILQ_HEAD(, send_request) head;
    struct send_request *by_id;
    unsigned count;
};

void session_send_queue_init(struct session_send_queue *queue);
/* Appends. ERR_NO_MEMORY: not queued. */
enum err session_send_queue_put(struct session_send_queue *queue, struct send_request *send);
/* Removes and returns the first; NULL: empty. */
struct send_request *session_send_queue_take(struct session_send_queue *queue);
/* The send with this id, which stays queued; NULL: none. */
struct send_request *session_send_queue_find(const struct session_send_queue *queue, uint64_t id);
void session_send_queue_remove(struct session_send_queue *queue, struct send_request *send);

#endif
