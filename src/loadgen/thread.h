/* A thread of the load generator: opens its share of the sessions of every role, starts the work
 * together with the other threads, and keeps the sessions open until the main thread has read the
 * daemon's usage. */
#ifndef LOADGEN_THREAD_H
#define LOADGEN_THREAD_H

#include "loadgen/session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { LOADGEN_THREAD_ROLES_MAX = 4 };

/* State shared by the threads and the main thread. */
struct loadgen_thread_run {
    const struct loadgen_session_role *roles; /* read-only while threads run */
    unsigned role_count;
    unsigned thread_count;
    struct address target;
    const char *idurl;
    unsigned spread;
    uint64_t warm_up_ns;
    pthread_barrier_t stage; /* all threads and the main thread: opened, begin, ended, close */
    int progress_fd;         /* an eventfd: a thread has finished its stage */
    atomic_bool is_stopping; /* set by the main thread at the time limit: stop the stage */
    atomic_uint arrived;     /* threads that have finished the current stage */
};

struct loadgen_thread {
    struct loadgen_thread_run *run;
    unsigned number;
    pthread_t id;
    struct loadgen_session_shared shared;
    struct loadgen_session_group groups[LOADGEN_THREAD_ROLES_MAX];
    struct watch timer;
    uint64_t armed_ns; /* expiry of the timer, 0: not armed */
};

/* Main thread. On failure everything is freed. Allocates the sessions; the thread opens them. */
enum err loadgen_thread_init(struct loadgen_thread *t, struct loadgen_thread_run *run,
                             unsigned number);
/* Call after the thread was joined, or if it was never started. The tallies stay valid. */
void loadgen_thread_fini(struct loadgen_thread *t);
void *loadgen_thread_main(void *thread);

#endif
