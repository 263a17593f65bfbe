/* One thread's turn, over and over: wait, mail, sockets, timers, then `after_turn`. Every thread of
 * the daemon but main is one of these. What belongs to a loop is touched by its thread only; the
 * others post to its mailbox. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "engine/timers.h"
#include "loop/mailbox.h"
#include "loop/poller.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop_config {
    const char *name;     /* the thread's name in logs; copied, at most 15 bytes */
    size_t mailbox_limit; /* messages of new work */
    void *owner;          /* goes to every message_fn of its mailbox */
    bool works_on_files;  /* may wait for a disk, for any time (loop/pulse.h) */
    /* Each may be NULL. In the loop's thread: before the first turn, after each turn, after the
     * last. */
    void (*started)(void *owner);
    void (*after_turn)(void *owner);
    void (*ended)(void *owner);
};

enum err loop_open(struct loop **out, const struct loop_config *config);

/* After loop_stop, from the thread that opened it. At ease with NULL. */
void loop_close(struct loop **loop);

/* Starts the thread. All signals are blocked in it. */
enum err loop_start(struct loop *loop);

/* Any thread but its own. Asks the loop to end after the turn in which what was posted before has
 * been delivered, and waits for the thread. At ease with one never started. */
void loop_stop(struct loop *loop);

/* Any thread. */
struct mailbox *loop_mailbox(struct loop *loop);

/* Owner thread (asserted). */
void loop_assert_here(const struct loop *loop);
enum err loop_add(struct loop *loop, struct watch *w, uint32_t events);
void loop_remove(struct loop *loop, struct watch *w);
void loop_set_timer(struct loop *loop, struct timer *timer, uint64_t delay_ms);
void loop_cancel_timer(struct loop *loop, struct timer *timer);
/* The time of this turn, CLOCK_MONOTONIC: one clock read a turn. */
uint64_t loop_now_ms(const struct loop *loop);
/* The next wait does not wait: somebody has work left over. For `after_turn`, which sees all that
 * the turn woke; anybody before it would only buy a look at the sockets that finds nothing. */
void loop_hurry(struct loop *loop);

/* Owner thread, for tests and for owners that bring their own thread: one turn. */
void loop_turn(struct loop *loop, int most_ms);

#endif
