/* What is common to the calls that ask the supervisor. Belongs to the control thread. */
#ifndef CONTROL_METHODS_STATUS_H
#define CONTROL_METHODS_STATUS_H

#include "control/reply.h"
#include "supervisor/supervisor.h"

struct control;
struct http_call;
struct rpc_args;

/* A question to the supervisor. `answer` runs when it is back and somebody still listens. */
struct method_network_asked;
typedef void method_network_answer_fn(struct method_network_asked *n);
struct method_network_asked {
    struct supervisor_request request; /* first: comes back */
    struct control_asked asked;
    method_network_answer_fn *answer;
};
/* NULL without memory or room: `call` has been answered. */
struct method_network_asked *method_network_new(struct control *control, struct http_call *call,
                                                enum supervisor_ask what,
                                                method_network_answer_fn *answer);
void method_network_free(struct method_network_asked *n);
/* Takes over `n`. A problem with the parameters, or a full mailbox, is the call's answer. */
void method_network_post(struct control *control, struct http_call *call,
                         struct method_network_asked *n, struct rpc_args *args);
/* Both, for a call without parameters. */
void method_network_ask(struct control *control, struct http_call *call, struct rpc_args *args,
                        enum supervisor_ask what, method_network_answer_fn *answer);

#endif
