/* The queue of deliveries. Pure: no socket, no clock. Client thread, unless a function says
 * otherwise.
 *
 * An entry is in one list at a time: `ready`, by priority (waits for a connection), `notices`
 * (waits for the previous notice), `deferred` (of an earlier run: waits until the gateway's
 * instance is known) or `outstanding` (in flight, or waiting for its retry). */
#ifndef GATEWAY_CLIENT_QUEUE_H
#define GATEWAY_CLIENT_QUEUE_H

#include "gateway_client/delivery.h"
#include "gateway_client/http_pool.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <sys/queue.h>

/* Highest first: registrations delay files, so they come before ends. Ends and retries have limits,
 * so that stuck calls cannot starve others. */
enum gateway_client_priority {
    GATEWAY_CLIENT_PRIORITY_FIRST,
    GATEWAY_CLIENT_PRIORITY_END,
    GATEWAY_CLIENT_PRIORITY_RETRY,
    GATEWAY_CLIENT_PRIORITY_COUNT
};
enum {
    GATEWAY_CLIENT_ENDS_MAX = GATEWAY_CLIENT_CONNECTIONS - 2,
    GATEWAY_CLIENT_RETRIES_MAX = GATEWAY_CLIENT_CONNECTIONS / 2
};

struct gateway_client_queue_entry {
    struct message message; /* first: posted to the client thread */
    TAILQ_ENTRY(gateway_client_queue_entry) link;
    struct gateway_client *client;
    struct gateway_client_delivery *delivery;
    struct gateway_transfer *transfer; /* returned with the result; NULL: discard it */
    struct timer retry;                /* delay before the retry */
    struct timer expiry;               /* of a registration */
    bool is_outstanding;
    bool is_in_flight;                     /* counted in in_flight[priority] */
    enum gateway_client_priority priority; /* at the time it was sent */
};
TAILQ_HEAD(gateway_client_queue_list, gateway_client_queue_entry);

struct gateway_client_queue {
    struct gateway_client_queue_list ready[GATEWAY_CLIENT_PRIORITY_COUNT], notices, deferred,
        outstanding;
    bool has_notice_due; /* a notice is in `ready` or `outstanding` */
    unsigned in_flight[GATEWAY_CLIENT_PRIORITY_COUNT];
};

/* Any thread. Takes ownership of `delivery`, also on failure. NULL: out of memory. */
struct gateway_client_queue_entry *
gateway_client_queue_entry_new(struct gateway_client_delivery *delivery);
void gateway_client_queue_entry_free(struct gateway_client_queue_entry **entry);

void gateway_client_queue_init(struct gateway_client_queue *queue);

/* Add an entry that is in no list. The delivery of a ready entry must not change. */
void gateway_client_queue_add_ready(struct gateway_client_queue *queue,
                                    struct gateway_client_queue_entry *entry, bool is_first);
void gateway_client_queue_add_notice(struct gateway_client_queue *queue,
                                     struct gateway_client_queue_entry *entry);
void gateway_client_queue_defer(struct gateway_client_queue *queue,
                                struct gateway_client_queue_entry *entry);
void gateway_client_queue_add_outstanding(struct gateway_client_queue *queue,
                                          struct gateway_client_queue_entry *entry);

/* Moves a ready entry to outstanding and counts it as in flight. */
void gateway_client_queue_mark_in_flight(struct gateway_client_queue *queue,
                                         struct gateway_client_queue_entry *entry);
/* Remove an entry from its list. The second is a no-op if the entry is not outstanding. */
void gateway_client_queue_remove_ready(struct gateway_client_queue *queue,
                                       struct gateway_client_queue_entry *entry);
void gateway_client_queue_remove_outstanding(struct gateway_client_queue *queue,
                                             struct gateway_client_queue_entry *entry);

/* Moves the next notice to ready, unless one is in progress. */
void gateway_client_queue_advance_notices(struct gateway_client_queue *queue);
/* The entry to post next; NULL: none, or the limits are reached. */
struct gateway_client_queue_entry *
gateway_client_queue_next(const struct gateway_client_queue *queue);
/* True if nothing is pending but deferred entries. */
bool gateway_client_queue_is_idle(const struct gateway_client_queue *queue);
/* Moves all entries except waiting notices to `all`, in the order for a new instance of the
 * gateway: outstanding, deferred, ready. */
void gateway_client_queue_drain(struct gateway_client_queue *queue,
                                struct gateway_client_queue_list *all);

#endif
