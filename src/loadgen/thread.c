#include "loadgen/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    SETTLING_MAX = 256,    /* connects under way at once while the sessions are opened */
    LOOK_MS = 50,          /* how soon the end of the time is seen */
    RATION_FAST_MS = 2,    /* how often rationed sessions get their share */
    RATION_SLOW_MS = 1000, /* those of a few bytes a second */
    SLOW_BYTES_PER_S = 1000,
};

#define MS_NS UINT64_C(1000000)

static bool is_stopping(const struct loadgen_thread *t)
{
    return atomic_load_explicit(&t->run->is_stopping, memory_order_relaxed);
}

/* ---- the timer: the next start that falls due, or the next ration */

static uint64_t due_at(const struct loadgen_session_squad *q, uint64_t number)
{
    return q->origin_ns + (uint64_t)((double)number * q->interval_ns);
}

static bool has_rations(const struct loadgen_session_role *role)
{
    return role->write_bytes_per_s > 0 || role->read_bytes_per_s > 0 ||
           role->work == LOADGEN_SESSION_HANDSHAKES;
}

static uint64_t ration_period_ns(const struct loadgen_session_role *role)
{
    bool is_fast = role->write_bytes_per_s > SLOW_BYTES_PER_S;

    return (is_fast                                    ? RATION_FAST_MS
            : role->work == LOADGEN_SESSION_HANDSHAKES ? LOOK_MS
                                                       : RATION_SLOW_MS) *
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
        const struct loadgen_session_squad *q = &t->squads[i];
        uint64_t at = 0;

        if (q->count > 0 && q->interval_ns > 0)
            at = due_at(q, q->handed);
        if (q->count > 0 && has_rations(q->role)) {
            uint64_t ration = q->ration_ns + ration_period_ns(q->role);

            at = at == 0 || ration < at ? ration : at;
        }
        if (at != 0 && (next == 0 || at < next))
            next = at;
    }
    if (next != 0)
        arm(t, next);
}

static void hand_out(struct loadgen_session_squad *q, uint64_t now_ns)
{
    while (q->interval_ns > 0 && q->count > 0 && due_at(q, q->handed) <= now_ns)
        loadgen_session_due(&q->sessions[q->handed++ % q->count]);
}

static void ration(struct loadgen_thread *t, uint64_t now_ns)
{
    for (unsigned i = 0; i < t->run->role_count; i++) {
        struct loadgen_session_squad *q = &t->squads[i];

        if (q->count == 0 || !has_rations(q->role) ||
            now_ns < q->ration_ns + ration_period_ns(q->role))
            continue;
        q->ration_ns = now_ns;
        for (unsigned k = 0; k < q->count; k++)
            loadgen_session_ration(&q->sessions[k]);
    }
}

static void timer_went_off(struct watch *w, uint32_t events)
{
    struct loadgen_thread *t = w->ctx;
    uint64_t times, now_ns;

    (void)events;
    if (read(w->fd, &times, sizeof times) < 0 || is_stopping(t))
        return;
    now_ns = loadgen_session_now_ns();
    for (unsigned i = 0; i < t->run->role_count; i++)
        hand_out(&t->squads[i], now_ns);
    ration(t, now_ns);
    arm_for_next(t);
}

/* ---- the stages */

/* All threads and the main thread go on together. */
static void arrive(struct loadgen_thread *t)
{
    const uint64_t one = 1;

    atomic_fetch_add(&t->run->arrived, 1);
    if (write(t->run->progress_fd, &one, sizeof one) < 0)
        errno = 0; /* full means rung already */
    pthread_barrier_wait(&t->run->stage);
    pthread_barrier_wait(&t->run->stage);
}

static bool open_next(struct loadgen_session_squad *q, unsigned *next)
{
    if (*next >= q->count || q->role->work == LOADGEN_SESSION_HANDSHAKES)
        return false;
    loadgen_session_open(&q->sessions[(*next)++], loadgen_session_now_ns());
    return true;
}

/* Returns when none is settling although more were asked for: all are open, or failed. */
static void open_squad(struct loadgen_thread *t, struct loadgen_session_squad *q)
{
    unsigned next = 0;

    while (!is_stopping(t)) {
        while (t->home.settling < SETTLING_MAX && open_next(q, &next))
            ;
        if (t->home.settling == 0)
            return;
        poller_wait(t->home.poller, LOOK_MS);
    }
}

