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

/* How often sessions that wait for bandwidth look. */
enum { TICK_MS = 20 };

static void unfinished(void *self, struct session *c)
{
    struct tcp_worker *w = self;

    c->is_unfinished = true;
    STAILQ_INSERT_TAIL(&w->turn, c, turn_link);
}

/* Those that got nothing come first the next time, in the order in which they waited. */
static void throttled(void *self, struct session *c, bool has_moved)
{
    struct tcp_worker *w = self;

    c->is_unfinished = c->is_throttled = true;
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
        loop_set_timer(w->home.loop, &w->tick, TICK_MS);
}

/* Those that wait have their turn. The tick goes on until nobody waits. */
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
    w->home.bandwidth.sharers = count > 0 ? count : 1;
    if (count > 0)
        loop_set_timer(w->home.loop, &w->tick, TICK_MS);
}

static void forget_throttled(struct tcp_worker *w, struct session *c)
{
    if (!c->is_throttled)
        return;
    STAILQ_REMOVE(&w->throttled, c, session, turn_link);
    c->is_throttled = c->is_unfinished = false;
    w->last_starved = NULL; /* the next one that starves comes first */
}

static void closed(void *self, struct session *c)
{
    struct tcp_worker *w = self;

    forget_throttled(w, c);
    TAILQ_REMOVE(&w->sessions, c, list_link);
    if (c->hh.tbl != NULL)
        HASH_DEL(w->by_id, c);
    w->session_count--;
    STAILQ_INSERT_TAIL(&w->graves, c, grave_link);
}

static void fail_send(struct tcp_worker *w, struct send_request *send, const char *reason)
{
    char host[ADDRESS_TEXT_SIZE] = "";

    if (send->route.address_next < send->route.address_count)
        address_text(host, &send->route.addresses[send->route.address_next]);
    transfer_outgoing_fail_send(w->home.transfer.gateway, w->home.transfer.events, send, host,
                                reason);
}

static void route_on(void *self, struct send_request *send, const char *host, const char *reason)
{
    struct tcp_worker *w = self;

    w->config.route_on(w->config.node, send, host, reason);
}

static void route_host_on(void *self, struct host_request *r)
{
    struct tcp_worker *w = self;

    w->config.route_host_on(w->config.node, r);
}

static void connected_out(void *self)
{
    struct tcp_worker *w = self;

    w->config.connection_done(w->config.node);
}

static const struct session_news news = {
    .unfinished = unfinished,
    .throttled = throttled,
    .closed = closed,
    .route_on = route_on,
    .route_host_on = route_host_on,
    .connected_out = connected_out,
};

/* Life of the thread. */

static void reap(struct tcp_worker *w)
{
    struct tcp_turn_list graves = STAILQ_HEAD_INITIALIZER(graves);
    struct session *c;

    STAILQ_CONCAT(&graves, &w->graves);
    while ((c = STAILQ_FIRST(&graves)) != NULL) {
        STAILQ_REMOVE_HEAD(&graves, grave_link);
        if (c->is_unfinished) /* still in the list for the next turn */
            STAILQ_INSERT_TAIL(&w->graves, c, grave_link);
        else
            session_free(&c);
    }
}

/* A stop is over with the last session. What those left behind (a file being committed, a report
 * that a gateway takes its time for) goes on, and only the final stop waits for it. */
static void answer_stops(struct tcp_worker *w)
{
    struct tcp_stop *stop = (struct tcp_stop *)(void *)STAILQ_FIRST(&w->stops);

    if (stop == NULL || w->session_count > 0 || !STAILQ_EMPTY(&w->graves))
        return;
    loop_cancel_timer(w->home.loop, &w->grace);
    while (stop != NULL && (!stop->is_final || transfer_is_idle(&w->home.transfer))) {
        STAILQ_REMOVE_HEAD(&w->stops, link);
        request_answer(&stop->request, ERR_OK);
        stop = (struct tcp_stop *)(void *)STAILQ_FIRST(&w->stops);
    }
}

