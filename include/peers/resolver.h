/* Resolves host names to addresses, so that no worker blocks on a name server. Only for names given
 * by an operator or a gateway; names announced by peers are never resolved.
 *
 * The resolver's own thread does not block either: each look-up is a getaddrinfo(3) call in a
 * separate thread (a slot), so names do not wait for each other. Concurrent queries for a name
 * share one look-up. At most `slots` look-ups run; further names wait for a free slot. getaddrinfo
 * cannot be cancelled, so a stuck look-up keeps its slot; its queries fail after `limit_ms`. While
 * all slots are stuck, queries for further names fail at once.
 *
 * Why not getaddrinfo_a(3): it has no timeout and an unbounded queue, and beyond 20 look-ups names
 * wait for each other. Why not c-ares: it supports DNS and hosts files only, not the other services
 * of nsswitch.conf(5) (mDNS, LDAP, machines, systemd-resolved).
 *
 * An answer is cached for `kept_ms`, so that a burst of sends needs one look-up, or until a connect
 * to it has failed (peers_resolver_forget). A failure is cached for `failed_ms`. */
#ifndef PEERS_RESOLVER_H
#define PEERS_RESOLVER_H

#include "base/err.h"
#include "gateway/transport_ops.h"

struct peers_resolver;

/* Runs in a slot's thread and is allowed to block. ERR_UNRESOLVED: unknown name; ERR_NAME_SERVER:
 * no name server answered. Fills in at most ROUTE_ADDRESSES_MAX addresses, in the order in which to
 * try them. */
typedef enum err peers_resolver_look_up_fn(const char *host, struct address *addresses,
                                           unsigned *count);

/* Runs in the resolver's thread: handles a message of peers_resolver_post. */
typedef void peers_resolver_message_fn(void *ctx, struct message *m);

struct peers_resolver_config {
    peers_resolver_look_up_fn *look_up; /* peers_resolver_look_up, except in tests */
    unsigned slots;
    unsigned limit_ms, failed_ms, kept_ms;
    peers_resolver_message_fn *on_message;
    void *message_ctx;
};

/* The system's look-up: getaddrinfo. */
enum err peers_resolver_look_up(const char *host, struct address *addresses, unsigned *count);

enum err peers_resolver_open(struct peers_resolver **out,
                             const struct peers_resolver_config *config);
enum err peers_resolver_start(struct peers_resolver *resolver);
/* Completes pending queries with ERR_CLOSED. Does not wait for look-ups: a stuck one ends by
 * itself, or with the process. */
void peers_resolver_stop(struct peers_resolver *resolver);
void peers_resolver_close(struct peers_resolver **resolver);

/* Runs in the resolver's thread. */
typedef void peers_resolved_fn(void *ctx, void *what, enum err result);

/* Any thread. Resolves the contact of `route` into its addresses, then calls `then(ctx, what,
 * result)`: ERR_UNRESOLVED and ERR_NAME_SERVER as above. If this returns ERR_NO_MEMORY, ERR_FULL or
 * ERR_CLOSED, `then` is not called. */
enum err peers_resolver_resolve(struct peers_resolver *resolver, struct route *route,
                                peers_resolved_fn *then, void *ctx, void *what);

/* Any thread. Drops the cached answer for `host`, because a connect to it has failed. */
void peers_resolver_forget(struct peers_resolver *resolver, const char *host);

/* Any thread. Queues `m` for the `on_message` function, behind the queries posted before. Never
 * refused. */
void peers_resolver_post(struct peers_resolver *resolver, struct message *m);

/* Resolver's thread, so from `on_message`. Completes all pending queries with this `then` for which
 * `matches` is true with ERR_CANCELLED; returns whether there was any. */
typedef bool peers_resolver_match_fn(const void *ctx, const void *what);
bool peers_resolver_cancel(struct peers_resolver *resolver, peers_resolved_fn *then,
                           peers_resolver_match_fn *matches, const void *ctx);

#endif
