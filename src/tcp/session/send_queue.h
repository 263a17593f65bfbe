/* The sends of a session whose turn has not come: taken in order, found by their id, so that each
 * of many can be cancelled without a look at the others. Owner: the session's worker. A request is
 * in at most one queue, and stays the asker's. */
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
/* At the end. ERR_NO_MEMORY: it is not in the queue. */
enum err session_send_queue_put(struct session_send_queue *queue, struct send_request *send);
/* The first, out of the queue; NULL: there is none. */
struct send_request *session_send_queue_take(struct session_send_queue *queue);
/* One with this id, still in the queue; NULL: there is none. */
struct send_request *session_send_queue_find(const struct session_send_queue *queue, uint64_t id);
void session_send_queue_remove(struct session_send_queue *queue, struct send_request *send);

#endif
