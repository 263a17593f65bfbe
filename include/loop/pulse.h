/* Does every thread still turn? Each loop that a thread has started is asked by a message, which it
 * answers in its turn: one that hangs in a handler, or waits for a disk, does not answer. For the
 * watchdog; everything here belongs to the thread that starts and stops the loops (main). */
#ifndef LOOP_PULSE_H
#define LOOP_PULSE_H

#include "loop/mailbox.h"

#include <stdbool.h>
#include <sys/queue.h>

/* A loop's own; in it from start to stop. */
struct pulse {
    struct request request; /* first: comes back */
    LIST_ENTRY(pulse) link;
    struct mailbox *box;
    const char *name;
    bool is_out; /* asked, and not back yet */
};

/* By loop_start and loop_stop. An answer may still be in the asker's mailbox after pulse_leave: it
 * is delivered before the pulse's memory goes. */
void pulse_enter(struct pulse *pulse, struct mailbox *box, const char *name);
void pulse_leave(struct pulse *pulse);

/* Asks every loop that this thread runs and that has no question out. Never waits; the answers come
 * to `answer_to`, this thread's own. */
void pulse_ask(struct mailbox *answer_to);

/* The name of a loop that has not answered, or NULL: all have. */
const char *pulse_missing(void);

#endif
