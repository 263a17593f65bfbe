/* Notices when this machine's addresses change. An rtnetlink socket in the supervisor's loop says
 * that something happened; what counts is the set of usable addresses before and after. Bursts of
 * news are one change: it is told after a second of quiet, and only if the set is another one.
 * Supervisor thread only. */
#ifndef SUPERVISOR_NET_WATCH_H
#define SUPERVISOR_NET_WATCH_H

#include "base/address.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>

enum { SUPERVISOR_NET_WATCH_QUIET_MS = 1000 };

/* The addresses of interfaces that are up and running, loopback too; sorted, ports 0. */
struct address_set {
    struct address *list;
    size_t count;
};

enum err supervisor_net_watch_read(struct address_set *out);
void supervisor_net_watch_clear(struct address_set *set);
/* Sorted here: the order in which the kernel names them means nothing. */
bool supervisor_net_watch_is_equal(struct address_set *a, struct address_set *b);

struct supervisor_net_watch {
    struct loop *loop;
    struct watch watch;
    struct timer quiet;
    struct address_set known;
    void (*changed)(void *ctx);
    void *ctx;
};

/* On failure nothing is watched and supervisor_net_watch_close does no harm. */
enum err supervisor_net_watch_open(struct supervisor_net_watch *w, struct loop *loop,
                                   void (*changed)(void *ctx), void *ctx);
void supervisor_net_watch_close(struct supervisor_net_watch *w);

/* True if the machine has any usable address now. */
bool supervisor_net_watch_has_address(void);

#endif
