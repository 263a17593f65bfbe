/* Long polls: calls that are answered after the turn in which there is something to say, at their
 * timeout, or when we stop. If a client goes away first, its waiter goes, too. What it is that they
 * wait for is the method's (methods/events.c, methods/send_wait.c). Belongs to the control thread.
 */
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
    bool (*is_due)(const struct control_waiter *waiter); /* there is something to say */
    void (*answer)(const struct control_waiter *waiter); /* its call, with what there is */
    void (*release)(struct control_waiter *waiter);      /* it is answered or gone: frees it */
};

/* First in the struct of a method's own, which the method allocates. */
struct control_waiter {
    const struct control_waiter_kind *kind;
    struct control *control;
    struct http_call *call;
    LIST_ENTRY(control_waiter) link;
    struct timer timeout;
};

/* Takes over `waiter`, whose first three members are set. One that is due, or that has no time to
 * wait, is answered at once. */
void control_waiters_add(struct control_waiter *waiter, uint64_t timeout_ms);
/* Answers those that are due. */
void control_waiters_look(struct control *control);
/* All of them get the fault that the daemon is stopping. */
void control_waiters_end(struct control *control);

#endif
