/* Checks whether an address is reachable, by a non-blocking TCP connect with a timeout. For
 * network_connector's doPing. One probe at a time. Supervisor thread only. */
#ifndef SUPERVISOR_PROBE_H
#define SUPERVISOR_PROBE_H

#include "base/address.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>

enum { SUPERVISOR_PROBE_TIMEOUT_MS = 5000 };

/* ERR_OK: connected. Can be called from supervisor_probe_start, if the result is known then. */
typedef void supervisor_probe_fn(void *ctx, enum err result);

struct supervisor_probe {
    struct loop *loop;
    struct watch watch;
    struct timer timeout;
    bool is_running;
    supervisor_probe_fn *done;
    void *ctx;
};

void supervisor_probe_init(struct supervisor_probe *p, struct loop *loop, supervisor_probe_fn *done,
                           void *ctx);
/* Cancels a running probe. `done` is called exactly once, unless supervisor_probe_cancel is first.
 */
void supervisor_probe_start(struct supervisor_probe *p, const struct address *address);
void supervisor_probe_cancel(struct supervisor_probe *p);

#endif
