#include "peers/rate.h"

enum { NS_PER_US = 1000 };
#define NS_PER_S 1000000000u

/* The theoretical arrival time, at least one burst before now: unused allowance beyond a burst does
 * not accumulate. */
static uint64_t arrival_ns(const struct peers_rate *r, uint64_t per_s, uint64_t burst,
                           uint64_t now_ns)
{
    uint64_t burst_ns = (burst * NS_PER_S + per_s - 1) / per_s;
    uint64_t earliest = now_ns > burst_ns ? now_ns - burst_ns : 0;

    return r->tat_ns > earliest ? r->tat_ns : earliest;
}

uint64_t peers_rate_allowance(const struct peers_rate *r, uint64_t per_s, uint64_t burst,
                              uint64_t now_us)
{
    uint64_t now_ns = now_us * NS_PER_US;
    uint64_t tat_ns = arrival_ns(r, per_s, burst, now_ns);

    if (tat_ns >= now_ns)
        return 0;
    /* Whole seconds and the remainder separately, so that a large burst does not overflow. */
    return (now_ns - tat_ns) / NS_PER_S * per_s + (now_ns - tat_ns) % NS_PER_S * per_s / NS_PER_S;
}

void peers_rate_take(struct peers_rate *r, uint64_t per_s, uint64_t burst, uint64_t amount,
                     uint64_t now_us)
{
    r->tat_ns = arrival_ns(r, per_s, burst, now_us * NS_PER_US) + amount * NS_PER_S / per_s;
}
