/* Bandwidth, in and out: of the whole node, and of each session.
 *
 * What the node may use is one number for each direction, the time at which all that was taken is
 * paid for. Workers do not touch it for every frame: each takes a lease of some milliseconds' worth
 * and spends it by itself, and one that has nothing to move takes none. So one busy worker gets all
 * of it, two share it as they ask, and nobody locks. A session's own rate is its worker's. */
#ifndef PEERS_BANDWIDTH_H
#define PEERS_BANDWIDTH_H

#include "peers/rate.h"
#include "settings/settings.h"

#include <stdatomic.h>
#include <stdint.h>

enum bandwidth_way { BANDWIDTH_IN, BANDWIDTH_OUT, BANDWIDTH_WAYS };

/* The node's; all zero at first. Atomic: a lease is one compare-and-swap. */
struct bandwidth_pool {
    _Atomic uint64_t due_ns[BANDWIDTH_WAYS];
};

struct bandwidth_lease {
    int64_t left;      /* below 0: a debt, for a frame begun is completed */
    int64_t amount;    /* of the last lease */
    uint64_t share;    /* of each session that waits, in it */
    uint64_t taken_us; /* when */
};

/* A worker's. */
struct bandwidth {
    struct bandwidth_pool *pool;
    struct bandwidth_lease leases[BANDWIDTH_WAYS];
    unsigned sharers; /* sessions that wait for bandwidth; at least 1 */
};

/* A session's. */
struct bandwidth_session {
    struct rate rates[BANDWIDTH_WAYS];
};

/* How many bytes the session may move now: UINT64_MAX without a limit. Others that wait get their
 * share of what the node has left. */
uint64_t bandwidth_allowance(struct bandwidth *b, const struct bandwidth_session *session,
                             enum bandwidth_way way, const struct settings *s, uint64_t now_us);

/* So many were moved. */
void bandwidth_take(struct bandwidth *b, struct bandwidth_session *session, enum bandwidth_way way,
                    const struct settings *s, uint64_t bytes, uint64_t now_us);

#endif
