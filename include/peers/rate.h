/* A rate limiter: GCRA (generic cell rate algorithm, virtual scheduling). Its state is one number,
 * the theoretical arrival time: when all that was taken is paid for. It needs no timer, and a
 * changed rate applies at once to what is taken afterwards. Pure: `now_us` is an argument. More
 * than the allowance can be taken (a started frame is completed); the allowance is then 0 until the
 * debt has run off. */
#ifndef PEERS_RATE_H
#define PEERS_RATE_H

#include <stdint.h>

struct peers_rate {
    uint64_t tat_ns; /* theoretical arrival time; 0: nothing taken yet */
};

/* Amounts and bursts are at most PEERS_RATE_AMOUNT_MAX, `per_s` is at least 1. */
#define PEERS_RATE_AMOUNT_MAX 4000000000u

/* Returns how much may be taken now: at most `burst`, 0 while there is a debt. */
uint64_t peers_rate_allowance(const struct peers_rate *r, uint64_t per_s, uint64_t burst,
                              uint64_t now_us);

void peers_rate_take(struct peers_rate *r, uint64_t per_s, uint64_t burst, uint64_t amount,
                     uint64_t now_us);

#endif
