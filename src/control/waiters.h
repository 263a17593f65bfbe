/* Long polls: who waits for events, or for one of some sends to be decided. Belongs to the control
 * thread. */
#ifndef CONTROL_WAITERS_H
#define CONTROL_WAITERS_H

#include "control/send_table.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct control;
struct http_call;

enum {
    CONTROL_WAITERS_MAX_MS = 60000,
    CONTROL_EVENTS_PAGE = 500, /* events in an answer */
    CONTROL_IDS_MAX = 1000,    /* requests in one send_wait */
};

/* A long poll: events behind `after`, or one of `ids` decided. */
struct control_waiter {
    LIST_ENTRY(control_waiter) link;
    struct control *control;
    struct http_call *call;
    struct timer timeout;
    bool is_for_sends;
    bool is_ready;  /* sends: one is decided */
    uint64_t after; /* events */
    size_t limit;
    uint64_t *ids;                            /* sends; malloc */
    struct control_send_table_watch *watches; /* one for each; malloc */
    size_t id_count;
};

/* Waits are answered after the turn in which there is something to say, or at the timeout. */
void control_waiters_add(struct control *control, struct http_call *call,
                         struct control_waiter *waiter, uint64_t timeout_ms);
void control_waiters_look(struct control *control);
void control_waiters_end(struct control *control);

#endif
