/* The thread that turns names into addresses, so that no worker waits for a name server. Only for
 * names that an operator or a gateway gave; what peers announce is never resolved. Answers are kept
 * 60 s. */
#ifndef TCP_RESOLVER_H
#define TCP_RESOLVER_H

#include "base/err.h"
#include "gateway/transport_ops.h"

struct resolver;

enum err resolver_open(struct resolver **out);
enum err resolver_start(struct resolver *resolver);
/* What was asked before is answered first, with ERR_CLOSED where nobody has looked yet. */
void resolver_stop(struct resolver *resolver);
void resolver_close(struct resolver **resolver);

/* Runs in the resolver's thread. */
typedef void resolved_fn(void *ctx, void *what, enum err result);

/* Any thread. Fills in the addresses of `route` from its contact, then calls `then(ctx, what,
 * result)`: ERR_UNRESOLVED if there is no such name. ERR_NO_MEMORY, ERR_FULL: it will not be
 * called. */
enum err resolver_ask(struct resolver *resolver, struct route *route, resolved_fn *then, void *ctx,
                      void *what);

#endif
