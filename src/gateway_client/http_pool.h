/* One POST to the gateway and its answer. Belongs to the gate thread. */
#ifndef GATEWAY_CLIENT_HTTP_POOL_H
#define GATEWAY_CLIENT_HTTP_POOL_H

#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gateway_client_http_pool;

enum gateway_client_outcome {
    GATEWAY_CLIENT_ANSWERED,    /* HTTP 200 with a body */
    GATEWAY_CLIENT_NO_ANSWER,   /* late, hung up, or what is no answer: `problem` says which */
    GATEWAY_CLIENT_UNREACHABLE, /* nobody listens there */
};
struct gateway_client_reply {
    enum gateway_client_outcome outcome;
    const char *body;
    size_t length;
    const char *problem; /* a sentence, if it was not answered */
};
/* Not called for a post that was cancelled. May post again. */
typedef void gateway_client_reply_fn(void *ctx, void *cookie,
                                     const struct gateway_client_reply *reply);

enum err gateway_client_http_pool_open(struct gateway_client_http_pool **out, struct loop *loop,
                                       uint64_t timeout_ms, gateway_client_reply_fn *replied,
                                       void *ctx);
void gateway_client_http_pool_close(struct gateway_client_http_pool **http);
/* After gateway_client_http_pool_cancel_all: where the posts go from now on. */
enum err gateway_client_http_pool_aim(struct gateway_client_http_pool *http, const char *url);
bool gateway_client_http_pool_has_room(const struct gateway_client_http_pool *http);
bool gateway_client_http_pool_is_idle(const struct gateway_client_http_pool *http);
/* Takes over `document` (malloc) in any case. Only while there is room. */
enum err gateway_client_http_pool_post(struct gateway_client_http_pool *http, char *document,
                                       size_t length, void *cookie);
void gateway_client_http_pool_cancel(struct gateway_client_http_pool *http, const void *cookie);
void gateway_client_http_pool_cancel_all(struct gateway_client_http_pool *http);

#endif