static void take_turns(struct tcp_worker *w)
{
    struct tcp_turn_list now = STAILQ_HEAD_INITIALIZER(now);
    struct session *c;

    STAILQ_CONCAT(&now, &w->turn);
    while ((c = STAILQ_FIRST(&now)) != NULL) {
        STAILQ_REMOVE_HEAD(&now, turn_link);
        c->is_unfinished = false;
        session_turn(c);
    }
}

/* Everything that the mail, the sockets and the timers of this turn woke: read, act and write once
 * for each, so that many small things leave in few system calls. The files that became whole go
 * to the committer together. */
static void after_turn(void *self)
{
    struct tcp_worker *w = self;

    take_turns(w);
    if (committer_turn_end(&w->home.transfer.commits, w->home.transfer.committer)) {
        take_turns(w); /* the files' oks, without another look at the sockets */
        committer_turn_end(&w->home.transfer.commits, w->home.transfer.committer);
    }
    reap(w);
    answer_stops(w);
    if (!STAILQ_EMPTY(&w->turn) || !STAILQ_EMPTY(&w->graves))
        loop_hurry(w->home.loop);
}

static void grace_is_over(struct timer *timer, void *ctx)
{
    struct tcp_worker *w = ctx;
    struct session *c, *next;

    (void)timer;
    for (c = TAILQ_FIRST(&w->sessions); c != NULL; c = next) {
        next = TAILQ_NEXT(c, list_link);
        session_core_disconnect(c, "disconnecting");
    }
}

/* What the files of this worker's sessions live in. */
static enum err open_transfers(struct tcp_worker *w)
{
    struct transfer_context *transfer = &w->home.transfer;

    *transfer = (struct transfer_context){.proto = "tcp",
                                          .loop = w->home.loop,
                                          .settings = &w->home.settings,
                                          .gateway = w->config.gateway,
                                          .events = w->config.events,
                                          .inbox = w->config.inbox,
                                          .committer = w->config.committer};
    committer_turn_init(&transfer->commits, w);
    return transfer_ids_init(&transfer->ids, w->home.loop, w->config.inbox, w->config.committer);
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
    STAILQ_INIT(&w->graves);
    STAILQ_INIT(&w->stops);
    w->tick = (struct timer){.fire = tick, .ctx = w};
    w->grace = (struct timer){.fire = grace_is_over, .ctx = w};
    w->home =
        (struct tcp_home){.worker = config->index,
                          .news = &news,
                          .news_to = w,
                          .settings = *config->settings,
                          .directory = config->directory,
                          .bandwidth = {.pool = config->bandwidth, .sharers = 1},
                          .scratch_size = (size_t)config->settings->workers.read_buffer_kib * 1024};
    w->home.scratch = malloc(w->home.scratch_size);
    if (w->home.scratch == NULL)
        goto fail;
    e = loop_open(&w->home.loop,
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
    CONTRACT(w->session_count == 0 && transfer_is_idle(&w->home.transfer));
    loop_close(&w->home.loop);
    transfer_ids_fini(&w->home.transfer.ids);
    free(w->home.scratch);
    free(w);
    *worker = NULL;
}

enum err tcp_worker_start(struct tcp_worker *worker)
{
    return loop_start(worker->home.loop);
}

void tcp_worker_stop(struct tcp_worker *worker)
{
    loop_stop(worker->home.loop);
}

/* Mail. */

static void add_session(struct tcp_worker *w, struct session *c)
{
    TAILQ_INSERT_TAIL(&w->sessions, c, list_link);
    HASH_ADD(hh, w->by_id, id, sizeof c->id, c);
    w->session_count++;
    if (c->hh.tbl == NULL) /* no memory: nobody could find it */
        session_core_drop(c, err_text(ERR_NO_MEMORY));
}

static void take_accepted(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct tcp_accepted *a = (struct tcp_accepted *)(void *)m;
    struct session *c = NULL;
    enum err e = ERR_OK;

    if (!w->home.is_serving) {
        close(a->fd);
        tcp_directory_leave(w->home.directory, a->session);
    } else {
        e = session_accept(&c, &w->home, a->session, a->fd, &a->peer);
    }
    if (e != ERR_OK)
        log_error("cannot take a new session: %s", err_text(e));
    if (c != NULL)
        add_session(w, c);
    free(a);
}

enum err tcp_worker_post_accepted(struct tcp_worker *worker, struct tcp_accepted *accepted)
{
    return mailbox_post(loop_mailbox(worker->home.loop), &accepted->message, take_accepted);
}

static void take_give_way(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct tcp_evict *give_way = (struct tcp_evict *)(void *)m;
    struct session *c;

    HASH_FIND(hh, w->by_id, &give_way->session, sizeof give_way->session, c);
    free(give_way);
    if (c != NULL)
        session_limits_evict(c);
}

void tcp_worker_post_evict(struct tcp_worker *worker, struct tcp_evict *give_way)
{
    mailbox_answer(loop_mailbox(worker->home.loop), &give_way->message, take_give_way);
}

static void take_serve(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct tcp_serve *serve = (struct tcp_serve *)(void *)m;
    struct session *c;

    w->home.settings = serve->settings;
    w->home.is_serving = serve->is_serving;
    TAILQ_FOREACH (c, &w->sessions, list_link)
        session_settings_changed(c);
    free(serve);
}

void tcp_worker_post_serve(struct tcp_worker *worker, struct tcp_serve *serve)
{
    mailbox_answer(loop_mailbox(worker->home.loop), &serve->message, take_serve);
}

static void take_stop(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct tcp_stop *stop = (struct tcp_stop *)(void *)m;
    struct session *c, *next;

    w->home.is_serving = false;
    STAILQ_INSERT_TAIL(&w->stops, m, link);
    for (c = TAILQ_FIRST(&w->sessions); c != NULL; c = next) {
        next = TAILQ_NEXT(c, list_link);
        if (stop->is_final)
            session_core_drop(c, "the daemon ends");
        else if (stop->grace_ms > 0)
            session_drain(c);
        else
            session_core_disconnect(c, "disconnecting");
    }
    if (stop->grace_ms > 0)
        loop_set_timer(w->home.loop, &w->grace, stop->grace_ms);
}

void tcp_worker_post_stop(struct tcp_worker *worker, struct tcp_stop *stop)
{
    mailbox_answer(loop_mailbox(worker->home.loop), &stop->request.message, take_stop);
}

/* The session that a routed request is for. A reservation becomes a session that dials; NULL if
 * there is neither any more. */
static struct session *find_or_dial(struct tcp_worker *w, const struct route *route)
{
    struct session *c;

