#include "loadgen/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    CONNECTING_MAX = 256, /* concurrent handshakes while the sessions are opened */
    POLL_MS = 50,         /* how often `is_stopping` is checked */
    TICK_FAST_MS = 2,     /* period of throttled sessions */
    TICK_SLOW_MS = 1000,  /* period of those with a few bytes per second */
    SLOW_BYTES_PER_S = 1000,
};

#define MS_NS UINT64_C(1000000)

static bool is_stopping(const struct loadgen_thread *t)
{
    return atomic_load_explicit(&t->run->is_stopping, memory_order_relaxed);
}

/* ---- the timer: the next due start or tick */

static uint64_t due_at(const struct loadgen_session_group *q, uint64_t number)
{
    return q->origin_ns + (uint64_t)((double)number * q->interval_ns);
}

static bool needs_ticks(const struct loadgen_session_role *role)
{
    return role->write_bytes_per_s > 0 || role->read_bytes_per_s > 0 ||
           role->work == LOADGEN_SESSION_HANDSHAKES;
}

static uint64_t tick_period_ns(const struct loadgen_session_role *role)
{
    bool is_fast = role->write_bytes_per_s > SLOW_BYTES_PER_S;

    return (is_fast                                    ? TICK_FAST_MS
            : role->work == LOADGEN_SESSION_HANDSHAKES ? POLL_MS
                                                       : TICK_SLOW_MS) *
           MS_NS;
}

