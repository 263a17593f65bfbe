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

enum { NET_WATCH_QUIET_MS = 1000 };

/* The addresses of interfaces that are up and running, loopback too; sorted, ports 0. */
struct address_set {
    struct address *list;
    size_t count;
};

enum err address_set_read(struct address_set *out);
void address_set_clear(struct address_set *set);
/* Sorted here: the order in which the kernel names them means nothing. */
bool address_set_is_equal(struct address_set *a, struct address_set *b);

struct net_watch {
    struct loop *loop;
    struct watch watch;
    struct timer quiet;
    struct address_set known;
    void (*changed)(void *ctx);
    void *ctx;
};

/* On failure nothing is watched and net_watch_close does no harm. */
enum err net_watch_open(struct net_watch *w, struct loop *loop, void (*changed)(void *ctx),
                        void *ctx);
void net_watch_close(struct net_watch *w);

/* True if the machine has any usable address now. */
bool net_watch_has_address(void);

#endif
