/* HTTP POSTs to the gateway over a pool of persistent connections. Client thread. */
#ifndef GATEWAY_CLIENT_HTTP_POOL_H
#define GATEWAY_CLIENT_HTTP_POOL_H

#include "base/err.h"
#include "gateway_client/reply.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gateway_client_http_pool;

enum { GATEWAY_CLIENT_CONNECTIONS = 8 }; /* at once */

/* Not called for a cancelled post. Can post again from inside. */
typedef void gateway_client_reply_fn(void *ctx, void *cookie,
                                     const struct gateway_client_reply *reply);

enum err gateway_client_http_pool_open(struct gateway_client_http_pool **out, struct loop *loop,
                                       uint64_t timeout_ms, gateway_client_reply_fn *replied,
                                       void *ctx);
void gateway_client_http_pool_close(struct gateway_client_http_pool **pool);
/* Sets the URL of later posts. Only while idle (gateway_client_http_pool_cancel_all). */
enum err gateway_client_http_pool_set_url(struct gateway_client_http_pool *pool, const char *url);
bool gateway_client_http_pool_has_free(const struct gateway_client_http_pool *pool);
bool gateway_client_http_pool_is_idle(const struct gateway_client_http_pool *pool);
/* Takes ownership of `document` (malloc), also on failure. Only while a connection is free. */
enum err gateway_client_http_pool_post(struct gateway_client_http_pool *pool, char *document,
                                       size_t length, void *cookie);
void gateway_client_http_pool_cancel(struct gateway_client_http_pool *pool, const void *cookie);
void gateway_client_http_pool_cancel_all(struct gateway_client_http_pool *pool);

#endif
