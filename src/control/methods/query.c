#include "control/methods/query.h"

#include "control/state.h"
#include "rpc/args.h"
#include "rpc/document.h"

#include <stdlib.h>

/* For a failed reload, set, unset or connect the method itself reports the reason. */
static bool check_result(struct method_query *q)
{
    enum supervisor_request_type what = q->request.type;
    enum err e = q->request.request.result;
    bool has_more = what == SUPERVISOR_RELOAD || what == SUPERVISOR_SET ||
                    what == SUPERVISOR_UNSET || what == SUPERVISOR_CONNECT;

    if (e == ERR_OK || (has_more && e != ERR_CLOSED))
        return true;
    control_reply_fault(q->pending.call, e == ERR_CLOSED ? FAULT_STOPPING : FAULT_FAILED,
                        "request rejected: %s",
                        e == ERR_CLOSED ? "the daemon is stopping" : err_text(e));
    return false;
}

void method_query_free(struct method_query *q)
{
    free(q->request.name);
    free(q->request.value);
    free(q->request.wanted);
    free(q->request.idurl);
    free(q->request.host);
    free(q->request.tcp_port);
    free(q->request.url);
    free(q);
}

static void query_answered(struct message *m, void *owner)
{
    struct method_query *q = (struct method_query *)(void *)m;

    (void)owner;
    if (q->pending.call != NULL && check_result(q))
        q->answer(q);
    control_pending_end(&q->pending);
    method_query_free(q);
}

struct method_query *method_query_new(struct control *control, struct http_call *call,
                                      enum supervisor_request_type what,
                                      method_query_answer_fn *answer)
{
    struct method_query *q;

    if (!control_pending_has_room(control, call, CONTROL_PENDING_DAEMON))
        return NULL;
    if ((q = calloc(1, sizeof *q)) == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "the daemon is out of memory");
        return NULL;
    }
    q->request.request =
        (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = query_answered};
    q->request.type = what;
    q->answer = answer;
    return q;
}

void method_query_post(struct control *control, struct http_call *call, struct method_query *q,
                       struct rpc_args *args)
{
    enum err e;

    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        method_query_free(q);
        return;
    }
    control_pending_begin(&q->pending, control, call, CONTROL_PENDING_DAEMON);
    if ((e = supervisor_post(control->config.supervisor, &q->request)) == ERR_OK)
        return;
    if (e == ERR_CLOSED)
        control_reply_fault(call, FAULT_STOPPING, "the daemon is stopping");
    else
        control_reply_fault(call, FAULT_FULL, "request queue full: retry later");
    control_pending_end(&q->pending);
    method_query_free(q);
}

void method_query_run(struct control *control, struct http_call *call, struct rpc_args *args,
                      enum supervisor_request_type what, method_query_answer_fn *answer)
{
    struct method_query *q = method_query_new(control, call, what, answer);

    if (q != NULL)
        method_query_post(control, call, q, args);
}
