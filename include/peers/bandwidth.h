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

enum peers_bandwidth_way { PEERS_BANDWIDTH_IN, PEERS_BANDWIDTH_OUT, PEERS_BANDWIDTH_WAYS };

/* The node's; all zero at first. Atomic: a lease is one compare-and-swap. */
struct peers_bandwidth_pool {
    _Atomic uint64_t due_ns[PEERS_BANDWIDTH_WAYS];
};

struct peers_bandwidth_lease {
    int64_t left;      /* below 0: a debt, for a frame begun is completed */
    int64_t amount;    /* of the last lease */
    uint64_t share;    /* of each session that waits, in it */
    uint64_t taken_us; /* when */
};

/* A worker's. */
struct peers_bandwidth {
    struct peers_bandwidth_pool *pool;
    struct peers_bandwidth_lease leases[PEERS_BANDWIDTH_WAYS];
    unsigned sharers; /* sessions that wait for bandwidth; at least 1 */
};

/* A session's. */
struct peers_bandwidth_session {
    struct peers_rate rates[PEERS_BANDWIDTH_WAYS];
};

/* How many bytes the session may move now: UINT64_MAX without a limit. Others that wait get their
 * share of what the node has left. */
uint64_t peers_bandwidth_allowance(struct peers_bandwidth *b,
                                   const struct peers_bandwidth_session *session,
                                   enum peers_bandwidth_way way, const struct settings *s,
                                   uint64_t now_us);

/* So many were moved. */
void peers_bandwidth_take(struct peers_bandwidth *b, struct peers_bandwidth_session *session,
                          enum peers_bandwidth_way way, const struct settings *s, uint64_t bytes,
                          uint64_t now_us);

#endif
