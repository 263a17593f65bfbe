/* The gate thread: queues of jobs, up to GATEWAY_CLIENT_CONNECTIONS of them on the wire.
 *
 * A job is in one place at a time: `ready`, by rank (waits for a connection), `notices` (waits for
 * the notice before it), `owed` (of an earlier run: waits until the gateway has said who it is) or
 * `away` (on the wire, or resting until its next try). When nobody is there everything stays in
 * `ready`, and after each pause one call tries. */
#include "gateway_client/client.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "gateway_client/client_internal.h"
#include "gateway_client/delivery.h"
#include "gateway_client/encode.h"
#include "gateway_client/http_pool.h"
#include "rpc/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAILBOX_LIMIT =
        1024, /* of new work; what comes here is not refused, see gateway_client_ops.is_full */
    PAUSE_FIRST_MS = 200,
    PAUSE_MOST_MS = 5000,
    /* Of the gateway; 0 is none, or one of an earlier run that nobody knows yet. */
    GATE_EARLIER_INSTANCE = 1,
    FIRST_INSTANCE = 2,
};

struct gateway_client_init {
    struct message message; /* first */
    bool has_file_result;
    char url[];
};

/* The queues. */

static enum gateway_client_rank rank_of(const struct gateway_client_delivery *job)
{
    if (job->rest_ms > 0)
        return RANK_REPEAT;
    return job->kind == JOB_END ? RANK_END : RANK_FIRST;
}

/* The rank of a job does not change while it waits. */
static void get_ready(struct gateway_client *gate, struct gateway_client_delivery *job,
                      bool is_first)
{
    struct gate_job_list *list = &gate->ready[rank_of(job)];

    if (is_first)
        TAILQ_INSERT_HEAD(list, job, link);
    else
        TAILQ_INSERT_TAIL(list, job, link);
}

static void leave_ready(struct gateway_client *gate, struct gateway_client_delivery *job)
{
    TAILQ_REMOVE(&gate->ready[rank_of(job)], job, link);
}

static void go_away(struct gateway_client *gate, struct gateway_client_delivery *job)
{
    job->is_away = true;
    TAILQ_INSERT_TAIL(&gate->away, job, link);
}

static void come_back(struct gateway_client *gate, struct gateway_client_delivery *job)
{
    if (!job->is_away)
        return;
    TAILQ_REMOVE(&gate->away, job, link);
    job->is_away = false;
    if (job->is_out)
        gate->out[job->rank]--;
    job->is_out = false;
    loop_cancel_timer(gate->loop, &job->rest);
}

static bool has_share(const struct gateway_client *gate, enum gateway_client_rank rank)
{
    unsigned ends = gate->out[RANK_END] + gate->out[RANK_REPEAT];

    if (rank == RANK_REPEAT && gate->out[RANK_REPEAT] >= GATEWAY_CLIENT_REPEATS_MAX)
        return false;
    return rank == RANK_FIRST || ends < GATEWAY_CLIENT_ENDS_MAX;
}

static struct gateway_client_delivery *next_job(struct gateway_client *gate)
{
    for (unsigned rank = 0; rank < GATEWAY_CLIENT_RANK_COUNT; rank++)
        if (!TAILQ_EMPTY(&gate->ready[rank]) && has_share(gate, (enum gateway_client_rank)rank))
            return TAILQ_FIRST(&gate->ready[rank]);
    return NULL;
}

static void dispatch(struct gateway_client *gate, struct gateway_client_delivery *job)
{
    char *document = NULL;
    size_t length = 0;

    leave_ready(gate, job);
    job->is_sent = true;
    job->is_out = true;
    job->rank = rank_of(job);
    gate->out[job->rank]++;
    go_away(gate, job);
    metrics_add(METRIC_GATEWAY_CALLS, 1);
    if (gateway_client_encode_write(job, &document, &length) != ERR_OK ||
        gateway_client_http_pool_post(gate->http, document, length, job) != ERR_OK) {
        const struct gateway_client_reply reply = {.outcome = GATEWAY_CLIENT_NO_ANSWER,
                                                   .problem = err_text(ERR_NO_MEMORY)};

        gateway_client_delivery_replied(job, &reply);
    }
}

