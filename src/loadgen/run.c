#include "loadgen/run.h"

#include "loadgen/inbox.h"
#include "loadgen/live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_MS = 100 };

/* Set by the signal handler, read by the main thread. */
static volatile sig_atomic_t interrupts;

static void count_interrupt(int signal_number)
{
    if (++interrupts > 1)
        _exit(128 + signal_number);
}

void loadgen_run_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = count_interrupt};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool loadgen_run_is_interrupted(void)
{
    return interrupts > 0;
}

/* Resources of a run. */
struct active_run {
    struct loadgen_run_plan *plan;
    struct loadgen_thread_run run;
    struct loadgen_thread *threads;
    unsigned started;
    struct loadgen_payload payloads[LOADGEN_THREAD_ROLES_MAX];
    struct loadgen_inbox *inbox;
    bool has_inbox_failed;
};

/* ---- the stages of the main thread */

static bool have_all_arrived(struct active_run *r)
{
    return atomic_load(&r->run.arrived) == r->run.thread_count;
}

static void wait_for_progress(struct active_run *r, uint64_t since_ns, uint64_t end_ns)
{
    struct pollfd progress = {.fd = r->run.progress_fd, .events = POLLIN};
    uint64_t count, now = loadgen_session_now_ns();
    int left_ms = now >= end_ns ? 0 : (int)((end_ns - now) / 1000000U) + 1;

    if (poll(&progress, 1, left_ms > 0 && left_ms < POLL_MS ? left_ms : POLL_MS) > 0 &&
        read(r->run.progress_fd, &count, sizeof count) < 0)
        errno = 0; /* a spurious wakeup is harmless */
    if (r->plan->is_live)
        loadgen_live_show(r->plan->title, r->threads, r->run.thread_count, since_ns);
}

/* Returns early when all work is done. */
static void warm_up(struct active_run *r)
{
    uint64_t since = loadgen_session_now_ns(), end = since + r->run.warm_up_ns;

    while (loadgen_session_now_ns() < end && !have_all_arrived(r) && !loadgen_run_is_interrupted())
        wait_for_progress(r, since, end);
}

/* Waits until all threads have finished their stage; requests a stop after `limit_s`. */
static void wait_for_threads(struct active_run *r, double limit_s)
{
    uint64_t since = loadgen_session_now_ns(), end = since + (uint64_t)(limit_s * 1e9);

    while (!have_all_arrived(r)) {
        if (loadgen_session_now_ns() >= end || loadgen_run_is_interrupted())
            atomic_store(&r->run.is_stopping, true);
        wait_for_progress(r, since, end);
    }
    atomic_store(&r->run.arrived, 0);
    pthread_barrier_wait(&r->run.stage);
}

static void read_usage(struct loadgen_run_result *out, const struct loadgen_run_plan *plan,
                       struct loadgen_daemon_usage *usage)
{
    if (plan->pid != 0 && loadgen_daemon_read_usage(usage, plan->pid) != ERR_OK)
        out->has_daemon = false;
}

static void work(struct loadgen_run_result *out, struct active_run *r)
{
    uint64_t began = loadgen_session_now_ns();
    double own_s;

    wait_for_threads(r, LOADGEN_RUN_OPENING_S);
    out->opening_s = (double)(loadgen_session_now_ns() - began) / 1e9;
    atomic_store(&r->run.is_stopping, loadgen_run_is_interrupted());
    pthread_barrier_wait(&r->run.stage);
    warm_up(r);
    read_usage(out, r->plan, &out->opened);
    own_s = loadgen_daemon_own_cpu_s();
    began = loadgen_session_now_ns();
    wait_for_threads(r, r->plan->seconds);
    out->seconds = (double)(loadgen_session_now_ns() - began) / 1e9;
    out->own_cpu_s = loadgen_daemon_own_cpu_s() - own_s;
    read_usage(out, r->plan, &out->after);
    pthread_barrier_wait(&r->run.stage);
    out->is_interrupted = loadgen_run_is_interrupted();
}

/* ---- start and cleanup */

static enum err prepare_payloads(struct active_run *r)
{
    struct loadgen_run_plan *plan = r->plan;
    enum err e = ERR_OK;

    for (unsigned i = 0; e == ERR_OK && i < plan->role_count; i++) {
        struct loadgen_session_role *role = &plan->roles[i];

        if (role->work != LOADGEN_SESSION_FILES)
            continue;
        e = loadgen_payload_init(&r->payloads[i], role->size, plan->chunk_bytes, role->window);
        role->payload = &r->payloads[i];
    }
    return e;
}

