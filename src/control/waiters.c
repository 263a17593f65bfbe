/* Long polls: `events` and `send_wait`. A waiter is answered when there is something to say, when
 * its time is over, or when we stop; if its client goes away first, it goes too. */
#include "control/waiters.h"

#include "control/control_internal.h"
#include "control/event_ring.h"
#include "control/method_table.h"
#include "control/reply.h"
#include "control/send_table.h"
#include "http/server.h"
#include "rpc/document.h"

#include <stdlib.h>

/* Events come at once while somebody waits for them, else when it suits: a wake of this thread for
 * each would cost as much as the file that it tells of. */
static void count_waiters(struct control *control, int change)
{
    bool was_waited = control->event_waiters > 0;

    control->event_waiters += (unsigned)change;
    if (was_waited != (control->event_waiters > 0))
        mailbox_set_hurried(loop_mailbox(control->loop), !was_waited);
}

static void waiter_free(struct control_waiter *waiter)
{
    if (!waiter->is_for_sends)
        count_waiters(waiter->control, -1);
    LIST_REMOVE(waiter, link);
    loop_cancel_timer(waiter->control->loop, &waiter->timeout);
    for (size_t i = 0; i < waiter->id_count; i++)
        control_send_table_unwatch(&waiter->watches[i]);
    free(waiter->watches);
    free(waiter->ids);
    free(waiter);
}

static void waiter_gone(void *ctx)
{
    waiter_free(ctx);
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
    control_reply_answer(call, &answer.env, value);
}

static xmlrpc_value *send_value(struct control *control, xmlrpc_env *env, uint64_t id)
{
    xmlrpc_value *value = rpc_struct(env);
    struct control_send_table_result result = {.id = id, .is_done = true};
    bool is_known =
        control_send_table_look(control->sends, id, loop_now_ms(control->loop), &result);
    const char *status = !is_known         ? "unknown"
                         : !result.is_done ? "under way"
                                           : gateway_transfer_status_word(result.status);

    rpc_put_integer(env, value, "id", (int64_t)id);
    rpc_put_bool(env, value, "is_done", result.is_done);
    rpc_put_text(env, value, "status", status);
    rpc_put_text(env, value, "error",
                 is_known ? result.error : "no send of this id is known (any more)");
    rpc_put_integer(env, value, "bytes", (int64_t)result.sent_bytes);
    rpc_put_integer(env, value, "size", (int64_t)result.size_bytes);
    rpc_put_integer(env, value, "transfer_id", result.transfer_id);
    rpc_put_double(env, value, "seconds", result.seconds);
    return value;
}

static void answer_sends(struct control *control, struct http_call *call, const uint64_t *ids,
                         size_t count)
{
    xmlrpc_value *array;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    array = rpc_array(&env);
    for (size_t i = 0; i < count; i++) {
        rpc_add(&env, array, send_value(control, &env, ids[i]));
        control_send_table_mark_handed(control->sends, ids[i], loop_now_ms(control->loop));
    }
    control_reply_answer(call, &env, array);
}

static void waiter_answer(struct control_waiter *waiter)
{
    if (waiter->is_for_sends)
        answer_sends(waiter->control, waiter->call, waiter->ids, waiter->id_count);
    else
        answer_events(waiter->control, waiter->call, waiter->after, waiter->limit);
    waiter_free(waiter);
}

static bool has_something(const struct control_waiter *waiter)
{
    return waiter->is_for_sends ? waiter->is_ready
                                : control_event_ring_last(waiter->control->ring) != waiter->after;
}

static void one_is_decided(void *ctx)
{
    ((struct control_waiter *)ctx)->is_ready = true;
}

/* So that each outcome costs those who wait for it, and not all that wait for others. */
static void watch_sends(struct control_waiter *waiter)
{
    for (size_t i = 0; i < waiter->id_count; i++) {
        struct control_send_table_watch *watch = &waiter->watches[i];

        *watch = (struct control_send_table_watch){.done = one_is_decided, .ctx = waiter};
        if (!control_send_table_watch(waiter->control->sends, waiter->ids[i], watch))
            waiter->is_ready = true;
    }
}