static bool may_send(const struct gateway_client *gate)
{
    if (!gate->has_url || gate->is_paused)
        return false;
    return gate->is_probing ? gateway_client_http_pool_is_idle(gate->http)
                            : gateway_client_http_pool_has_room(gate->http);
}

static void run(struct gateway_client *gate)
{
    struct gateway_client_delivery *job;

    while (may_send(gate) && (job = next_job(gate)) != NULL)
        dispatch(gate, job);
}

static void next_notice(struct gateway_client *gate)
{
    struct gateway_client_delivery *job = TAILQ_FIRST(&gate->notices);

    if (gate->is_notice_out || job == NULL)
        return;
    TAILQ_REMOVE(&gate->notices, job, link);
    gate->is_notice_out = true;
    get_ready(gate, job, true);
}

void gateway_client_job_end(struct gateway_client_delivery *job, enum err result)
{
    struct gateway_client *gate = job->gate;
    struct gateway_transfer *t = job->transfer;

    come_back(gate, job);
    loop_cancel_timer(gate->loop, &job->expiry);
    if (job->kind == JOB_NOTICE)
        gate->is_notice_out = false;
    if (t != NULL && job->kind == JOB_REGISTER)
        t->registration = (struct gateway_registration){
            .transfer_id = job->transfer_id,
            .is_registered = result == ERR_OK && job->is_registered,
            .instance = job->instance,
        };
    atomic_fetch_sub(&gate->waiting_bytes, job->text_bytes);
    free(job);
    atomic_fetch_sub(&gate->waiting, 1);
    if (t != NULL)
        request_answer(&t->request, result);
}

/* What goes on does so before what has not begun; what is repeated waits its turn. */
void gateway_client_again(struct gateway_client *gate, struct gateway_client_delivery *job,
                          uint64_t delay_ms)
{
    come_back(gate, job);
    if (gate->is_closed) {
        gateway_client_job_end(job, ERR_CLOSED);
    } else if (delay_ms == 0) {
        get_ready(gate, job, rank_of(job) != RANK_REPEAT);
    } else {
        go_away(gate, job);
        loop_set_timer(gate->loop, &job->rest, delay_ms);
    }
}

/* A job begins, or begins anew. An id of an earlier run means something only to the gateway of that
 * time: whether this is the same one, its init or connect says. */
static void admit(struct gateway_client *gate, struct gateway_client_delivery *job)
{
    if (job->kind == JOB_END && job->is_registered && job->instance == 0) {
        TAILQ_INSERT_TAIL(&gate->owed, job, link);
        return;
    }
    gateway_client_delivery_begin(job);
    if (job->call == CALL_NONE)
        gateway_client_job_end(job, ERR_OK);
    else
        get_ready(gate, job, false);
}

static void rested(struct timer *timer, void *ctx)
{
    struct gateway_client_delivery *job = ctx;

    (void)timer;
    gateway_client_again(job->gate, job, 0);
}

/* Stopping. */

static void end_all(struct gate_job_list *list)
{
    struct gateway_client_delivery *job;

    while ((job = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, job, link);
        job->is_away = false;
        loop_cancel_timer(job->gate->loop, &job->rest);
        gateway_client_job_end(job, ERR_CLOSED);
    }
}

/* Calls that could go out now. What is owed to an earlier instance waits for nobody at a stop. */
static bool is_idle(const struct gateway_client *gate)
{
    for (unsigned rank = 0; rank < GATEWAY_CLIENT_RANK_COUNT; rank++)
        if (!TAILQ_EMPTY(&gate->ready[rank]))
            return false;
    return TAILQ_EMPTY(&gate->away) && TAILQ_EMPTY(&gate->notices);
}

static void tell_if_idle(struct gateway_client *gate)
{
    struct request *idle = gate->idle;

    if (idle == NULL || !is_idle(gate))
        return;
    gate->idle = NULL;
    request_answer(idle, ERR_OK);
}

