/* Detects changes of this machine's addresses. An rtnetlink socket in the supervisor's loop signals
 * that something changed; then the set of usable addresses is compared with the previous one. A
 * burst is reported once, a second after its last message, and only if the set differs. Supervisor
 * thread only. */
#ifndef SUPERVISOR_NET_WATCH_H
#define SUPERVISOR_NET_WATCH_H

#include "base/address.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>

enum { SUPERVISOR_NET_WATCH_QUIET_MS = 1000 };

/* The addresses of interfaces that are up and running, loopback included; ports 0. */
struct address_set {
    struct address *list;
    size_t count;
};

enum err supervisor_net_watch_read(struct address_set *out);
void supervisor_net_watch_clear(struct address_set *set);
/* Sorts both: the kernel's order is not significant. */
bool supervisor_net_watch_is_equal(struct address_set *a, struct address_set *b);

struct supervisor_net_watch {
    struct loop *loop;
    struct watch watch;
    struct timer quiet;
    struct address_set known;
    void (*changed)(void *ctx);
    void *ctx;
};

/* On failure nothing is watched, and supervisor_net_watch_close is a no-op. */
enum err supervisor_net_watch_open(struct supervisor_net_watch *w, struct loop *loop,
                                   void (*changed)(void *ctx), void *ctx);
void supervisor_net_watch_close(struct supervisor_net_watch *w);

/* True if the machine has a usable address now, or if that cannot be determined. */
bool supervisor_net_watch_has_address(void);

#endif
