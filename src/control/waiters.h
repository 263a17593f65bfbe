/* Long polls: calls that are answered at the end of the loop turn in which their condition becomes
 * true, at their timeout, or at stop. A waiter is released if its client closes. The condition is
 * the method's (methods/events.c, methods/send_wait.c). Belongs to the control thread. */
#ifndef CONTROL_WAITERS_H
#define CONTROL_WAITERS_H

#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct control;
struct control_waiter;
struct http_call;

enum { CONTROL_WAITERS_MAX_MS = 60000 };

struct control_waiter_kind {
    bool (*is_ready)(const struct control_waiter *waiter); /* its condition is true */
    void (*answer)(const struct control_waiter *waiter);   /* answers its call */
    void (*release)(struct control_waiter *waiter);        /* frees it */
};

/* First member of a method's own struct, allocated by the method. */
struct control_waiter {
    const struct control_waiter_kind *kind;
    struct control *control;
    struct http_call *call;
    LIST_ENTRY(control_waiter) link;
    struct timer timeout;
};

/* Takes ownership of `waiter`, whose first three members are set. If it is ready or the timeout is
 * 0, it is answered at once. */
void control_waiters_add(struct control_waiter *waiter, uint64_t timeout_ms);
/* Answers the waiters that are ready. */
void control_waiters_check(struct control *control);
/* Answers all waiters with FAULT_STOPPING. */
void control_waiters_end(struct control *control);

#endif
