/* Asks whether one address can be reached: a TCP connect that does not block, with a time limit.
 * For the network_connector's doPing. One question at a time. Supervisor thread only. */
#ifndef SUPERVISOR_PROBE_H
#define SUPERVISOR_PROBE_H

#include "base/address.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>

enum { SUPERVISOR_PROBE_LIMIT_MS = 5000 };

/* ERR_OK: connected. May be called from inside supervisor_probe_ask, when the answer is known at
 * once. */
typedef void supervisor_probe_fn(void *ctx, enum err result);

struct supervisor_probe {
    struct loop *loop;
    struct watch watch;
    struct timer limit;
    bool is_asking;
    supervisor_probe_fn *done;
    void *ctx;
};

void supervisor_probe_init(struct supervisor_probe *p, struct loop *loop, supervisor_probe_fn *done,
                           void *ctx);
/* `done` comes exactly once, unless supervisor_probe_cancel is first. */
void supervisor_probe_ask(struct supervisor_probe *p, const struct address *address);
void supervisor_probe_cancel(struct supervisor_probe *p);

#endif
