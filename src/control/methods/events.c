/* events: a page of events, or a long poll for the next one. */
#include "control/event_ring.h"
#include "control/methods/methods.h"
#include "control/reply.h"
#include "control/state.h"
#include "control/waiters.h"
#include "rpc/args.h"
#include "rpc/document.h"

#include <stdlib.h>

enum { PAGE_MAX = 500 }; /* events in an answer */

struct events_waiter {
    struct control_waiter waiter; /* first */
    uint64_t after;
    size_t limit;
};

/* Events wake this thread only while a call waits for them; otherwise they are deferred, since a
 * wakeup for each costs as much as transferring a small file. */
static void change_waiters(struct control *control, int change)
{
    bool was_awaited = control->event_waiters > 0;

    control->event_waiters += (unsigned)change;
    if (was_awaited != (control->event_waiters > 0))
        mailbox_set_immediate(loop_mailbox(control->loop), !was_awaited);
}

static void put_text_if(xmlrpc_env *env, xmlrpc_value *to, const char *name, const char *text)
{
    if (text[0] != '\0')
        rpc_put_text(env, to, name, text);
}

static void put_number_if(xmlrpc_env *env, xmlrpc_value *to, const char *name, uint64_t number)
{
    if (number != 0)
        rpc_put_integer(env, to, name, (int64_t)number);
}

static bool is_about_a_file(enum event_kind kind)
{
    return kind >= EVENT_SENDING_STARTED && kind <= EVENT_RECEIVING_ENDED;
}

static xmlrpc_value *event_value(xmlrpc_env *env, const struct event *e)
{
    xmlrpc_value *value = rpc_struct(env);

    rpc_put_text(env, value, "event", event_word(e->kind));
    rpc_put_integer(env, value, "number", (int64_t)e->number);
    rpc_put_integer(env, value, "time_us", e->at_us);
    put_text_if(env, value, "status", e->status);
    if (e->path[0] != '\0')
        rpc_put(env, value, "path", rpc_path(env, e->path));
    if (is_about_a_file(e->kind)) {
        rpc_put_integer(env, value, "size", (int64_t)e->size_bytes);
        rpc_put_integer(env, value, "bytes", (int64_t)e->done_bytes);
        if (e->kind == EVENT_SENDING_PROGRESS || e->kind == EVENT_SENDING_ENDED)
            rpc_put_integer(env, value, "acknowledged", (int64_t)e->acknowledged_bytes);
        rpc_put_text(env, value, "idurl", e->idurl);
    } else {
        put_text_if(env, value, "idurl", e->idurl);
    }
    if (e->kind == EVENT_SESSION_CLOSED) {
        rpc_put_integer(env, value, "bytes_sent", (int64_t)e->bytes_sent);
        rpc_put_integer(env, value, "bytes_received", (int64_t)e->bytes_received);
    }
    if (e->kind >= EVENT_SESSION_OPENED && e->kind <= EVENT_SESSION_CLOSED)
        rpc_put_bool(env, value, "is_outgoing", e->is_outgoing);
    put_text_if(env, value, "host", e->host);
    put_number_if(env, value, "transfer_id", e->transfer_id);
    put_number_if(env, value, "session", e->session);
    put_number_if(env, value, "request_id", e->request_id);
    put_text_if(env, value, "error", e->error);
    put_text_if(env, value, "from", e->from_state);
    put_text_if(env, value, "to", e->to_state);
    put_text_if(env, value, "proto", e->proto);
    return value;
}

struct event_answer {
    xmlrpc_env env;
    xmlrpc_value *events;
};

static void add_event(void *ctx, const struct event *e)
{
    struct event_answer *answer = ctx;

    rpc_add(&answer->env, answer->events, event_value(&answer->env, e));
}

static void answer_events(struct control *control, struct http_call *call, uint64_t after,
                          size_t limit)
{
    struct event_answer answer;
    struct control_event_page page;
    xmlrpc_value *value;

    xmlrpc_env_init(&answer.env);
    value = rpc_struct(&answer.env);
    answer.events = rpc_array(&answer.env);
    page = control_event_ring_read(control->ring, after, limit, add_event, &answer);
    rpc_put(&answer.env, value, "events", answer.events);
    rpc_put_integer(&answer.env, value, "last", (int64_t)page.last);
    rpc_put_integer(&answer.env, value, "lost", (int64_t)page.lost);
    control_reply_value(call, &answer.env, value);
}

static bool is_ready(const struct control_waiter *waiter)
{
    const struct events_waiter *w = (const struct events_waiter *)(const void *)waiter;

    return control_event_ring_last(waiter->control->ring) != w->after;
}

static void answer(const struct control_waiter *waiter)
{
    const struct events_waiter *w = (const struct events_waiter *)(const void *)waiter;

    answer_events(waiter->control, waiter->call, w->after, w->limit);
}

static void release(struct control_waiter *waiter)
{
    change_waiters(waiter->control, -1);
    free(waiter);
}

static const struct control_waiter_kind events_kind = {
    .is_ready = is_ready, .answer = answer, .release = release};

void method_events(struct control *control, struct http_call *call, struct rpc_args *args)
{
    int64_t after = -1, limit = PAGE_MAX, timeout_ms = 0;
    struct events_waiter *w;

    rpc_args_integer(args, "after", false, -1, INT64_MAX, &after);
    rpc_args_integer(args, "limit", false, 1, PAGE_MAX, &limit);
    rpc_args_integer(args, "timeout_ms", false, 0, CONTROL_WAITERS_MAX_MS, &timeout_ms);
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        return;
    }
    if (after < 0) {
        /* The current number is returned at once, so that no event before the next call is lost. */
        answer_events(control, call, control_event_ring_last(control->ring), 1);
        return;
    }
    if ((w = calloc(1, sizeof *w)) == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "the daemon is out of memory");
        return;
    }
    *w = (struct events_waiter){.waiter = {.kind = &events_kind, .control = control, .call = call},
                                .after = (uint64_t)after,
                                .limit = (size_t)limit};
    change_waiters(control, 1);
    mailbox_drain(loop_mailbox(control->loop)); /* events deferred before that */
    control_waiters_add(&w->waiter, (uint64_t)timeout_ms);
}
