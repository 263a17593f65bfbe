/* Turns names into addresses, so that no worker waits for a name server. Only for names that an
 * operator or a gateway gave; what peers announce is never resolved.
 *
 * Its thread never waits for a name server either: each look-up is getaddrinfo(3) in a thread of
 * its own (a slot), so one name does not wait for another. There is one look-up of a name at a
 * time, however many ask for it, and at most `slots` in all: a name beyond those waits for a free
 * one. getaddrinfo cannot be called off, so a look-up that hangs keeps its slot; those who asked
 * are told after `limit_ms`. When all slots hang like that, further names are refused at once.
 *
 * Why not getaddrinfo_a(3): it has no limit of time, its queue has no bound, and beyond 20 look-ups
 * it makes one name wait for another. Why not c-ares: it knows DNS and hosts files only, not what
 * nsswitch.conf(5) may add (mDNS, LDAP, machines, systemd-resolved).
 *
 * An answer is kept for `kept_ms`, so that a burst of sends asks once, and no longer than until a
 * connect to it has failed (peers_resolver_forget). A failure is kept for `failed_ms`. */
#ifndef PEERS_RESOLVER_H
#define PEERS_RESOLVER_H

#include "base/err.h"
#include "gateway/transport_ops.h"

struct peers_resolver;

/* Runs in a slot's thread and may take its time. ERR_UNRESOLVED: there is no such name;
 * ERR_NAME_SERVER: nobody could say. Fills in at most ROUTE_ADDRESSES_MAX addresses, in the order
 * in which they are to be tried. */
typedef enum err peers_resolver_look_up_fn(const char *host, struct address *addresses,
                                           unsigned *count);

/* Runs in the resolver's thread: a message of peers_resolver_visit. */
typedef void peers_resolver_visit_fn(void *ctx, struct message *m);

struct peers_resolver_config {
    peers_resolver_look_up_fn *look_up; /* peers_resolver_look_up, or a test's */
    unsigned slots;
    unsigned limit_ms, failed_ms, kept_ms;
    peers_resolver_visit_fn *visit;
    void *visit_ctx;
};

/* The system's: getaddrinfo. */
enum err peers_resolver_look_up(const char *host, struct address *addresses, unsigned *count);

enum err peers_resolver_open(struct peers_resolver **out,
                             const struct peers_resolver_config *config);
enum err peers_resolver_start(struct peers_resolver *resolver);
/* Who still waits for an answer gets ERR_CLOSED. Waits for no look-up: one that hangs ends by
 * itself, or with the process. */
void peers_resolver_stop(struct peers_resolver *resolver);
void peers_resolver_close(struct peers_resolver **resolver);

/* Runs in the resolver's thread. */
typedef void peers_resolved_fn(void *ctx, void *what, enum err result);

/* Any thread. Fills in the addresses of `route` from its contact, then calls `then(ctx, what,
 * result)`: ERR_UNRESOLVED, ERR_NAME_SERVER as above. ERR_NO_MEMORY, ERR_FULL, ERR_CLOSED: it will
 * not be called. */
enum err peers_resolver_ask(struct peers_resolver *resolver, struct route *route,
                            peers_resolved_fn *then, void *ctx, void *what);

/* Any thread. What is known of `host` is not used any more: a connect to it has failed. */
void peers_resolver_forget(struct peers_resolver *resolver, const char *host);

/* Any thread. Gives `m` to the visit function behind what was asked before. Always taken. */
void peers_resolver_visit(struct peers_resolver *resolver, struct message *m);

/* Resolver's thread, so from a visit. Everything that waits, was asked with `then` and that `is_it`
 * picks is answered with ERR_CANCELLED; returns whether there was any. */
typedef bool peers_resolver_pick_fn(const void *ctx, const void *what);
bool peers_resolver_cancel(struct peers_resolver *resolver, peers_resolved_fn *then,
                           peers_resolver_pick_fn *is_it, const void *ctx);

#endif
