/* An event loop in a thread of its own. Each turn (iteration): wait, messages, sockets, timers,
 * then `after_turn`. Every thread of the daemon except main runs one. Only its own thread accesses
 * the data of a loop; other threads post to its mailbox. */
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
    size_t mailbox_limit; /* maximum queued requests */
    void *owner;          /* passed to every message_fn of its mailbox */
    bool works_on_files;  /* can block on a disk for any time (loop/pulse.h) */
    /* Callbacks in the loop's thread, each can be NULL: before the first turn, after each turn,
     * after the last. */
    void (*started)(void *owner);
    void (*after_turn)(void *owner);
    void (*ended)(void *owner);
};

enum err loop_open(struct loop **out, const struct loop_config *config);

/* After loop_stop, from the thread that opened it. NULL is a no-op. */
void loop_close(struct loop **loop);

/* Starts the thread. All signals are blocked in it. */
enum err loop_start(struct loop *loop);

/* Any thread but its own. Stops the loop after the messages posted before have been delivered, and
 * joins the thread. No-op if the loop was never started. */
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
/* Makes the next poll return at once, because work is left over. Call it from `after_turn`, when
 * the turn's events have been handled; earlier it only causes an extra poll. */
void loop_skip_wait(struct loop *loop);

/* Owner thread. Runs one turn; for tests and for owners with a thread of their own. */
void loop_turn(struct loop *loop, int max_ms);

#endif
