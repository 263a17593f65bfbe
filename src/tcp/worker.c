#include "tcp/worker.h"

#include "tcp/worker_internal.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"
#include "tcp/session/core.h"
#include "tcp/session/files.h"
#include "tcp/session/limits.h"
#include "tcp/session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How often sessions that wait for bandwidth are scheduled. */
enum { TICK_MS = 20 };

static void run_again(void *self, struct session *c)
{
    struct tcp_worker *w = self;

    c->is_scheduled = true;
    STAILQ_INSERT_TAIL(&w->turn, c, turn_link);
}

/* Sessions that moved nothing are first in the next tick, in FIFO order. */
static void throttled(void *self, struct session *c, bool has_moved)
{
    struct tcp_worker *w = self;

    c->is_scheduled = c->is_throttled = true;
    if (has_moved) {
        STAILQ_INSERT_TAIL(&w->throttled, c, turn_link);
    } else {
        if (w->last_starved == NULL)
            STAILQ_INSERT_HEAD(&w->throttled, c, turn_link);
        else
            STAILQ_INSERT_AFTER(&w->throttled, w->last_starved, c, turn_link);
        w->last_starved = c;
    }
    if (!w->tick.is_set)
        loop_set_timer(w->context.loop, &w->tick, TICK_MS);
}

/* Schedules all sessions that wait for bandwidth. Repeats until there are none. */
static void tick(struct timer *timer, void *ctx)
{
    struct tcp_worker *w = ctx;
    struct session *c;
    unsigned count = 0;

    (void)timer;
    STAILQ_FOREACH (c, &w->throttled, turn_link) {
        c->is_throttled = false;
        count++;
    }
    STAILQ_CONCAT(&w->turn, &w->throttled);
    w->last_starved = NULL;
    w->context.bandwidth.sharers = count > 0 ? count : 1;
    if (count > 0)
        loop_set_timer(w->context.loop, &w->tick, TICK_MS);
}

static void remove_throttled(struct tcp_worker *w, struct session *c)
{
    if (!c->is_throttled)
        return;
    STAILQ_REMOVE(&w->throttled, c, session, turn_link);
    c->is_throttled = c->is_scheduled = false;
    w->last_starved = NULL; /* the next starved one is inserted first */
}

static void closed(void *self, struct session *c)
{
    struct tcp_worker *w = self;

    remove_throttled(w, c);
    TAILQ_REMOVE(&w->sessions, c, list_link);
    if (c->hh.tbl != NULL)
        HASH_DEL(w->by_id, c);
    w->session_count--;
    STAILQ_INSERT_TAIL(&w->reap_list, c, reap_link);
}

static void fail_send(struct tcp_worker *w, struct send_request *send, const char *reason)
{
    char host[ADDRESS_TEXT_SIZE] = "";

    if (send->route.address_next < send->route.address_count)
        address_text(host, &send->route.addresses[send->route.address_next]);
    transfer_outgoing_fail_send(w->context.transfer.gateway, w->context.transfer.events, send, host,
                                reason);
}

static void route_next(void *self, struct send_request *send, const char *host, const char *reason)
{
    struct tcp_worker *w = self;

    w->config.route_next(w->config.node, send, host, reason);
}

static void route_host_next(void *self, struct host_request *r)
{
    struct tcp_worker *w = self;

    w->config.route_host_next(w->config.node, r);
}

static void connection_done(void *self)
{
    struct tcp_worker *w = self;

    w->config.connection_done(w->config.node);
}

static const struct session_callbacks callbacks = {
    .run_again = run_again,
    .throttled = throttled,
    .closed = closed,
    .route_next = route_next,
    .route_host_next = route_host_next,
    .connection_done = connection_done,
};

/* The thread. */

static void reap(struct tcp_worker *w)
{
    struct tcp_turn_list reap_list = STAILQ_HEAD_INITIALIZER(reap_list);
    struct session *c;

    STAILQ_CONCAT(&reap_list, &w->reap_list);
    while ((c = STAILQ_FIRST(&reap_list)) != NULL) {
        STAILQ_REMOVE_HEAD(&reap_list, reap_link);
        if (c->is_scheduled) /* still in `turn` */
            STAILQ_INSERT_TAIL(&w->reap_list, c, reap_link);
        else
            session_free(&c);
    }
}

/* A stop is answered after the last session. Transfers that outlive it (a commit, a report to a
 * slow gateway) continue; only the final stop waits for them. */
static void answer_stops(struct tcp_worker *w)
{
    struct tcp_stop *stop = (struct tcp_stop *)(void *)STAILQ_FIRST(&w->stops);

    if (stop == NULL || w->session_count > 0 || !STAILQ_EMPTY(&w->reap_list))
        return;
    loop_cancel_timer(w->context.loop, &w->grace);
    while (stop != NULL && (!stop->is_final || transfer_is_idle(&w->context.transfer))) {
        STAILQ_REMOVE_HEAD(&w->stops, link);
        request_answer(&stop->request, ERR_OK);
        stop = (struct tcp_stop *)(void *)STAILQ_FIRST(&w->stops);
    }
}

