/* Liveness check of the event loops. Each loop that a thread has started is pinged by a message.
 * The ping can be queued behind other work: a loop that has not responded is alive if it has
 * completed a turn or delivered a message since the last check.
 *
 * A loop that has done neither is stalled, unless it works on files (`works_on_files`) and is
 * blocked in a system call: it is not polling and uses no CPU. A slow disk, other processes' dirty
 * pages or a frozen file system can block for any time, and a restart does not help: that is
 * reported, and the loop counts as alive.
 *
 * For the watchdog. All functions except pulse_set_polling and pulse_count_turn belong to the
 * thread that starts and stops the loops (main). */
#ifndef LOOP_PULSE_H
#define LOOP_PULSE_H

#include "loop/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

/* Embedded in each loop. */
struct pulse {
    struct request request; /* first; the ping */
    LIST_ENTRY(pulse) link;
    struct mailbox *box;
    const char *name;
    bool works_on_files;
    bool is_pending;  /* pinged, no response yet */
    bool is_reported; /* as blocked or stalled */
    clockid_t cpu_clock;
    bool has_cpu_clock;
    /* At the last check: */
    uint64_t checked_ms, beats, cpu_ns;
    uint64_t beat_ms; /* time of the last check that found it alive */
    /* Written by the loop's thread, read by the checking one; independent of other data. */
    _Atomic uint64_t turns;
    _Atomic bool is_polling;
};

/* Called by loop_start and loop_stop. A response can still be in the mailbox of the checking thread
 * after pulse_leave: it is delivered before the pulse's memory is freed. */
void pulse_enter(struct pulse *pulse, struct mailbox *box, pthread_t thread);
void pulse_leave(struct pulse *pulse);

/* Called by the loop's thread: before and after its poll, and once per turn. */
void pulse_set_polling(struct pulse *pulse, bool is_polling);
void pulse_count_turn(struct pulse *pulse);

/* Pings every loop started by this thread that has no ping pending. Never blocks; the responses are
 * posted to `answer_to`, this thread's mailbox. */
void pulse_ping(struct mailbox *answer_to, uint64_t now_ms);

/* True while a loop has not responded. */
bool pulse_is_pending(void);

enum pulse_state {
    PULSE_ALIVE,
    PULSE_BLOCKED, /* in a system call on a file; counts as alive */
    PULSE_STALLED,
};

/* Called when the state of a loop has changed; it has not made progress for `ms`. */
typedef void pulse_report_fn(void *ctx, const char *name, enum pulse_state state, uint64_t ms);

/* Checks the loops that have not responded for progress since the last check or ping. False if one
 * is stalled. */
bool pulse_check(uint64_t now_ms, pulse_report_fn *report, void *ctx);

#endif
