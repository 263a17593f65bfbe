/* POSTs to the gateway and their replies, over connections that are used again and again. Belongs
 * to the client thread. */
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

/* Not called for a post that was cancelled. May post again. */
typedef void gateway_client_reply_fn(void *ctx, void *cookie,
                                     const struct gateway_client_reply *reply);

enum err gateway_client_http_pool_open(struct gateway_client_http_pool **out, struct loop *loop,
                                       uint64_t timeout_ms, gateway_client_reply_fn *replied,
                                       void *ctx);
void gateway_client_http_pool_close(struct gateway_client_http_pool **pool);
/* After gateway_client_http_pool_cancel_all: where the posts go from now on. */
enum err gateway_client_http_pool_aim(struct gateway_client_http_pool *pool, const char *url);
bool gateway_client_http_pool_has_room(const struct gateway_client_http_pool *pool);
bool gateway_client_http_pool_is_idle(const struct gateway_client_http_pool *pool);
/* Takes over `document` (malloc) in any case. Only while there is room. */
enum err gateway_client_http_pool_post(struct gateway_client_http_pool *pool, char *document,
                                       size_t length, void *cookie);
void gateway_client_http_pool_cancel(struct gateway_client_http_pool *pool, const void *cookie);
void gateway_client_http_pool_cancel_all(struct gateway_client_http_pool *pool);

#endif
