#include "control/waiters.h"

#include "control/reply.h"
#include "control/state.h"
#include "http/call.h"

static void release(struct control_waiter *waiter)
{
    LIST_REMOVE(waiter, link);
    loop_cancel_timer(waiter->control->loop, &waiter->timeout);
    waiter->kind->release(waiter);
}

static void client_closed(void *ctx)
{
    release(ctx);
}

static void waiter_answer(struct control_waiter *waiter)
{
    waiter->kind->answer(waiter);
    release(waiter);
}

static void timed_out(struct timer *timer, void *ctx)
{
    (void)timer;
    waiter_answer(ctx);
}

void control_waiters_add(struct control_waiter *waiter, uint64_t timeout_ms)
{
    struct control *control = waiter->control;

    waiter->timeout = (struct timer){.fire = timed_out, .ctx = waiter};
    LIST_INSERT_HEAD(&control->waiters, waiter, link);
    if (timeout_ms == 0 || waiter->kind->is_ready(waiter)) {
        waiter_answer(waiter);
        return;
    }
    http_call_on_close(waiter->call, client_closed, waiter);
    loop_set_timer(control->loop, &waiter->timeout, timeout_ms);
}

void control_waiters_check(struct control *control)
{
    struct control_waiter *waiter = LIST_FIRST(&control->waiters);

    while (waiter != NULL) {
        struct control_waiter *next = LIST_NEXT(waiter, link);

        if (waiter->kind->is_ready(waiter))
            waiter_answer(waiter);
        waiter = next;
    }
}

void control_waiters_end(struct control *control)
{
    struct control_waiter *waiter;

    /* release removes the first one from the list, which clang-analyzer does not see. */
    while ((waiter = LIST_FIRST(&control->waiters)) != NULL) {
        control_reply_fault(waiter->call, /* NOLINT(clang-analyzer-unix.Malloc) */ FAULT_STOPPING,
                            "the daemon is stopping: the call had not completed");
        release(waiter);
    }
}
