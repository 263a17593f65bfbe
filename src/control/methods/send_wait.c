/* send_wait: a long poll until one of the given sends completes. */
#include "control/methods/methods.h"
#include "control/reply.h"
#include "control/send_table.h"
#include "control/state.h"
#include "control/waiters.h"
#include "rpc/args.h"
#include "rpc/document.h"

#include <stdlib.h>

enum { IDS_MAX = 1000 }; /* requests in one call */

struct send_waiter {
    struct control_waiter waiter;             /* first */
    bool is_ready;                            /* one is completed */
    uint64_t *ids;                            /* malloc */
    struct control_send_table_watch *watches; /* one for each; malloc */
    size_t id_count;
};

static xmlrpc_value *send_value(struct control *control, xmlrpc_env *env, uint64_t id)
{
    xmlrpc_value *value = rpc_struct(env);
    struct control_send_table_result result = {.id = id, .is_done = true};
    bool is_known =
        control_send_table_lookup(control->sends, id, loop_now_ms(control->loop), &result);
    const char *status = !is_known         ? "unknown"
                         : !result.is_done ? "under way"
                                           : gateway_transfer_status_word(result.status);

    rpc_put_integer(env, value, "id", (int64_t)id);
    rpc_put_bool(env, value, "is_done", result.is_done);
    rpc_put_text(env, value, "status", status);
    rpc_put_text(env, value, "error", is_known ? result.error : "unknown or expired send id");
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
        control_send_table_mark_reported(control->sends, ids[i], loop_now_ms(control->loop));
    }
    control_reply_value(call, &env, array);
}

static bool is_ready(const struct control_waiter *waiter)
{
    return ((const struct send_waiter *)(const void *)waiter)->is_ready;
}

static void answer(const struct control_waiter *waiter)
{
    const struct send_waiter *w = (const struct send_waiter *)(const void *)waiter;

    answer_sends(waiter->control, waiter->call, w->ids, w->id_count);
}

static void release(struct control_waiter *waiter)
{
    struct send_waiter *w = (struct send_waiter *)(void *)waiter;

    for (size_t i = 0; i < w->id_count; i++)
        control_send_table_unwatch(&w->watches[i]);
    free(w->watches);
    free(w->ids);
    free(w);
}

static const struct control_waiter_kind send_kind = {
    .is_ready = is_ready, .answer = answer, .release = release};

static void send_decided(void *ctx)
{
    ((struct send_waiter *)ctx)->is_ready = true;
}

/* Marks the waiter as ready when one completes, so a completion costs only its own waiters. */
static void watch_sends(struct send_waiter *w)
{
    for (size_t i = 0; i < w->id_count; i++) {
        struct control_send_table_watch *watch = &w->watches[i];

        *watch = (struct control_send_table_watch){.done = send_decided, .ctx = w};
        if (!control_send_table_watch(w->waiter.control->sends, w->ids[i], watch))
            w->is_ready = true;
    }
}

static struct send_waiter *waiter_new(struct control *control, struct http_call *call,
                                      uint64_t *ids, size_t count)
{
    struct control_send_table_watch *watches = calloc(count, sizeof *watches);
    struct send_waiter *w = watches == NULL ? NULL : calloc(1, sizeof *w);

    if (w == NULL) {
        free(watches);
        return NULL;
    }
    *w = (struct send_waiter){.waiter = {.kind = &send_kind, .control = control, .call = call},
                              .ids = ids,
                              .watches = watches,
                              .id_count = count};
    return w;
}

void method_send_wait(struct control *control, struct http_call *call, struct rpc_args *args)
{
    int64_t timeout_ms = CONTROL_WAITERS_MAX_MS;
    uint64_t *ids = NULL;
    size_t count = 0;
    struct send_waiter *w;

    rpc_args_ids(args, "ids", true, IDS_MAX, &ids, &count);
    rpc_args_integer(args, "timeout_ms", false, 0, CONTROL_WAITERS_MAX_MS, &timeout_ms);
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        free(ids);
        return;
    }
    if ((w = waiter_new(control, call, ids, count)) == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "the daemon is out of memory");
        free(ids);
        return;
    }
    watch_sends(w);
    control_waiters_add(&w->waiter, (uint64_t)timeout_ms);
}