static void close_now(struct gateway_client *gate)
{
    size_t left = atomic_load(&gate->waiting);

    if (gate->is_closed)
        return;
    gate->is_closed = true;
    loop_cancel_timer(gate->loop, &gate->grace);
    loop_cancel_timer(gate->loop, &gate->pause);
    if (left > 0)
        log_warning("gateway: %zu calls have not been answered at the stop; what the journal owes "
                    "is told after the next start",
                    left);
    gateway_client_http_pool_cancel_all(gate->http);
    end_all(&gate->away);
    for (unsigned rank = 0; rank < GATEWAY_CLIENT_RANK_COUNT; rank++)
        end_all(&gate->ready[rank]);
    end_all(&gate->notices);
    end_all(&gate->owed);
}

static void grace_is_over(struct timer *timer, void *ctx)
{
    (void)timer;
    close_now(ctx);
}

static void take_shut(struct message *m, void *owner)
{
    struct gateway_client *gate = owner;

    (void)m;
    gate->is_shut = true;
    if (gate->is_paused || gate->is_probing || !gate->has_url)
        close_now(gate);
    else
        loop_set_timer(gate->loop, &gate->grace, gate->shut.grace_ms);
}

static void take_await_idle(struct message *m, void *owner)
{
    ((struct gateway_client *)owner)->idle = (struct request *)(void *)m;
}

/* Nobody there. */

static void pause_is_over(struct timer *timer, void *ctx)
{
    struct gateway_client *gate = ctx;

    (void)timer;
    gate->is_paused = false;
    gate->is_probing = true;
}

void gateway_client_unreachable(struct gateway_client *gate, const char *problem)
{
    if (gate->is_closed || gate->is_paused)
        return;
    if (gate->pause_ms == 0)
        log_warning("gateway %s cannot be reached: %s; %zu calls wait, it is tried again and again",
                    gate->settings.gateway.url, problem, gateway_client_waiting(gate));
    gate->pause_ms = gate->pause_ms == 0 ? PAUSE_FIRST_MS : gate->pause_ms * 2;
    if (gate->pause_ms > PAUSE_MOST_MS)
        gate->pause_ms = PAUSE_MOST_MS;
    gate->is_paused = true;
    gate->is_probing = false;
    loop_set_timer(gate->loop, &gate->pause, gate->pause_ms);
    if (gate->is_shut)
        close_now(gate);
}

void gateway_client_reachable(struct gateway_client *gate)
{
    gate->answered_ms = loop_now_ms(gate->loop);
    if (gate->pause_ms == 0)
        return;
    log_info("gateway %s answers again: %zu calls wait", gate->settings.gateway.url,
             gateway_client_waiting(gate));
    gate->pause_ms = 0;
    gate->is_paused = gate->is_probing = false;
    loop_cancel_timer(gate->loop, &gate->pause);
}

static void replied(void *ctx, void *cookie, const struct gateway_client_reply *reply)
{
    (void)ctx;
    gateway_client_delivery_replied(cookie, reply);
}

static uint64_t patience_ms(const struct gateway_client *gate)
{
    return gate->settings.gateway.patience_s * 1000ull;
}

/* The time that a call waits here behind others, while they are answered, is not the gateway's:
 * patience counts from the last sign of life then. */
static uint64_t patience_left_ms(const struct gateway_client_delivery *job)
{
    const struct gateway_client *gate = job->gate;
    uint64_t silence_ms = loop_now_ms(gate->loop) - gate->answered_ms;

    if (job->is_sent || gate->answered_ms == 0 || silence_ms >= patience_ms(gate))
        return 0;
    return patience_ms(gate) - silence_ms;
}

static void patience_is_over(struct timer *timer, void *ctx)
{
    struct gateway_client_delivery *job = ctx;
    struct gateway_client *gate = job->gate;
    uint64_t left_ms = patience_left_ms(job);

    if (left_ms > 0) {
        loop_set_timer(gate->loop, timer, left_ms);
        return;
    }
    if (job->is_away)
        gateway_client_http_pool_cancel(gate->http, job);
    else
        leave_ready(gate, job);
    gateway_client_delivery_expired(job);
}

/* Mail. */

