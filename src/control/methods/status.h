/* What is common to the calls that ask the supervisor. Belongs to the control thread. */
#ifndef CONTROL_METHODS_STATUS_H
#define CONTROL_METHODS_STATUS_H

#include "control/reply.h"
#include "supervisor/supervisor.h"

struct control;
struct http_call;
struct rpc_args;

/* A question to the supervisor. `answer` runs when it is back and somebody still listens. */
struct network_asked;
typedef void network_answer_fn(struct network_asked *n);
struct network_asked {
    struct supervisor_request request; /* first: comes back */
    struct asked asked;
    network_answer_fn *answer;
};
/* NULL without memory or room: `call` has been answered. */
struct network_asked *network_new(struct control *control, struct http_call *call,
                                  enum supervisor_ask what, network_answer_fn *answer);
void network_free(struct network_asked *n);
/* Takes over `n`. A problem with the parameters, or a full mailbox, is the call's answer. */
void network_post(struct control *control, struct http_call *call, struct network_asked *n,
                  struct rpc_args *args);
/* Both, for a call without parameters. */
void network_ask(struct control *control, struct http_call *call, struct rpc_args *args,
                 enum supervisor_ask what, network_answer_fn *answer);

#endif