    HASH_FIND(hh, w->by_id, &route->session, sizeof route->session, c);
    if (c != NULL)
        return c->is_ending ? NULL : c;
    if (!tcp_directory_claim(w->home.directory, route->session))
        return NULL;
    if (!w->home.is_serving || session_dial(&c, &w->home, route->session,
                                            &route->addresses[route->address_next]) != ERR_OK) {
        tcp_directory_leave(w->home.directory, route->session);
        return NULL;
    }
    add_session(w, c);
    return c;
}

/* A session just dialled for a single file ends with it; any send_file keeps it. */
static void take_send(struct message *m, void *owner)
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
    } else if (!w->home.is_serving) {
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
    return mailbox_post(loop_mailbox(worker->home.loop), &r->request.message, take_send);
}

static void take_connect_to(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct host_request *r = (struct host_request *)(void *)m;
    struct session *c = find_or_dial(w, &r->route);

    if (c != NULL) {
        c->is_single = false;
        session_await(c, r);
        return;
    }
    if (w->home.is_serving && !r->route.was_rerouted) {
        r->route.was_rerouted = true;
        w->config.route_host(w->config.node, r);
        return;
    }
    snprintf(r->error, sizeof r->error, "%s",
             w->home.is_serving ? "the session ended meanwhile; try again"
                                : "the tcp transport is not up; see `dustwire status`");
    request_answer(&r->request, ERR_CLOSED);
}

enum err tcp_worker_post_connect_to(struct tcp_worker *worker, struct host_request *r)
{
    return mailbox_post(loop_mailbox(worker->home.loop), &r->request.message, take_connect_to);
}
