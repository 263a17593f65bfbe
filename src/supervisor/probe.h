/* Asks whether one address can be reached: a TCP connect that does not block, with a time limit.
 * For the network_connector's doPing. One question at a time. Supervisor thread only. */
#ifndef SUPERVISOR_PROBE_H
#define SUPERVISOR_PROBE_H

#include "base/address.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>

enum { PROBE_LIMIT_MS = 5000 };

/* ERR_OK: connected. May be called from inside probe_ask, when the answer is known at once. */
typedef void probe_fn(void *ctx, enum err result);

struct probe {
    struct loop *loop;
    struct watch watch;
    struct timer limit;
    bool is_asking;
    probe_fn *done;
    void *ctx;
};

void probe_init(struct probe *p, struct loop *loop, probe_fn *done, void *ctx);
/* `done` comes exactly once, unless probe_cancel is first. */
void probe_ask(struct probe *p, const struct address *address);
void probe_cancel(struct probe *p);

#endif