static void run_turns(struct tcp_worker *w)
{
    struct tcp_turn_list now = STAILQ_HEAD_INITIALIZER(now);
    struct session *c;

    STAILQ_CONCAT(&now, &w->turn);
    while ((c = STAILQ_FIRST(&now)) != NULL) {
        STAILQ_REMOVE_HEAD(&now, turn_link);
        c->is_scheduled = false;
        session_turn(c);
    }
}

/* Runs each session that messages, sockets and timers of this turn woke, once: batches its reads
 * and writes into few system calls. The completed files are passed to the committer together. */
static void after_turn(void *self)
{
    struct tcp_worker *w = self;

    run_turns(w);
    if (committer_turn_end(&w->context.transfer.commits, w->context.transfer.committer)) {
        run_turns(w); /* writes the ok frames before the next poll */
        committer_turn_end(&w->context.transfer.commits, w->context.transfer.committer);
    }
    reap(w);
    answer_stops(w);
    if (!STAILQ_EMPTY(&w->turn) || !STAILQ_EMPTY(&w->reap_list))
        loop_skip_wait(w->context.loop);
}

static void grace_expired(struct timer *timer, void *ctx)
{
    struct tcp_worker *w = ctx;
    struct session *c, *next;

    (void)timer;
    for (c = TAILQ_FIRST(&w->sessions); c != NULL; c = next) {
        next = TAILQ_NEXT(c, list_link);
        session_core_disconnect(c, "disconnecting");
    }
}

/* The context of all transfers of this worker. */
static enum err open_transfers(struct tcp_worker *w)
{
    struct transfer_context *transfer = &w->context.transfer;

    *transfer = (struct transfer_context){.proto = "tcp",
                                          .loop = w->context.loop,
                                          .settings = &w->context.settings,
                                          .gateway = w->config.gateway,
                                          .events = w->config.events,
                                          .inbox = w->config.inbox,
                                          .committer = w->config.committer};
    committer_turn_init(&transfer->commits, w);
    return transfer_ids_init(&transfer->ids, w->context.loop, w->config.inbox, w->config.committer);
}

enum err tcp_worker_open(struct tcp_worker **out, const struct tcp_worker_config *config)
{
    struct tcp_worker *w = calloc(1, sizeof *w);
    char name[16];
    enum err e = ERR_NO_MEMORY;

    if (w == NULL)
        return ERR_NO_MEMORY;
    w->config = *config;
    snprintf(name, sizeof name, "worker-%u", config->index % 100000u);
    TAILQ_INIT(&w->sessions);
    STAILQ_INIT(&w->turn);
    STAILQ_INIT(&w->throttled);
    STAILQ_INIT(&w->reap_list);
    STAILQ_INIT(&w->stops);
    w->tick = (struct timer){.fire = tick, .ctx = w};
    w->grace = (struct timer){.fire = grace_expired, .ctx = w};
    w->context = (struct tcp_context){.worker = config->index,
                                      .callbacks = &callbacks,
                                      .callbacks_ctx = w,
                                      .settings = *config->settings,
                                      .directory = config->directory,
                                      .bandwidth = {.pool = config->bandwidth, .sharers = 1},
                                      .scratch_size =
                                          (size_t)config->settings->workers.read_buffer_kib * 1024};
    w->context.scratch = malloc(w->context.scratch_size);
    if (w->context.scratch == NULL)
        goto fail;
    e = loop_open(&w->context.loop,
                  &(struct loop_config){.name = name,
                                        .mailbox_limit = config->settings->workers.mailbox_limit,
                                        .owner = w,
                                        .works_on_files = true,
                                        .after_turn = after_turn});
    if (e != ERR_OK || (e = open_transfers(w)) != ERR_OK)
        goto fail;
    *out = w;
    return ERR_OK;
fail:
    tcp_worker_close(&w);
    return e;
}

void tcp_worker_close(struct tcp_worker **worker)
{
    struct tcp_worker *w = *worker;

    if (w == NULL)
        return;
    CONTRACT(w->session_count == 0 && transfer_is_idle(&w->context.transfer));
    loop_close(&w->context.loop);
    transfer_ids_fini(&w->context.transfer.ids);
    free(w->context.scratch);
    free(w);
    *worker = NULL;
}

enum err tcp_worker_start(struct tcp_worker *worker)
{
    return loop_start(worker->context.loop);
}

void tcp_worker_stop(struct tcp_worker *worker)
{
    loop_stop(worker->context.loop);
}

/* Messages. */

static void add_session(struct tcp_worker *w, struct session *c)
{
    TAILQ_INSERT_TAIL(&w->sessions, c, list_link);
    HASH_ADD(hh, w->by_id, id, sizeof c->id, c);
    w->session_count++;
    if (c->hh.tbl == NULL) /* out of memory: not in the table */
        session_core_drop(c, err_text(ERR_NO_MEMORY));
}

