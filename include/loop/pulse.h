/* Does every thread still turn? Each loop that a thread has started is pinged by a message. What
 * counts is not the answer alone, for the ping may be queued behind work: a loop that has not
 * answered is alive if it has turned or delivered mail since the last check.
 *
 * One that has done neither is dead, unless its work is system calls on files (`works_on_files`)
 * and it is in one: it has left its poll and uses no CPU. A slow disk, other processes' dirty pages
 * or a frozen file system may take any time, and a restart does not mend them: that is reported,
 * and the loop counts as alive.
 *
 * For the watchdog; everything here but pulse_polls and pulse_turned belongs to the thread that
 * starts and stops the loops (main). */
#ifndef LOOP_PULSE_H
#define LOOP_PULSE_H

#include "loop/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

/* A loop's own; in it from start to stop. */
struct pulse {
    struct request request; /* first: comes back */
    LIST_ENTRY(pulse) link;
    struct mailbox *box;
    const char *name;
    bool works_on_files;
    bool is_out;      /* pinged, and not back yet */
    bool is_reported; /* that it has not turned */
    clockid_t cpu_clock;
    bool has_cpu_clock;
    /* At the last check: */
    uint64_t checked_ms, beats, cpu_ns;
    uint64_t beat_ms; /* the last check that found it turning */
    /* The loop's thread writes, the checking one reads: each stands alone, no lock. */
    _Atomic uint64_t turns;
    _Atomic bool is_polling;
};

/* By loop_start and loop_stop. An answer may still be in the asker's mailbox after pulse_leave: it
 * is delivered before the pulse's memory goes. */
void pulse_enter(struct pulse *pulse, struct mailbox *box, pthread_t thread);
void pulse_leave(struct pulse *pulse);

/* The loop's thread: around its poll, and once a turn. */
void pulse_polls(struct pulse *pulse, bool is_polling);
void pulse_turned(struct pulse *pulse);

/* Pings every loop that this thread runs and that has no ping out. Never waits; the answers come to
 * `answer_to`, this thread's own. */
void pulse_ask(struct mailbox *answer_to, uint64_t now_ms);

/* True while a loop has not answered. */
bool pulse_is_missing(void);

enum pulse_state {
    PULSE_TURNS,
    PULSE_WAITS, /* for a file, and counts as alive */
    PULSE_DEAD,
};

/* What has changed of one loop: it has been so for `ms`. */
typedef void pulse_report_fn(void *ctx, const char *name, enum pulse_state state, uint64_t ms);

/* Judges those that have not answered, by what they did since the last check or ping. False: one is
 * dead. */
bool pulse_check(uint64_t now_ms, pulse_report_fn *report, void *ctx);

#endif
