#include "peers/bandwidth.h"

enum {
    BURSTS_PER_S = 5,          /* the burst is this part of a second's amount */
    LEASE_INTERVAL_US = 10000, /* minimum time between two leases of a worker */
    LEASE_PART = 4,            /* a lease is this part of the available amount */
    LEAST_SHARE = 1460,        /* smaller reads are not worth a system call */
};

static uint64_t node_per_s(const struct settings *s, enum peers_bandwidth_direction direction)
{
    return 1024ull * (direction == PEERS_BANDWIDTH_IN ? s->bandwidth.in_kib_per_s
                                                      : s->bandwidth.out_kib_per_s);
}

static uint64_t session_per_s(const struct settings *s, enum peers_bandwidth_direction direction)
{
    return 1024ull * (direction == PEERS_BANDWIDTH_IN ? s->bandwidth.session_in_kib_per_s
                                                      : s->bandwidth.session_out_kib_per_s);
}

/* Only a part of the available amount, so that a worker that always comes first leaves some for the
 * others. A single worker still gets the whole rate: the rest is available at its next lease. */
static uint64_t part_of(uint64_t allowance)
{
    return allowance / LEASE_PART > 0 ? allowance / LEASE_PART : allowance;
}

static uint64_t lease(struct peers_bandwidth_pool *pool, enum peers_bandwidth_direction direction,
                      uint64_t per_s, uint64_t now_us)
{
    uint64_t before = atomic_load(&pool->tat_ns[direction]), burst = per_s / BURSTS_PER_S, amount;
    struct peers_rate after;

    do {
        after.tat_ns = before;
        amount = part_of(peers_rate_allowance(&after, per_s, burst, now_us));
        if (amount == 0)
            return 0;
        peers_rate_take(&after, per_s, burst, amount, now_us);
    } while (!atomic_compare_exchange_weak(&pool->tat_ns[direction], &before, after.tat_ns));
    return amount;
}

/* One session's share of what the worker may transfer. */
static uint64_t node_allowance(struct peers_bandwidth *b, enum peers_bandwidth_direction direction,
                               uint64_t per_s, uint64_t now_us)
{
    struct peers_bandwidth_lease *l = &b->leases[direction];
    uint64_t share;

    if (l->left <= l->amount && now_us - l->taken_us >= LEASE_INTERVAL_US) {
        l->amount = (int64_t)lease(b->pool, direction, per_s, now_us);
        l->left += l->amount;
        l->taken_us = now_us;
        l->share = l->left > 0 ? (uint64_t)l->left / b->sharers : 0;
    }
    if (l->left <= 0)
        return 0;
    share = l->share > LEAST_SHARE ? l->share : LEAST_SHARE;
    return share < (uint64_t)l->left ? share : (uint64_t)l->left;
}

uint64_t peers_bandwidth_allowance(struct peers_bandwidth *b,
                                   const struct peers_bandwidth_session *session,
                                   enum peers_bandwidth_direction direction,
                                   const struct settings *s, uint64_t now_us)
{
    uint64_t allowance = UINT64_MAX, per_s = session_per_s(s, direction), node;

    if (per_s > 0)
        allowance =
            peers_rate_allowance(&session->rates[direction], per_s, per_s / BURSTS_PER_S, now_us);
    if (allowance == 0 || node_per_s(s, direction) == 0)
        return allowance;
    node = node_allowance(b, direction, node_per_s(s, direction), now_us);
    return node < allowance ? node : allowance;
}

void peers_bandwidth_take(struct peers_bandwidth *b, struct peers_bandwidth_session *session,
                          enum peers_bandwidth_direction direction, const struct settings *s,
                          uint64_t bytes, uint64_t now_us)
{
    uint64_t per_s = session_per_s(s, direction);

    if (per_s > 0)
        peers_rate_take(&session->rates[direction], per_s, per_s / BURSTS_PER_S, bytes, now_us);
    if (node_per_s(s, direction) > 0)
        b->leases[direction].left -= (int64_t)bytes;
    else
        b->leases[direction].left = 0; /* removing the limit clears the debt */
}