static void time_is_over(struct timer *timer, void *ctx)
{
    (void)timer;
    waiter_answer(ctx);
}

/* Takes over `waiter`. Nothing to wait for is answered at once. */
void control_waiters_add(struct control *control, struct http_call *call,
                         struct control_waiter *waiter, uint64_t timeout_ms)
{
    waiter->control = control;
    waiter->call = call;
    waiter->timeout = (struct timer){.fire = time_is_over, .ctx = waiter};
    LIST_INSERT_HEAD(&control->waiters, waiter, link);
    if (waiter->is_for_sends) {
        watch_sends(waiter);
    } else {
        count_waiters(control, 1);
        mailbox_drain(loop_mailbox(control->loop)); /* what came before that, in silence */
    }
    if (timeout_ms == 0 || has_something(waiter)) {
        waiter_answer(waiter);
        return;
    }
    http_server_call_watch(call, waiter_gone, waiter);
    loop_set_timer(control->loop, &waiter->timeout, timeout_ms);
}

void control_waiters_look(struct control *control)
{
    struct control_waiter *waiter = LIST_FIRST(&control->waiters);

    while (waiter != NULL) {
        struct control_waiter *next = LIST_NEXT(waiter, link);

        if (has_something(waiter))
            waiter_answer(waiter);
        waiter = next;
    }
}

void control_waiters_end(struct control *control)
{
    struct control_waiter *waiter;

    /* waiter_free takes the first one out of the list, which clang-analyzer does not see. */
    while ((waiter = LIST_FIRST(&control->waiters)) != NULL) {
        control_reply_fault(
            waiter->call, /* NOLINT(clang-analyzer-unix.Malloc) */ FAULT_STOPPING,
            "the daemon is stopping: what was waited for has not been decided here");
        waiter_free(waiter);
    }
}

static const char no_memory[] = "the daemon has no memory for a wait";

void method_events(struct control *control, struct http_call *call, struct rpc_args *args)
{
    int64_t after = -1, limit = CONTROL_EVENTS_PAGE, timeout_ms = 0;
    struct control_waiter *waiter;

    rpc_args_integer(args, "after", false, -1, INT64_MAX, &after);
    rpc_args_integer(args, "limit", false, 1, CONTROL_EVENTS_PAGE, &limit);
    rpc_args_integer(args, "timeout_ms", false, 0, CONTROL_WAITERS_MAX_MS, &timeout_ms);
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        return;
    }
    if (after < 0) {
        /* "From now on" is told at once, so that nothing between now and the next call is lost. */
        answer_events(control, call, control_event_ring_last(control->ring), 1);
        return;
    }
    if ((waiter = calloc(1, sizeof *waiter)) == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "%s", no_memory);
        return;
    }
    waiter->after = (uint64_t)after;
    waiter->limit = (size_t)limit;
    control_waiters_add(control, call, waiter, (uint64_t)timeout_ms);
}

void method_send_wait(struct control *control, struct http_call *call, struct rpc_args *args)
{
    int64_t timeout_ms = CONTROL_WAITERS_MAX_MS;
    uint64_t *ids = NULL;
    size_t count = 0;
    struct control_send_table_watch *watches;
    struct control_waiter *waiter;

    rpc_args_ids(args, "ids", true, CONTROL_IDS_MAX, &ids, &count);
    rpc_args_integer(args, "timeout_ms", false, 0, CONTROL_WAITERS_MAX_MS, &timeout_ms);
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        free(ids);
        return;
    }
    watches = calloc(count, sizeof *watches);
    waiter = watches == NULL ? NULL : calloc(1, sizeof *waiter);
    if (waiter == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "%s", no_memory);
        free(watches);
        free(ids);
        return;
    }
    waiter->is_for_sends = true;
    waiter->watches = watches;
    waiter->ids = ids;
    waiter->id_count = count;
    control_waiters_add(control, call, waiter, (uint64_t)timeout_ms);
}
