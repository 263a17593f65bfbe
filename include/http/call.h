/* A request passed to a handler (http/routes.h), and its response, sent at once or later; the
 * connection is suspended in between. Belongs to the thread of the server's loop. */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include <stddef.h>
#include <sys/types.h>

struct http_call;

enum {
    HTTP_CALL_BODY_LIMIT = 1 << 20,
    HTTP_CALL_BODIES_LIMIT = 32 << 20, /* all request bodies that a server is receiving */
};

/* Sets a callback for a connection that the client closes before the response: the call is freed
 * after it. Not called once the call is responded to. Without a callback the call stays until then.
 */
typedef void http_call_closed_fn(void *ctx);
void http_call_on_close(struct http_call *call, http_call_closed_fn *on_close, void *ctx);

/* The client's uid on the Unix socket. On TCP it is unknown: every authorized client counts as our
 * own user. */
uid_t http_call_uid(struct http_call *call);

struct http_response {
    unsigned status;
    const char *type; /* Content-Type */
    char *body;       /* malloc; NULL: out of memory, the client gets status 500 */
    size_t length;
};
/* Takes ownership of the body. */
void http_call_respond(struct http_call *call, const struct http_response *answer);

#endif
