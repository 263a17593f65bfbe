/* The server's side of a call. Belongs to the thread of its loop. */
#ifndef HTTP_CALL_INTERNAL_H
#define HTTP_CALL_INTERNAL_H

#include "base/buf.h"
#include "http/call.h"
#include "http/refusal.h"
#include "http/routes.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

/* State shared by all calls of a server. */
struct http_calls {
    struct loop *loop;
    struct timer *again; /* set when libmicrohttpd has work */
    bool is_tcp;
    unsigned suspended;
    bool has_resumed;  /* since the last MHD_run began; MHD_get_timeout does not tell */
    size_t body_bytes; /* of requests being received */
};

struct http_call {
    uint32_t magic;
    struct http_calls *all;
    struct MHD_Connection *connection;
    const struct http_route *route;
    struct buf body;
    enum http_refusal refused; /* if set, the handler is not called */
    bool is_complete;
    bool is_called;
    bool is_suspended;
    bool is_responded;
    unsigned status;
    struct MHD_Response *response; /* NULL with is_responded: out of memory */
    struct watch hup;
    bool is_watched;
    http_call_closed_fn *on_close;
    void *on_close_ctx;
};

/* NULL: out of memory. */
struct http_call *http_call_new(struct http_calls *all, struct MHD_Connection *connection,
                                const struct http_route *route);
/* After its response is sent or its connection is closed. */
void http_call_free(struct http_call *call);
void http_call_check(const struct http_call *call); /* asserts that it is a live call */

/* Appends to its body. Beyond a limit the call is refused. */
void http_call_append_body(struct http_call *call, const char *bytes, size_t length);
/* Calls its handler, once the body is complete. */
void http_call_run(struct http_call *call, void *ctx);
/* Suspends its connection until the handler responds. */
void http_call_suspend(struct http_call *call);
enum MHD_Result http_call_queue_response(struct http_call *call);

#endif
