/* A query to the supervisor, for the methods that ask it something. Belongs to the control thread.
 */
#ifndef CONTROL_METHODS_QUERY_H
#define CONTROL_METHODS_QUERY_H

#include "control/reply.h"
#include "supervisor/supervisor.h"

struct control;
struct http_call;
struct rpc_args;

/* `answer` runs when it is back and somebody still listens. */
struct method_query;
typedef void method_query_answer_fn(struct method_query *q);
struct method_query {
    struct supervisor_request request; /* first: comes back */
    struct control_asked asked;
    method_query_answer_fn *answer;
};
/* NULL without memory or room: `call` has been answered. */
struct method_query *method_query_new(struct control *control, struct http_call *call,
                                      enum supervisor_ask what, method_query_answer_fn *answer);
void method_query_free(struct method_query *q);
/* Takes over `q`. A problem with the parameters, or a full mailbox, is the call's answer. */
void method_query_post(struct control *control, struct http_call *call, struct method_query *q,
                       struct rpc_args *args);
/* Both, for a call without parameters. */
void method_query_ask(struct control *control, struct http_call *call, struct rpc_args *args,
                      enum supervisor_ask what, method_query_answer_fn *answer);

#endif