static void take_job(struct message *m, void *owner)
{
    struct gateway_client *gate = owner;
    struct gateway_client_delivery *job = (struct gateway_client_delivery *)(void *)m;

    job->gate = gate;
    job->rest = (struct timer){.fire = rested, .ctx = job};
    job->expiry = (struct timer){.fire = patience_is_over, .ctx = job};
    if (gate->is_closed) {
        gateway_client_job_end(job, ERR_CLOSED);
    } else if (job->kind == JOB_NOTICE) {
        TAILQ_INSERT_TAIL(&gate->notices, job, link);
    } else {
        if (job->kind == JOB_REGISTER)
            loop_set_timer(gate->loop, &job->expiry, patience_ms(gate));
        admit(gate, job);
    }
}

/* All that is there, as the new instance is to hear of it: what was on the wire or resting first,
 * then what is owed from an earlier run, then what is ready. */
static void gather(struct gateway_client *gate, struct gate_job_list *all)
{
    struct gateway_client_delivery *job;

    gateway_client_http_pool_cancel_all(gate->http);
    TAILQ_FOREACH (job, &gate->away, link) {
        loop_cancel_timer(gate->loop, &job->rest);
        job->is_away = job->is_out = false;
    }
    memset(gate->out, 0, sizeof gate->out);
    TAILQ_CONCAT(all, &gate->away, link);
    TAILQ_CONCAT(all, &gate->owed, link);
    for (unsigned rank = 0; rank < GATEWAY_CLIENT_RANK_COUNT; rank++)
        TAILQ_CONCAT(all, &gate->ready[rank], link);
}

/* Everything begins anew, but for the notices: what an earlier instance was to be told of the
 * transport is no news for this one. */
static void begin_anew(struct gateway_client *gate)
{
    struct gate_job_list all = TAILQ_HEAD_INITIALIZER(all);
    struct gateway_client_delivery *job;

    gather(gate, &all);
    end_all(&gate->notices);
    while ((job = TAILQ_FIRST(&all)) != NULL) {
        TAILQ_REMOVE(&all, job, link);
        if (job->is_registered && job->instance == 0)
            job->instance = GATE_EARLIER_INSTANCE;
        if (job->kind == JOB_NOTICE)
            gateway_client_job_end(job, ERR_CLOSED);
        else
            admit(gate, job);
    }
}

static void take_init(struct message *m, void *owner)
{
    struct gateway_client *gate = owner;
    struct gateway_client_init *init = (struct gateway_client_init *)(void *)m;

    if (!gate->is_closed) {
        snprintf(gate->settings.gateway.url, sizeof gate->settings.gateway.url, "%s", init->url);
        gate->has_url = true;
        gate->has_file_result = init->has_file_result;
        gate->instance++;
        gate->pause_ms = 0;
        gate->is_paused = gate->is_probing = false;
        loop_cancel_timer(gate->loop, &gate->pause);
        begin_anew(gate);
        if (gateway_client_http_pool_aim(gate->http, init->url) != ERR_OK)
            log_error("gateway %s cannot be called: %s", init->url, err_text(ERR_NO_MEMORY));
        log_info("gateway %s is in charge, instance %u: %zu calls wait", init->url, gate->instance,
                 gateway_client_waiting(gate));
    }
    free(init);
}

/* `connect` without an init: the gateway is the one that it was. */
static void take_confirm(struct message *m, void *owner)
{
    struct gateway_client *gate = owner;
    struct gate_job_list owed = TAILQ_HEAD_INITIALIZER(owed);
    struct gateway_client_delivery *job;

    free(m);
    TAILQ_CONCAT(&owed, &gate->owed, link);
    while ((job = TAILQ_FIRST(&owed)) != NULL) {
        TAILQ_REMOVE(&owed, job, link);
        job->instance = gate->instance;
        admit(gate, job);
    }
}

static void after_turn(void *owner)
{
    struct gateway_client *gate = owner;

    next_notice(gate);
    run(gate);
    tell_if_idle(gate);
}

/* What curl holds is closed in the thread that watches its sockets. */
static void ended(void *owner)
{
    struct gateway_client *gate = owner;

    close_now(gate);
    tell_if_idle(gate);
    gateway_client_http_pool_close(&gate->http);
}

