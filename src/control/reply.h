/* How a call is answered, and what is kept of one that waits for a request to come back. Belongs to
 * the control thread. */
#ifndef CONTROL_REPLY_H
#define CONTROL_REPLY_H

#include "control/state.h"
#include "rpc/document.h"

#include <stdbool.h>
#include <sys/queue.h>

struct http_call;

enum {
    CONTROL_ASKED_MAX = 2048,    /* other calls about hosts and files that are away, whether their
                                    clients are still there or not */
    CONTROL_QUESTIONS_MAX = 512, /* the same of those about the daemon itself */
};

/* Takes over `value`; a fault in `env` (no memory) goes out as a fault. Ends `env`. */
void control_reply_answer(struct http_call *call, xmlrpc_env *env, xmlrpc_value *value);
void control_reply_fault(struct http_call *call, enum fault code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A call that waits for a request to come back. Lives beside that request, as long as it is away;
 * `call` is NULL once nobody listens any more. */
struct control_asked {
    LIST_ENTRY(control_asked) link;
    enum control_asked_kind kind;
    struct control *control;
    struct http_call *call;
};

/* Before a request is made, which is away whether its client stays or not. False: too many are, and
 * `call` has been answered. */
bool control_asked_has_room(const struct control *control, struct http_call *call,
                            enum control_asked_kind kind);
void control_asked_begin(struct control_asked *asked, struct control *control,
                         struct http_call *call, enum control_asked_kind kind);
/* The request is back (or never went). */
void control_asked_end(struct control_asked *asked);

#endif