static enum err init_threads(struct active_run *r)
{
    unsigned count = r->plan->threads;
    enum err e = ERR_OK;

    if ((r->threads = calloc(count, sizeof *r->threads)) == NULL)
        return ERR_NO_MEMORY;
    while (e == ERR_OK && r->run.thread_count < count) {
        /* loadgen_thread_init() divides the sessions by the final thread count. */
        r->run.thread_count = count;
        e = loadgen_thread_init(&r->threads[r->started], &r->run, r->started);
        if (e == ERR_OK)
            r->started++;
        r->run.thread_count = r->started;
    }
    return e;
}

static enum err begin(struct active_run *r)
{
    struct loadgen_run_plan *plan = r->plan;
    enum err e;

    r->run = (struct loadgen_thread_run){.roles = plan->roles,
                                         .role_count = plan->role_count,
                                         .target = plan->target,
                                         .idurl = plan->idurl,
                                         .spread = plan->spread,
                                         .warm_up_ns = (uint64_t)(plan->warm_up_s * 1e9)};
    r->run.progress_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->run.progress_fd < 0)
        return err_from_errno(errno);
    if (pthread_barrier_init(&r->run.stage, NULL, plan->threads + 1) != 0)
        return ERR_NO_MEMORY;
    if ((e = prepare_payloads(r)) != ERR_OK || (e = init_threads(r)) != ERR_OK)
        return e;
    if (plan->inbox != NULL)
        e = loadgen_inbox_start(&r->inbox, plan->inbox);
    r->has_inbox_failed = e != ERR_OK;
    return e;
}

/* Without one of the threads the others would wait at the barrier forever, so the program exits. */
static void start_threads(struct active_run *r)
{
    for (unsigned i = 0; i < r->started; i++)
        if (pthread_create(&r->threads[i].id, NULL, loadgen_thread_main, &r->threads[i]) != 0) {
            fputs(
                "dustwire-load: cannot create a thread: out of memory, or process limit reached\n",
                stderr);
            exit(EXIT_FAILURE);
        }
}

static void sum_up(struct loadgen_session_tally *to, const struct loadgen_session_tally *from)
{
    to->opened += from->opened;
    to->refused += from->refused;
    to->lost += from->lost;
    to->files += from->files;
    to->failed += from->failed;
    to->unanswered += from->unanswered;
    if (from->first_ns != 0 && (to->first_ns == 0 || from->first_ns < to->first_ns))
        to->first_ns = from->first_ns;
    if (from->last_ns > to->last_ns)
        to->last_ns = from->last_ns;
    if (to->problem[0] == '\0')
        memcpy(to->problem, from->problem, sizeof to->problem);
    loadgen_histogram_merge(&to->latency, &from->latency);
}

static void clean_up(struct loadgen_run_result *out, struct active_run *r)
{
    loadgen_inbox_stop(&r->inbox);
    for (unsigned i = 0; i < r->started; i++) {
        loadgen_thread_fini(&r->threads[i]);
        for (unsigned k = 0; k < r->plan->role_count; k++)
            sum_up(&out->tallies[k], &r->threads[i].groups[k].tally);
    }
    free(r->threads);
    for (unsigned i = 0; i < r->plan->role_count; i++)
        loadgen_payload_fini(&r->payloads[i]);
    pthread_barrier_destroy(&r->run.stage);
    if (r->run.progress_fd >= 0)
        close(r->run.progress_fd);
}

enum err loadgen_run(struct loadgen_run_result *out, struct loadgen_run_plan *plan, char *problem,
                     size_t problem_room)
{
    struct active_run r = {.plan = plan};
    enum err e;

    memset(out, 0, sizeof *out);
    out->has_daemon = plan->pid != 0;
    if ((e = begin(&r)) == ERR_OK) {
        loadgen_daemon_reset_peak(plan->pid);
        read_usage(out, plan, &out->before);
        start_threads(&r);
        work(out, &r);
        for (unsigned i = 0; i < r.started; i++)
            pthread_join(r.threads[i].id, NULL);
    } else {
        snprintf(problem, problem_room, "cannot %s%s: %s",
                 r.has_inbox_failed ? "read the inbox " : "prepare the run",
                 r.has_inbox_failed ? plan->inbox : "", err_text(e));
    }
    clean_up(out, &r);
    return e;
}