/* Life. */

enum err gateway_client_open(struct gateway_client **out, const struct settings *settings)
{
    struct gateway_client *gate = calloc(1, sizeof *gate);
    enum err e;

    if (gate == NULL)
        return ERR_NO_MEMORY;
    gate->settings = *settings;
    gate->has_url = settings->gateway.url[0] != '\0';
    gate->has_file_result = settings->gateway.has_file_result;
    gate->instance = FIRST_INSTANCE;
    gate->pause = (struct timer){.fire = pause_is_over, .ctx = gate};
    gate->grace = (struct timer){.fire = grace_is_over, .ctx = gate};
    for (unsigned rank = 0; rank < GATEWAY_CLIENT_RANK_COUNT; rank++)
        TAILQ_INIT(&gate->ready[rank]);
    TAILQ_INIT(&gate->notices);
    TAILQ_INIT(&gate->owed);
    TAILQ_INIT(&gate->away);
    atomic_init(&gate->waiting, 0);
    rpc_library_init();
    e = loop_open(&gate->loop, &(struct loop_config){.name = "gate",
                                                     .mailbox_limit = MAILBOX_LIMIT,
                                                     .owner = gate,
                                                     .after_turn = after_turn,
                                                     .ended = ended});
    if (e == ERR_OK)
        e = gateway_client_http_pool_open(&gate->http, gate->loop, patience_ms(gate), replied,
                                          gate);
    if (e == ERR_OK && gate->has_url)
        e = gateway_client_http_pool_aim(gate->http, settings->gateway.url);
    if (e != ERR_OK) {
        gateway_client_close(&gate);
        return e;
    }
    *out = gate;
    return ERR_OK;
}

void gateway_client_close(struct gateway_client **gate)
{
    struct gateway_client *g = *gate;

    if (g == NULL)
        return;
    /* Whatever was posted after the thread's end, or before it ever began, is answered here. */
    g->is_closed = true;
    while (g->loop != NULL && mailbox_drain(loop_mailbox(g->loop)) > 0)
        ;
    gateway_client_http_pool_close(&g->http);
    loop_close(&g->loop);
    rpc_library_fini();
    free(g);
    *gate = NULL;
}

enum err gateway_client_start(struct gateway_client *gate)
{
    return loop_start(gate->loop);
}

void gateway_client_stop(struct gateway_client *gate)
{
    loop_stop(gate->loop);
}

void gateway_client_shut(struct gateway_client *gate, uint64_t grace_ms)
{
    gate->shut.grace_ms = grace_ms;
    mailbox_answer(loop_mailbox(gate->loop), &gate->shut.message, take_shut);
}

void gateway_client_await_idle(struct gateway_client *gate, struct request *idle)
{
    mailbox_answer(loop_mailbox(gate->loop), &idle->message, take_await_idle);
}

enum err gateway_client_init(struct gateway_client *gate, const char *url, bool has_file_result)
{
    size_t size = strlen(url) + 1;
    struct gateway_client_init *init = calloc(1, sizeof *init + size);

    if (init == NULL)
        return ERR_NO_MEMORY;
    memcpy(init->url, url, size);
    init->has_file_result = has_file_result;
    mailbox_answer(loop_mailbox(gate->loop), &init->message, take_init);
    return ERR_OK;
}

void gateway_client_confirm(struct gateway_client *gate)
{
    struct message *m = calloc(1, sizeof *m);

    if (m == NULL)
        log_error("gateway: what is owed from an earlier run waits for its init: %s",
                  err_text(ERR_NO_MEMORY));
    else
        mailbox_answer(loop_mailbox(gate->loop), m, take_confirm);
}

size_t gateway_client_waiting(const struct gateway_client *gate)
{
    return atomic_load(&gate->waiting);
}

void gateway_client_post(struct gateway_client *gate, struct gateway_client_delivery *job)
{
    atomic_fetch_add(&gate->waiting, 1);
    atomic_fetch_add(&gate->waiting_bytes, job->text_bytes);
    mailbox_answer(loop_mailbox(gate->loop), &job->message, take_job);
}
