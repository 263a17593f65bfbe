/* A time limit for each step of the shutdown. A thread blocked on a hung disk cannot be stopped,
 * and joining it would block for ever: when the limit expires, the step is logged and the process
 * exits. Acknowledged files are durable at any time.
 *
 * Main thread. */
#ifndef DAEMON_STOP_LIMIT_H
#define DAEMON_STOP_LIMIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct stop_limit {
    int event_fd; /* signals the thread that the step has changed */
    pthread_t thread;
    bool is_started, has_thread;
    /* Main writes them and signals event_fd, the thread reads them: the time of a step starts when
     * the thread reads it. */
    _Atomic unsigned limit_s; /* 0: the shutdown is complete */
    _Atomic(const char *) what;
};

/* Starts a step, which ends the one before. `what` names it in the log: "the committer". */
void stop_limit_step(struct stop_limit *limit, const char *what, unsigned limit_s);
void stop_limit_end(struct stop_limit *limit);

#endif
