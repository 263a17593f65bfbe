/* What the server does with the calls. Belongs to the thread of its loop. */
#ifndef HTTP_CALL_INTERNAL_H
#define HTTP_CALL_INTERNAL_H

#include "base/buf.h"
#include "http/call.h"
#include "http/refusal.h"
#include "http/routes.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

/* All of one server. */
struct http_calls {
    struct loop *loop;
    struct timer *again; /* set when libmicrohttpd has something to do */
    bool is_tcp;
    unsigned suspended;
    size_t body_bytes; /* of requests that are still coming in */
};

struct http_call {
    uint32_t magic;
    struct http_calls *all;
    struct MHD_Connection *connection;
    const struct http_route *route;
    struct buf body;
    enum http_refusal refused; /* it never gets to the handler */
    bool is_whole;
    bool is_called;
    bool is_suspended;
    bool is_answered;
    unsigned status;
    struct MHD_Response *response; /* NULL with is_answered: no memory */
    struct watch hang_up;
    bool is_watched;
    http_call_gone_fn *gone;
    void *gone_ctx;
};

/* NULL without memory. */
struct http_call *http_call_new(struct http_calls *all, struct MHD_Connection *connection,
                                const struct http_route *route);
/* After its answer is out, or its connection is closed. */
void http_call_free(struct http_call *call);
void http_call_check(const struct http_call *call); /* that it is one (asserted) */

/* A part of its body. One that is too much makes it refused. */
void http_call_take_body(struct http_call *call, const char *bytes, size_t length);
/* Its body is whole: hands it to its handler. */
void http_call_run(struct http_call *call, void *ctx);
/* Its handler has not answered yet. */
void http_call_suspend(struct http_call *call);
enum MHD_Result http_call_queue_answer(struct http_call *call);

#endif
