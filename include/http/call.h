/* A request that a handler (http/routes.h) has got, and its answer: at once or later; in between
 * its connection is suspended. Belongs to the thread of the server's loop. */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include <stddef.h>
#include <sys/types.h>

struct http_call;

enum {
    HTTP_CALL_BODY_LIMIT = 1 << 20,
    HTTP_CALL_BODIES_LIMIT = 32 << 20, /* of all that come in at once at a server */
};

/* The client's end closed before the answer: `gone` is told, and the call is no more. Not called
 * once the call is answered. Without a `gone` nobody is told and the call stays. */
typedef void http_call_gone_fn(void *ctx);
void http_call_watch(struct http_call *call, http_call_gone_fn *gone, void *ctx);

/* Who calls over the Unix socket. Over TCP nobody is known: whoever has the token is taken for our
 * own user. */
uid_t http_call_uid(struct http_call *call);

struct http_answer {
    unsigned status;
    const char *type; /* Content-Type */
    char *body;       /* malloc; NULL: no memory was left for it, the client gets status 500 */
    size_t length;
};
/* Takes over the body. */
void http_call_answer(struct http_call *call, const struct http_answer *answer);

#endif