static void arm(struct loadgen_thread *t, uint64_t at_ns)
{
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_ns / 1000000000U),
                                           .tv_nsec = (long)(at_ns % 1000000000U)}};

    if (at_ns == t->armed_ns)
        return;
    t->armed_ns = at_ns;
    timerfd_settime(t->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void arm_for_next(struct loadgen_thread *t)
{
    uint64_t next = 0;

    for (unsigned i = 0; i < t->run->role_count; i++) {
        const struct loadgen_session_group *q = &t->groups[i];
        uint64_t at = 0;

        if (q->count > 0 && q->interval_ns > 0)
            at = due_at(q, q->dispatched);
        if (q->count > 0 && needs_ticks(q->role)) {
            uint64_t tick = q->ticked_ns + tick_period_ns(q->role);

            at = at == 0 || tick < at ? tick : at;
        }
        if (at != 0 && (next == 0 || at < next))
            next = at;
    }
    if (next != 0)
        arm(t, next);
}

static void dispatch_due(struct loadgen_session_group *q, uint64_t now_ns)
{
    while (q->interval_ns > 0 && q->count > 0 && due_at(q, q->dispatched) <= now_ns)
        loadgen_session_add_due(&q->sessions[q->dispatched++ % q->count]);
}

static void tick_groups(struct loadgen_thread *t, uint64_t now_ns)
{
    for (unsigned i = 0; i < t->run->role_count; i++) {
        struct loadgen_session_group *q = &t->groups[i];

        if (q->count == 0 || !needs_ticks(q->role) ||
            now_ns < q->ticked_ns + tick_period_ns(q->role))
            continue;
        q->ticked_ns = now_ns;
        for (unsigned k = 0; k < q->count; k++)
            loadgen_session_tick(&q->sessions[k]);
    }
}

static void timer_fired(struct watch *w, uint32_t events)
{
    struct loadgen_thread *t = w->ctx;
    uint64_t times, now_ns;

    (void)events;
    if (read(w->fd, &times, sizeof times) < 0 || is_stopping(t))
        return;
    now_ns = loadgen_session_now_ns();
    for (unsigned i = 0; i < t->run->role_count; i++)
        dispatch_due(&t->groups[i], now_ns);
    tick_groups(t, now_ns);
    arm_for_next(t);
}

/* ---- stages */

/* Waits at the barrier until all threads and the main thread have arrived. */
static void arrive(struct loadgen_thread *t)
{
    const uint64_t one = 1;

    atomic_fetch_add(&t->run->arrived, 1);
    if (write(t->run->progress_fd, &one, sizeof one) < 0)
        errno = 0; /* full means already signalled */
    pthread_barrier_wait(&t->run->stage);
    pthread_barrier_wait(&t->run->stage);
}

static bool open_next(struct loadgen_session_group *q, unsigned *next)
{
    if (*next >= q->count || q->role->work == LOADGEN_SESSION_HANDSHAKES)
        return false;
    loadgen_session_open(&q->sessions[(*next)++], loadgen_session_now_ns());
    return true;
}

/* Returns when all sessions of the group are open or have failed. */
static void open_group(struct loadgen_thread *t, struct loadgen_session_group *q)
{
    unsigned next = 0;

    while (!is_stopping(t)) {
        while (t->shared.connecting < CONNECTING_MAX && open_next(q, &next))
            ;
        if (t->shared.connecting == 0)
            return;
        poller_wait(t->shared.poller, POLL_MS);
    }
}

static void open_sessions(struct loadgen_thread *t)
{
    for (unsigned i = 0; i < t->run->role_count; i++)
        open_group(t, &t->groups[i]);
}

static void begin(struct loadgen_thread *t)
{
    uint64_t now_ns = loadgen_session_now_ns();

    for (unsigned i = 0; i < t->run->role_count; i++) {
        struct loadgen_session_group *q = &t->groups[i];

        q->origin_ns = now_ns;
        q->counted_from_ns = now_ns + t->run->warm_up_ns;
        q->ticked_ns = now_ns;
        q->is_started = true;
        for (unsigned k = 0; k < q->count; k++)
            loadgen_session_start(&q->sessions[k]);
    }
    arm_for_next(t);
}

static bool is_busy(const struct loadgen_thread *t)
{
    for (unsigned i = 0; i < t->run->role_count; i++)
        if (t->groups[i].busy > 0)
            return true;
    return false;
}

void *loadgen_thread_main(void *thread)
{
    struct loadgen_thread *t = thread;

    open_sessions(t);
    arrive(t);
    begin(t);
    while (!is_stopping(t) && is_busy(t))
        poller_wait(t->shared.poller, POLL_MS);
    arrive(t);
    return NULL;
}

/* ---- init */

/* Number `part` of `parts` almost equal parts of `whole`. */
static uint64_t share_of(uint64_t whole, unsigned part, unsigned parts)
{
    return whole / parts + (part < whole % parts ? 1 : 0);
}

/* `role_index`: the session's index in its role, over all threads. */
static enum err init_session(struct loadgen_session_group *q, unsigned index, unsigned role_index,
                             unsigned number)
{
    const struct loadgen_session_role *role = q->role;
    struct loadgen_session *s = &q->sessions[index];

    s->group = q;
    s->index = index;
    s->number = number;
    s->quota = role->count == 0 ? UINT64_MAX : share_of(role->count, role_index, role->sessions);
    return loadgen_session_init(s);
}

/* The sessions of all roles are assigned round-robin to the threads, so that with enough threads
 * none has sessions of two roles: the work for one role would add to the latency of the other. */
static enum err init_group(struct loadgen_thread *t, struct loadgen_session_group *q,
                           unsigned first_number)
{
    const struct loadgen_session_role *role = q->role;
    unsigned threads = t->run->thread_count;
    unsigned first_index = (t->number + threads - first_number % threads) % threads;
    enum err e = ERR_OK;

    q->shared = &t->shared;
    q->count = (unsigned)share_of(role->sessions, first_index, threads);
    if (q->count == 0)
        return ERR_OK;
    if (role->rate > 0)
        q->interval_ns = 1e9 * (double)role->sessions / role->rate / q->count;
    if ((q->sessions = calloc(q->count, sizeof *q->sessions)) == NULL)
        return ERR_NO_MEMORY;
    for (unsigned i = 0; e == ERR_OK && i < q->count; i++) {
        unsigned role_index = first_index + i * threads;

        e = init_session(q, i, role_index, first_number + role_index);
    }
    return e;
}

static enum err init_timer(struct loadgen_thread *t)
{
    t->timer = (struct watch){.ready = timer_fired, .ctx = t};
    t->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (t->timer.fd < 0)
        return err_from_errno(errno);
    return poller_add(t->shared.poller, &t->timer, EPOLLIN);
}

enum err loadgen_thread_init(struct loadgen_thread *t, struct loadgen_thread_run *run,
                             unsigned number)
{
    unsigned first = 0;
    enum err e;

    *t = (struct loadgen_thread){.run = run, .number = number, .timer = {.fd = -1}};
    t->shared.target = &run->target;
    t->shared.idurl = run->idurl;
    t->shared.spread = run->spread;
    e = poller_open(&t->shared.poller);
    if (e == ERR_OK)
        e = init_timer(t);
    for (unsigned i = 0; e == ERR_OK && i < run->role_count; i++) {
        t->groups[i].role = &run->roles[i];
        e = init_group(t, &t->groups[i], first);
        first += run->roles[i].sessions;
    }
    if (e != ERR_OK)
        loadgen_thread_fini(t);
    return e;
}

void loadgen_thread_fini(struct loadgen_thread *t)
{
    for (unsigned i = 0; i < LOADGEN_THREAD_ROLES_MAX; i++) {
        struct loadgen_session_group *q = &t->groups[i];

        for (unsigned k = 0; q->sessions != NULL && k < q->count; k++)
            loadgen_session_fini(&q->sessions[k]);
        free(q->sessions);
        q->sessions = NULL;
    }
    if (t->timer.fd >= 0)
        close(t->timer.fd);
    t->timer.fd = -1;
    poller_close(&t->shared.poller);
}
