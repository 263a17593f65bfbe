/* The queue of deliveries. Pure: no socket, no clock. Client thread, unless a function says
 * otherwise.
 *
 * An entry is in one place at a time: `ready`, by rank (waits for a connection), `notices` (waits
 * for the notice before it), `held` (of an earlier run: waits until the gateway has said who it is)
 * or `away` (on the wire, or until its next try). */
#ifndef GATEWAY_CLIENT_QUEUE_H
#define GATEWAY_CLIENT_QUEUE_H

#include "gateway_client/delivery.h"
#include "gateway_client/http_pool.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <sys/queue.h>

/* In this order they get a connection: files wait for what is registered. The ends of files take
 * only a part of the connections, and of that what is repeated only a part again: so stuck calls
 * cannot starve others. */
enum gateway_client_rank {
    GATEWAY_CLIENT_RANK_FIRST,
    GATEWAY_CLIENT_RANK_END,
    GATEWAY_CLIENT_RANK_REPEAT,
    GATEWAY_CLIENT_RANK_COUNT
};
enum {
    GATEWAY_CLIENT_ENDS_MAX = GATEWAY_CLIENT_CONNECTIONS - 2,
    GATEWAY_CLIENT_REPEATS_MAX = GATEWAY_CLIENT_CONNECTIONS / 2
};

struct gateway_client_queue_entry {
    struct message message; /* first: its way to the client thread */
    TAILQ_ENTRY(gateway_client_queue_entry) link;
    struct gateway_client *client;
    struct gateway_client_delivery *delivery;
    struct gateway_transfer *transfer; /* comes back with the result; NULL: nobody waits */
    struct timer retry;                /* until the next try */
    struct timer expiry;               /* of a registration */
    bool is_away;
    bool is_on_wire;               /* counted in on_wire[rank] */
    enum gateway_client_rank rank; /* as which it was sent */
};
TAILQ_HEAD(gateway_client_queue_list, gateway_client_queue_entry);

struct gateway_client_queue {
    struct gateway_client_queue_list ready[GATEWAY_CLIENT_RANK_COUNT], notices, held, away;
    bool has_notice_due; /* a notice is in `ready` or `away` */
    unsigned on_wire[GATEWAY_CLIENT_RANK_COUNT];
};

/* Any thread. NULL without memory. Frees `delivery` with itself, in any case. */
struct gateway_client_queue_entry *
gateway_client_queue_entry_new(struct gateway_client_delivery *delivery);
void gateway_client_queue_entry_free(struct gateway_client_queue_entry **entry);

void gateway_client_queue_init(struct gateway_client_queue *queue);

/* Into a place; only what is in none. The delivery of an entry that is ready does not change. */
void gateway_client_queue_add_ready(struct gateway_client_queue *queue,
                                    struct gateway_client_queue_entry *entry, bool is_first);
void gateway_client_queue_add_notice(struct gateway_client_queue *queue,
                                     struct gateway_client_queue_entry *entry);
void gateway_client_queue_hold(struct gateway_client_queue *queue,
                               struct gateway_client_queue_entry *entry);
void gateway_client_queue_put_away(struct gateway_client_queue *queue,
                                   struct gateway_client_queue_entry *entry);

/* From ready to away, counted as on the wire. */
void gateway_client_queue_post(struct gateway_client_queue *queue,
                               struct gateway_client_queue_entry *entry);
/* Out of ready or away; one that is in neither is left alone. */
void gateway_client_queue_take_ready(struct gateway_client_queue *queue,
                                     struct gateway_client_queue_entry *entry);
void gateway_client_queue_take_away(struct gateway_client_queue *queue,
                                    struct gateway_client_queue_entry *entry);

/* Makes the next notice ready, if none is due yet. */
void gateway_client_queue_advance_notices(struct gateway_client_queue *queue);
/* The one that gets the next connection; NULL: none may. */
struct gateway_client_queue_entry *
gateway_client_queue_next(const struct gateway_client_queue *queue);
/* Nothing could be sent now or later without a word from the gateway: what is held does not count.
 */
bool gateway_client_queue_is_idle(const struct gateway_client_queue *queue);
/* Moves all but the notices that are not due into `all`, in the order in which a new instance of
 * the gateway is to hear of it: what was on the wire or waits for its next try first, then what is
 * held, then what is ready. */
void gateway_client_queue_gather(struct gateway_client_queue *queue,
                                 struct gateway_client_queue_list *all);

#endif
