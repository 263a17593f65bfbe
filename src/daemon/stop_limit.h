/* The time that each step of a stop may take. A thread that waits for a disk which does not answer
 * cannot be ended, and whoever waits for it would wait for ever: when the time is over, the process
 * ends all the same, with a line in the log. What was acknowledged is safe at any moment.
 *
 * Main thread. */
#ifndef DAEMON_STOP_LIMIT_H
#define DAEMON_STOP_LIMIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct stop_limit {
    int bell; /* eventfd: the step is another one */
    pthread_t thread;
    bool is_begun, is_watched;
    /* Main writes them and rings, the thread reads them: a step that is read late begins late. */
    _Atomic unsigned limit_s; /* 0: the stop is over */
    _Atomic(const char *) what;
};

/* From now on `what` may take so long: for the log, as in "the committer". */
void stop_limit_step(struct stop_limit *limit, const char *what, unsigned limit_s);
void stop_limit_end(struct stop_limit *limit);

#endif
