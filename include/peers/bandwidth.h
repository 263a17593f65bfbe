/* Bandwidth limits in both directions: of the whole node, and of each session.
 *
 * The node's limit is one number for each direction: the time at which everything taken so far is
 * paid for (peers/rate.h). Workers do not touch it for every frame: each takes a lease worth some
 * milliseconds and spends it locally, and an idle worker takes none. So one busy worker gets the
 * whole rate, several share it on demand, without a lock. A session's own rate belongs to its
 * worker. */
#ifndef PEERS_BANDWIDTH_H
#define PEERS_BANDWIDTH_H

#include "peers/rate.h"
#include "settings/settings.h"

#include <stdatomic.h>
#include <stdint.h>

enum peers_bandwidth_direction {
    PEERS_BANDWIDTH_IN,
    PEERS_BANDWIDTH_OUT,
    PEERS_BANDWIDTH_DIRECTIONS
};

/* Shared by all workers; initially all zero. Atomic: a lease is one compare-and-swap. */
struct peers_bandwidth_pool {
    _Atomic uint64_t tat_ns[PEERS_BANDWIDTH_DIRECTIONS];
};

struct peers_bandwidth_lease {
    int64_t left;      /* below 0: a debt, because a started frame is completed */
    int64_t amount;    /* of the last lease */
    uint64_t share;    /* of each waiting session */
    uint64_t taken_us; /* when */
};

/* State of one worker. */
struct peers_bandwidth {
    struct peers_bandwidth_pool *pool;
    struct peers_bandwidth_lease leases[PEERS_BANDWIDTH_DIRECTIONS];
    unsigned sharers; /* sessions waiting for bandwidth; at least 1 */
};

/* State of one session. */
struct peers_bandwidth_session {
    struct peers_rate rates[PEERS_BANDWIDTH_DIRECTIONS];
};

/* Returns how many bytes the session may transfer now, UINT64_MAX without a limit. Of the node's
 * rate it is one session's share, so other waiting sessions get theirs. */
uint64_t peers_bandwidth_allowance(struct peers_bandwidth *b,
                                   const struct peers_bandwidth_session *session,
                                   enum peers_bandwidth_direction direction,
                                   const struct settings *s, uint64_t now_us);

/* Accounts for `bytes` that were transferred. */
void peers_bandwidth_take(struct peers_bandwidth *b, struct peers_bandwidth_session *session,
                          enum peers_bandwidth_direction direction, const struct settings *s,
                          uint64_t bytes, uint64_t now_us);

#endif
