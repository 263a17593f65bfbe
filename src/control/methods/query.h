/* A query to the supervisor, for the methods that it answers. Belongs to the control thread.
 */
#ifndef CONTROL_METHODS_QUERY_H
#define CONTROL_METHODS_QUERY_H

#include "control/reply.h"
#include "supervisor/supervisor.h"

struct control;
struct http_call;
struct rpc_args;

/* `answer` is called with the result, unless the client has closed. */
struct method_query;
typedef void method_query_answer_fn(struct method_query *q);
struct method_query {
    struct supervisor_request request; /* first: the answered message is cast back */
    struct control_pending pending;
    method_query_answer_fn *answer;
};
/* NULL: out of memory or limit reached; `call` has been answered. */
struct method_query *method_query_new(struct control *control, struct http_call *call,
                                      enum supervisor_request_type what,
                                      method_query_answer_fn *answer);
void method_query_free(struct method_query *q);
/* Takes ownership of `q`. Invalid parameters or a full mailbox are answered with a fault. */
void method_query_post(struct control *control, struct http_call *call, struct method_query *q,
                       struct rpc_args *args);
/* method_query_new and method_query_post, for a call without parameters. */
void method_query_run(struct control *control, struct http_call *call, struct rpc_args *args,
                      enum supervisor_request_type what, method_query_answer_fn *answer);

#endif
