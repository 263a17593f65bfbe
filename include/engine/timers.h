/* Deadlines in order. Pure: `now` is an argument, so a test moves time as it likes. Not a thread
 * and no descriptor; the loop asks for the next deadline and runs what is due. Owner thread only.
 */
#ifndef ENGINE_TIMERS_H
#define ENGINE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer;
typedef void timer_fn(struct timer *timer, void *ctx);

/* Lives in the struct that it wakes. All zero but fire and ctx is an idle timer. */
struct timer {
    struct timer *child, *sibling; /* the heap's */
    struct timer **backlink; /* what points here: a parent's child, a sibling's sibling, root */
    uint64_t deadline_ms;
    timer_fn *fire;
    void *ctx;
    bool is_set;
};

/* A pairing heap through the timers: setting one needs no memory and so cannot fail. */
struct timers {
    struct timer *root;
    uint64_t earliest_ms; /* while running: what is set now is due after this run */
};

void timers_init(struct timers *t);

/* Sets or moves. A deadline in the past fires in the next run. */
void timers_set(struct timers *t, struct timer *timer, uint64_t deadline_ms);

/* At ease with a timer that is not set. */
void timers_cancel(struct timers *t, struct timer *timer);

/* False if none is set. */
bool timers_next(struct timers *t, uint64_t *deadline_ms);

/* Fires what was due at `now_ms`, earliest first, each idle again before its call. A timer that is
 * set from such a call fires in a later run, whatever its deadline, so a run always ends. */
void timers_run(struct timers *t, uint64_t now_ms);

#endif
