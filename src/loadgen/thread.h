/* A thread of the load generator: opens its share of the sessions of every role, works when all
 * threads are there, and keeps the sessions open until the main thread has looked at the daemon. */
#ifndef LOADGEN_THREAD_H
#define LOADGEN_THREAD_H

#include "loadgen/session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { LOADGEN_THREAD_ROLES_MAX = 4 };

/* What the threads and the main thread share. */
struct loadgen_thread_run {
    const struct loadgen_session_role *roles; /* read only while threads run */
    unsigned role_count;
    unsigned thread_count;
    struct address target;
    const char *idurl;
    unsigned spread;
    uint64_t warm_up_ns;
    pthread_barrier_t stage; /* all threads and the main thread: opened, begin, ended, close */
    int progress_fd;         /* an eventfd: a thread has opened everything, or has nothing to do */
    atomic_bool is_stopping; /* set by the main thread when the time is over: end what you do */
    atomic_uint arrived;     /* threads that came to the end of the present stage */
};

struct loadgen_thread {
    struct loadgen_thread_run *run;
    unsigned number;
    pthread_t id;
    struct loadgen_session_home home;
    struct loadgen_session_squad squads[LOADGEN_THREAD_ROLES_MAX];
    struct watch timer;
    uint64_t armed_ns; /* when the timer goes off, 0: it does not */
};

/* Main thread. On failure nothing is left. The sessions are made here and opened by the thread. */
enum err loadgen_thread_init(struct loadgen_thread *t, struct loadgen_thread_run *run,
                             unsigned number);
/* After the thread was joined, or was never started. The tallies stay. */
void loadgen_thread_fini(struct loadgen_thread *t);
void *loadgen_thread_main(void *thread);

#endif
