/* A rate limit as one number: the time at which all that was taken is paid for. Nothing ticks, and
 * a change of the rate holds at once for what is taken from then on. Pure: `now_us` is an argument.
 * What is taken may go beyond what is allowed (a frame begun is completed); the debt is paid by
 * waiting. */
#ifndef PEERS_RATE_H
#define PEERS_RATE_H

#include <stdint.h>

struct peers_rate {
    uint64_t due_ns; /* 0: nothing was ever taken */
};

/* Amounts and bursts are at most PEERS_RATE_AMOUNT_MAX, `per_s` is at least 1. */
#define PEERS_RATE_AMOUNT_MAX 4000000000u

/* How much may be taken now: `burst` after a rest, 0 while there is a debt. */
uint64_t peers_rate_allowance(const struct peers_rate *r, uint64_t per_s, uint64_t burst,
                              uint64_t now_us);

void peers_rate_take(struct peers_rate *r, uint64_t per_s, uint64_t burst, uint64_t amount,
                     uint64_t now_us);

#endif