static void open_sessions(struct loadgen_thread *t)
{
    for (unsigned i = 0; i < t->run->role_count; i++)
        open_squad(t, &t->squads[i]);
}

static void begin(struct loadgen_thread *t)
{
    uint64_t now_ns = loadgen_session_now_ns();

    for (unsigned i = 0; i < t->run->role_count; i++) {
        struct loadgen_session_squad *q = &t->squads[i];

        q->origin_ns = now_ns;
        q->counted_from_ns = now_ns + t->run->warm_up_ns;
        q->ration_ns = now_ns;
        q->is_going = true;
        for (unsigned k = 0; k < q->count; k++)
            loadgen_session_go(&q->sessions[k]);
    }
    arm_for_next(t);
}

static bool is_busy(const struct loadgen_thread *t)
{
    for (unsigned i = 0; i < t->run->role_count; i++)
        if (t->squads[i].busy > 0)
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
        poller_wait(t->home.poller, LOOK_MS);
    arrive(t);
    return NULL;
}

/* ---- making */

/* Number `part` of `parts` almost equal parts of `whole`. */
static uint64_t share_of(uint64_t whole, unsigned part, unsigned parts)
{
    return whole / parts + (part < whole % parts ? 1 : 0);
}

/* `place` is the session's among those of its role. */
static enum err init_session(struct loadgen_session_squad *q, unsigned index, unsigned place,
                             unsigned number)
{
    const struct loadgen_session_role *role = q->role;
    struct loadgen_session *s = &q->sessions[index];

    s->squad = q;
    s->index = index;
    s->number = number;
    s->quota = role->count == 0 ? UINT64_MAX : share_of(role->count, place, role->sessions);
    return loadgen_session_init(s);
}

/* The sessions of all roles go round the threads as one row, so that with enough threads none has
 * sessions of two roles: what a thread is busy with would count as the latency of the other. */
static enum err init_squad(struct loadgen_thread *t, struct loadgen_session_squad *q,
                           unsigned first_number)
{
    const struct loadgen_session_role *role = q->role;
    unsigned threads = t->run->thread_count;
    unsigned first_place = (t->number + threads - first_number % threads) % threads;
    enum err e = ERR_OK;

    q->home = &t->home;
    q->count = (unsigned)share_of(role->sessions, first_place, threads);
    if (q->count == 0)
        return ERR_OK;
    if (role->rate > 0)
        q->interval_ns = 1e9 * (double)role->sessions / role->rate / q->count;
    if ((q->sessions = calloc(q->count, sizeof *q->sessions)) == NULL)
        return ERR_NO_MEMORY;
    for (unsigned i = 0; e == ERR_OK && i < q->count; i++) {
        unsigned place = first_place + i * threads;

        e = init_session(q, i, place, first_number + place);
    }
    return e;
}

static enum err init_timer(struct loadgen_thread *t)
{
    t->timer = (struct watch){.ready = timer_went_off, .ctx = t};
    t->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (t->timer.fd < 0)
        return err_from_errno(errno);
    return poller_add(t->home.poller, &t->timer, EPOLLIN);
}

enum err loadgen_thread_init(struct loadgen_thread *t, struct loadgen_thread_run *run,
                             unsigned number)
{
    unsigned first = 0;
    enum err e;

    *t = (struct loadgen_thread){.run = run, .number = number, .timer = {.fd = -1}};
    t->home.target = &run->target;
    t->home.idurl = run->idurl;
    t->home.spread = run->spread;
    e = poller_open(&t->home.poller);
    if (e == ERR_OK)
        e = init_timer(t);
    for (unsigned i = 0; e == ERR_OK && i < run->role_count; i++) {
        t->squads[i].role = &run->roles[i];
        e = init_squad(t, &t->squads[i], first);
        first += run->roles[i].sessions;
    }
    if (e != ERR_OK)
        loadgen_thread_fini(t);
    return e;
}

void loadgen_thread_fini(struct loadgen_thread *t)
{
    for (unsigned i = 0; i < LOADGEN_THREAD_ROLES_MAX; i++) {
        struct loadgen_session_squad *q = &t->squads[i];

        for (unsigned k = 0; q->sessions != NULL && k < q->count; k++)
            loadgen_session_fini(&q->sessions[k]);
        free(q->sessions);
        q->sessions = NULL;
    }
    if (t->timer.fd >= 0)
        close(t->timer.fd);
    t->timer.fd = -1;
    poller_close(&t->home.poller);
}
