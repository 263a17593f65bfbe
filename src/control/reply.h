/* Answers to calls, and the state of calls that wait for another thread. Belongs to the control
 * thread. */
#ifndef CONTROL_REPLY_H
#define CONTROL_REPLY_H

#include "control/state.h"
#include "rpc/document.h"

#include <stdbool.h>
#include <sys/queue.h>

struct http_call;

enum {
    /* Pending calls of each kind; those whose client has closed count, too. */
    CONTROL_PENDING_PEERS_MAX = 2048,
    CONTROL_PENDING_DAEMON_MAX = 512,
};

/* Takes ownership of `value`; if `env` has a fault (out of memory), answers with FAULT_INTERNAL.
 * Cleans `env`. */
void control_reply_value(struct http_call *call, xmlrpc_env *env, xmlrpc_value *value);
void control_reply_fault(struct http_call *call, enum fault code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A call that waits for a request to another thread; part of the struct with that request. `call`
 * is NULL once the client has closed. */
struct control_pending {
    LIST_ENTRY(control_pending) link;
    enum control_pending_kind kind;
    struct control *control;
    struct http_call *call;
};

/* To be checked before a request is posted. A request counts until it is answered, even if its
 * client has closed. False: limit reached; `call` has been answered. */
bool control_pending_has_room(const struct control *control, struct http_call *call,
                              enum control_pending_kind kind);
void control_pending_begin(struct control_pending *pending, struct control *control,
                           struct http_call *call, enum control_pending_kind kind);
/* The request has been answered, or could not be posted. */
void control_pending_end(struct control_pending *pending);

#endif
