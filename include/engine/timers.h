/* A priority queue of timers. Pure: `now` is an argument. The event loop gets the next deadline and
 * runs the expired timers. Owner thread only. */
#ifndef ENGINE_TIMERS_H
#define ENGINE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer;
typedef void timer_fn(struct timer *timer, void *ctx);

/* Embedded in the struct that it belongs to. All zero except fire and ctx is an inactive timer. */
struct timer {
    struct timer *child, *sibling; /* of the heap */
    struct timer **backlink;       /* the pointer to this timer: a child, a sibling or the root */
    uint64_t deadline_ms;
    timer_fn *fire;
    void *ctx;
    bool is_set;
};

/* An intrusive pairing heap: setting a timer allocates no memory and cannot fail. */
struct timers {
    struct timer *root;
    uint64_t earliest_ms; /* during timers_run: minimum deadline of a timer that is set now */
};

void timers_init(struct timers *t);

/* Sets a timer, or changes its deadline. A deadline in the past fires in the next run. */
void timers_set(struct timers *t, struct timer *timer, uint64_t deadline_ms);

/* A timer that is not set is a no-op. */
void timers_cancel(struct timers *t, struct timer *timer);

/* False if none is set. */
bool timers_next(struct timers *t, uint64_t *deadline_ms);

/* Fires the timers expired at `now_ms`, earliest first; each is inactive again before its callback.
 * A timer that is set from a callback fires in a later run even if it is due, so that a run
 * terminates. */
void timers_run(struct timers *t, uint64_t now_ms);

#endif