static void handle_accepted(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct tcp_accepted *a = (struct tcp_accepted *)(void *)m;
    struct session *c = NULL;
    enum err e = ERR_OK;

    if (!w->context.is_serving) {
        close(a->fd);
        tcp_directory_leave(w->context.directory, a->session);
    } else {
        e = session_accept(&c, &w->context, a->session, a->fd, &a->peer);
    }
    if (e != ERR_OK)
        log_error("cannot open a session: %s", err_text(e));
    if (c != NULL)
        add_session(w, c);
    free(a);
}

enum err tcp_worker_post_accepted(struct tcp_worker *worker, struct tcp_accepted *accepted)
{
    return mailbox_post(loop_mailbox(worker->context.loop), &accepted->message, handle_accepted);
}

static void handle_evict(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct tcp_evict *evict = (struct tcp_evict *)(void *)m;
    struct session *c;

    HASH_FIND(hh, w->by_id, &evict->session, sizeof evict->session, c);
    free(evict);
    if (c != NULL)
        session_limits_evict(c);
}

void tcp_worker_post_evict(struct tcp_worker *worker, struct tcp_evict *evict)
{
    mailbox_answer(loop_mailbox(worker->context.loop), &evict->message, handle_evict);
}

static void handle_serve(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct tcp_serve *serve = (struct tcp_serve *)(void *)m;
    struct session *c;

    w->context.settings = serve->settings;
    w->context.is_serving = serve->is_serving;
    TAILQ_FOREACH (c, &w->sessions, list_link)
        session_settings_changed(c);
    free(serve);
}

void tcp_worker_post_serve(struct tcp_worker *worker, struct tcp_serve *serve)
{
    mailbox_answer(loop_mailbox(worker->context.loop), &serve->message, handle_serve);
}

static void handle_stop(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct tcp_stop *stop = (struct tcp_stop *)(void *)m;
    struct session *c, *next;

    w->context.is_serving = false;
    STAILQ_INSERT_TAIL(&w->stops, m, link);
    for (c = TAILQ_FIRST(&w->sessions); c != NULL; c = next) {
        next = TAILQ_NEXT(c, list_link);
        if (stop->is_final)
            session_core_drop(c, "the daemon is stopping");
        else if (stop->grace_ms > 0)
            session_drain(c);
        else
            session_core_disconnect(c, "disconnecting");
    }
    if (stop->grace_ms > 0)
        loop_set_timer(w->context.loop, &w->grace, stop->grace_ms);
}

void tcp_worker_post_stop(struct tcp_worker *worker, struct tcp_stop *stop)
{
    mailbox_answer(loop_mailbox(worker->context.loop), &stop->request.message, handle_stop);
}

/* The session of a routed request; a reservation becomes a session that dials. NULL: neither exists
 * any more. */
static struct session *find_or_dial(struct tcp_worker *w, const struct route *route)
{
    struct session *c;

    HASH_FIND(hh, w->by_id, &route->session, sizeof route->session, c);
    if (c != NULL)
        return c->is_ending ? NULL : c;
    if (!tcp_directory_claim(w->context.directory, route->session))
        return NULL;
    if (!w->context.is_serving || session_dial(&c, &w->context, route->session,
                                               &route->addresses[route->address_next]) != ERR_OK) {
        tcp_directory_leave(w->context.directory, route->session);
        return NULL;
    }
    add_session(w, c);
    return c;
}

/* A session dialled for a single file ends after it, unless a send_file uses it too. */
static void handle_send(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct send_request *send = (struct send_request *)(void *)m;
    struct session *c;
    unsigned before = w->session_count;

    c = find_or_dial(w, &send->route);
    if (c != NULL) {
        if (w->session_count > before)
            c->is_single = send->is_single;
        session_files_send(c, send);
    } else if (!w->context.is_serving) {
        fail_send(w, send, "disconnected");
    } else if (!send->route.was_rerouted) {
        send->route.was_rerouted = true;
        w->config.route(w->config.node, send);
    } else {
        fail_send(w, send, "connection closed");
    }
}

enum err tcp_worker_post_send(struct tcp_worker *worker, struct send_request *r)
{
    return mailbox_post(loop_mailbox(worker->context.loop), &r->request.message, handle_send);
}

static void handle_connect_to(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct host_request *r = (struct host_request *)(void *)m;
    struct session *c = find_or_dial(w, &r->route);

    if (c != NULL) {
        c->is_single = false;
        session_add_waiter(c, r);
        return;
    }
    if (w->context.is_serving && !r->route.was_rerouted) {
        r->route.was_rerouted = true;
        w->config.route_host(w->config.node, r);
        return;
    }
    snprintf(r->error, sizeof r->error, "%s",
             w->context.is_serving ? "the session was closed; try again"
                                   : "the tcp transport is not up; see `dustwire status`");
    request_answer(&r->request, ERR_CLOSED);
}

enum err tcp_worker_post_connect_to(struct tcp_worker *worker, struct host_request *r)
{
    return mailbox_post(loop_mailbox(worker->context.loop), &r->request.message, handle_connect_to);
}
