#include "tcp/tcp_node.h"

#include "tcp_listener.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKERS_MAX = 256,
    LOOK_UPS_MAX = 64, /* names that are looked up at once */
    LOOK_UP_LIMIT_MS = 15000,
    LOOK_UP_FAILED_MS = 5000,
    LOOK_UP_KEPT_MS = 1000,
};

struct tcp_node {
    struct tcp_node_config config;
    struct settings settings; /* the supervisor thread's */
    struct tcp_directory *directory;
    struct resolver *resolver;
    struct acceptor *acceptor;
    struct bandwidth_pool bandwidth; /* the workers' */
    unsigned worker_count;
    struct worker *workers[WORKERS_MAX];
    /* Supervisor thread only, from here on. */
    bool is_serving;
    struct transport_start *start; /* under way */
    struct tcp_listen listen;      /* what the acceptor is told; one at a time */
    bool is_listen_posted;
    STAILQ_HEAD(, message) stops; /* transport_stop, all answered by the stop under way */
    uint64_t grace_ms;
    unsigned stops_left; /* workers that have not answered */
    struct tcp_stop worker_stops[WORKERS_MAX];
    struct tcp_stop last_stops[WORKERS_MAX]; /* tcp_node_stop's: others may be under way then */
    unsigned bound_count;
    struct address bound[TCP_LISTENERS_MAX];
};

/* Birth and death. */

static void route_again(void *self, struct send_request *send)
{
    tcp_node_route_send(self, send);
}

static void route_on(void *self, struct send_request *send, const char *host, const char *reason);
static void route_host_again(void *self, struct host_request *r);
static void route_host_on(void *self, struct host_request *r);
static void visit_of_resolver(void *self, struct message *m);

static void connection_done(void *self)
{
    struct tcp_node *node = self;

    if (node->config.connection_done != NULL)
        node->config.connection_done(node->config.connection_done_ctx);
}

static enum err open_workers(struct tcp_node *node)
{
    unsigned count = settings_worker_count(&node->settings);
    enum err e = ERR_OK;

    if (count > WORKERS_MAX)
        count = WORKERS_MAX;
    for (unsigned i = 0; i < count && e == ERR_OK; i++) {
        struct worker_config config = {.index = i,
                                       .settings = &node->settings,
                                       .directory = node->directory,
                                       .gateway = node->config.gateway,
                                       .events = node->config.events,
                                       .inbox = node->config.inbox,
                                       .committer = node->config.committer,
                                       .bandwidth = &node->bandwidth,
                                       .workers = node->workers,
                                       .worker_count = count,
                                       .route = route_again,
                                       .route_on = route_on,
                                       .route_host = route_host_again,
                                       .route_host_on = route_host_on,
                                       .connection_done = connection_done,
                                       .node = node};

        e = worker_open(&node->workers[i], &config);
        if (e == ERR_OK)
            node->worker_count++;
    }
    return e;
}

static enum err open_resolver(struct tcp_node *node)
{
    look_up_fn *look_up = node->config.look_up;

    return resolver_open(
        &node->resolver,
        &(struct resolver_config){.look_up = look_up == NULL ? resolver_look_up : look_up,
                                  .slots = LOOK_UPS_MAX,
                                  .limit_ms = LOOK_UP_LIMIT_MS,
                                  .failed_ms = LOOK_UP_FAILED_MS,
                                  .kept_ms = LOOK_UP_KEPT_MS,
                                  .visit = visit_of_resolver,
                                  .visit_ctx = node});
}

enum err tcp_node_open(struct tcp_node **out, const struct tcp_node_config *config)
{
    struct tcp_node *node = calloc(1, sizeof *node);
    unsigned workers = settings_worker_count(config->settings);
    enum err e;

    if (node == NULL)
        return ERR_NO_MEMORY;
    node->config = *config;
    node->settings = *config->settings;
    STAILQ_INIT(&node->stops);
    if ((e = tcp_directory_open(&node->directory, workers, config->settings->sessions.limit)) !=
        ERR_OK)
        goto fail;
    if ((e = open_workers(node)) != ERR_OK)
        goto fail;
    if ((e = open_resolver(node)) != ERR_OK)
        goto fail;
    if ((e = acceptor_open(&node->acceptor, &(struct acceptor_config){.settings = config->settings,
                                                                      .directory = node->directory,
                                                                      .workers = node->workers})) !=
        ERR_OK)
        goto fail;
    *out = node;
    return ERR_OK;
fail:
    tcp_node_close(&node);
    return e;
}

void tcp_node_close(struct tcp_node **node)
{
    struct tcp_node *n = *node;

    if (n == NULL)
        return;
    acceptor_close(&n->acceptor);
    resolver_close(&n->resolver);
    for (unsigned i = 0; i < n->worker_count; i++)
        worker_close(&n->workers[i]);
    tcp_directory_close(&n->directory);
    free(n);
    *node = NULL;
}

static void stop_threads(struct tcp_node *node)
{
    for (unsigned i = 0; i < node->worker_count; i++)
        worker_stop(node->workers[i]);
}

enum err tcp_node_start(struct tcp_node *node)
{
    enum err e = ERR_OK;

    for (unsigned i = 0; i < node->worker_count && e == ERR_OK; i++)
        e = worker_start(node->workers[i]);
    if (e == ERR_OK)
        e = resolver_start(node->resolver);
    if (e == ERR_OK)
        e = acceptor_start(node->acceptor);
    if (e != ERR_OK) { /* those that did start; there is no session yet */
        resolver_stop(node->resolver);
        stop_threads(node);
    }
    return e;
}

static void count_down(struct message *m, void *owner)
{
    unsigned *left = owner;

    (void)m;
    (*left)--;
}

/* The last stop of all: answers come to a mailbox of this call's own, so that a worker ends only
 * when nothing that could answer it is under way. */
static void end_sessions(struct tcp_node *node)
{
    unsigned left = node->worker_count;
    struct mailbox *box = NULL;

    if (mailbox_open(&box, 1, &left) != ERR_OK)
        return;
    for (unsigned i = 0; i < node->worker_count; i++) {
        node->last_stops[i] = (struct tcp_stop){
            .request = {.answer_to = box, .on_answer = count_down}, .is_final = true};
        worker_post_stop(node->workers[i], &node->last_stops[i]);
    }
    while (left > 0) {
        struct pollfd bell = {.fd = mailbox_fd(box), .events = POLLIN};

        poll(&bell, 1, -1);
        mailbox_drain(box);
    }
    mailbox_close(&box);
}

void tcp_node_stop(struct tcp_node *node)
{
    acceptor_stop(node->acceptor);
    resolver_stop(node->resolver);
    end_sessions(node);
    stop_threads(node);
}

/* Up and down: the supervisor's thread. */

static struct tcp_serve *new_serve(struct tcp_node *node, const char *whose)
{
    struct tcp_serve *serve = calloc(1, sizeof *serve);

    if (serve == NULL) {
        log_error("%s keeps its old settings: %s", whose, err_text(ERR_NO_MEMORY));
        return NULL;
    }
    serve->settings = node->settings;
    serve->is_serving = node->is_serving;
    return serve;
}

static void post_serve(struct tcp_node *node)
{
    struct tcp_serve *serve = new_serve(node, "the acceptor");

    if (serve != NULL)
        acceptor_post_settings(node->acceptor, serve);
    for (unsigned i = 0; i < node->worker_count; i++) {
        serve = new_serve(node, "a worker");
        if (serve != NULL)
            worker_post_serve(node->workers[i], serve);
    }
}

static void forget_bound(struct tcp_node *node)
{
    node->bound_count = 0;
    tcp_directory_set_own(node->directory, node->bound, 0);
}

static void describe_bound(const struct tcp_node *node, char *to, size_t room)
{
    size_t end = 0;

    to[0] = '\0';
    for (unsigned i = 0; i < node->bound_count; i++) {
        char text[ADDRESS_TEXT_SIZE];
        int n = snprintf(to + end, room - end, "%s%s", i == 0 ? "" : ", ",
                         address_text(text, &node->bound[i]));

        if (n < 0 || (size_t)n >= room - end)
            return;
        end += (size_t)n;
    }
}

static void listening(struct message *m, void *owner)
{
    struct tcp_listen *listen = (struct tcp_listen *)(void *)m;
    struct tcp_node *node = listen->node;
    struct transport_start *start = node->start;
    enum err e = listen->request.result;

    (void)owner;
    node->is_listen_posted = false;
    node->start = NULL;
    if (e == ERR_OK) {
        node->is_serving = true;
        post_serve(node);
        describe_bound(node, start->host, sizeof start->host);
    } else {
        forget_bound(node);
        snprintf(start->error, sizeof start->error, "cannot wait for connections: %s", err_text(e));
    }
    request_answer(&start->request, e);
}

/* Tells the acceptor what to listen on; one such message is under way at a time. */
static void post_listen(struct tcp_node *node, struct mailbox *answer_to, message_fn *then,
                        const struct tcp_listener *l)
{
    CONTRACT(!node->is_listen_posted);
    node->is_listen_posted = true;
    node->listen = (struct tcp_listen){
        .request = {.answer_to = answer_to, .on_answer = then}, .count = l->count, .node = node};
    memcpy(node->listen.fds, l->fds, l->count * sizeof l->fds[0]);
    acceptor_post_listen(node->acceptor, &node->listen);
}

void tcp_node_listen(struct tcp_node *node, struct transport_start *start)
{
    struct tcp_listener l = {.count = 0};
    enum err e = ERR_OK;

    if (node->settings.tcp_transport.is_receiving_enabled)
        e = tcp_listener_open(&l, &node->settings, &node->config.passed, start->error,
                              sizeof start->error);
    if (e != ERR_OK) {
        request_answer(&start->request, e);
        return;
    }
    node->bound_count = l.count;
    memcpy(node->bound, l.bound, l.count * sizeof l.bound[0]);
    tcp_directory_set_own(node->directory, node->bound, node->bound_count);
    node->start = start;
    post_listen(node, start->request.answer_to, listening, &l);
}

static void worker_stopped(struct message *m, void *owner)
{
    struct tcp_node *node = ((struct tcp_stop *)(void *)m)->node;
    struct message *waiting;

    (void)owner;
    if (--node->stops_left > 0)
        return;
    while ((waiting = STAILQ_FIRST(&node->stops)) != NULL) {
        STAILQ_REMOVE_HEAD(&node->stops, link);
        request_answer((struct request *)(void *)waiting, ERR_OK);
    }
}

static void not_listening(struct message *m, void *owner)
{
    struct tcp_listen *listen = (struct tcp_listen *)(void *)m;
    struct tcp_node *node = listen->node;

    (void)owner;
    node->is_listen_posted = false;
    node->stops_left = node->worker_count;
    for (unsigned i = 0; i < node->worker_count; i++) {
        node->worker_stops[i] = (struct tcp_stop){
            .request = {.answer_to = listen->request.answer_to, .on_answer = worker_stopped},
            .grace_ms = node->grace_ms,
            .node = node};
        worker_post_stop(node->workers[i], &node->worker_stops[i]);
    }
}

void tcp_node_disconnect(struct tcp_node *node, struct transport_stop *stop)
{
    bool is_first = STAILQ_EMPTY(&node->stops);
    struct tcp_listener none = {.count = 0};

    STAILQ_INSERT_TAIL(&node->stops, &stop->request.message, link);
    if (!is_first)
        return;
    node->is_serving = false;
    node->grace_ms = stop->grace_ms;
    forget_bound(node);
    post_listen(node, stop->request.answer_to, not_listening, &none);
}

void tcp_node_settings_changed(struct tcp_node *node, const struct settings *settings)
{
    node->settings = *settings;
    tcp_directory_set_limit(node->directory, settings->sessions.limit);
    inbox_set_limits(node->config.inbox, settings);
    post_serve(node);
}

bool tcp_node_is_rebind_needed(const struct tcp_node *node)
{
    struct address wanted[TCP_LISTENERS_MAX];
    unsigned count = 0;

    if (node->settings.tcp_transport.is_receiving_enabled)
        count = tcp_listener_addresses(&node->settings, wanted);
    if (node->settings.tcp_connections.is_listen_any && node->bound_count < count &&
        node->bound_count > 0)
        count = node->bound_count; /* a machine without IPv6 */
    if (count != node->bound_count)
        return true;
    for (unsigned i = 0; i < count; i++)
        if (!address_is_equal(&wanted[i], &node->bound[i]))
            return true;
    return false;
}

const struct settings *tcp_node_settings(const struct tcp_node *node)
{
    return &node->settings;
}

struct worker *tcp_node_first_worker(struct tcp_node *node)
{
    return node->workers[0];
}

/* Ways to sessions: any thread. */

static const char *route_host(const struct route *route, char text[CONTACT_TEXT_SIZE])
{
    snprintf(text, CONTACT_TEXT_SIZE, "%s:%u", route->contact.host, (unsigned)route->contact.port);
    return text;
}

/* True if the addresses are known already, or the host is a numeric one. */
static bool is_resolved(struct route *route)
{
    if (route->address_count > 0)
        return true;
    if (address_from_ip_text(&route->addresses[0], route->contact.host, route->contact.port) !=
        ERR_OK)
        return false;
    route->address_count = 1;
    return true;
}

/* A session that is up with any of the host's addresses, else a way to the next of those that are
 * not ours. ERR_INVALID: all are. */
static enum err find_place(struct tcp_node *node, struct route *route, struct tcp_place *place)
{
    enum err e = ERR_INVALID;

    if (tcp_directory_find_connected(node->directory, route->addresses, route->address_count,
                                     place)) {
        route->session = place->session;
        return ERR_OK;
    }
    while (route->address_next < route->address_count &&
           tcp_directory_is_own(node->directory, &route->addresses[route->address_next]))
        route->address_next++;
    if (route->address_next < route->address_count)
        e = tcp_directory_find_or_reserve(node->directory, &route->addresses[route->address_next],
                                          place);
    if (e == ERR_OK)
        route->session = place->session;
    return e;
}

static const char *place_problem(enum err e)
{
    switch (e) {
    case ERR_INVALID:
        return "the address is this node's own";
    case ERR_FULL:
        return "[sessions] limit is reached";
    case ERR_UNRESOLVED:
        return "connection failed: the name could not be resolved";
    case ERR_NAME_SERVER:
        return "connection failed: the name server does not answer";
    default:
        return err_text(e);
    }
}

static void fail_send(struct tcp_node *node, struct send_request *send, enum err e)
{
    char host[CONTACT_TEXT_SIZE];

    tcp_send_fail(node->config.gateway, node->config.events, send, route_host(&send->route, host),
                  place_problem(e));
}

/* For a request that its worker's mailbox refused. */
static void give_back(struct tcp_node *node, const struct tcp_place *place)
{
    if (!place->is_connected && tcp_directory_claim(node->directory, place->session))
        tcp_directory_leave(node->directory, place->session);
}

static void place_send(struct tcp_node *node, struct send_request *send)
{
    struct tcp_place place;
    enum err e = find_place(node, &send->route, &place);

    if (e == ERR_OK && (e = worker_post_send(node->workers[place.worker], send)) != ERR_OK) {
        give_back(node, &place);
        tcp_send_fail(node->config.gateway, node->config.events, send, "",
                      "the worker's mailbox is full; send later");
    } else if (e != ERR_OK) {
        fail_send(node, send, e);
    }
}

static void send_resolved(void *ctx, void *what, enum err result)
{
    if (result == ERR_OK)
        place_send(ctx, what);
    else
        fail_send(ctx, what, result);
}

void tcp_node_route_send(struct tcp_node *node, struct send_request *send)
{
    enum err e;

    if (is_resolved(&send->route)) {
        place_send(node, send);
        return;
    }
    e = resolver_ask(node->resolver, &send->route, send_resolved, node, send);
    if (e != ERR_OK)
        fail_send(node, send, e);
}

/* Nothing is known any more of a host that could not be reached. */
static void forget_host(struct tcp_node *node, const struct route *route)
{
    struct address ignored;

    if (address_from_ip_text(&ignored, route->contact.host, 0) != ERR_OK)
        resolver_forget(node->resolver, route->contact.host);
}

/* In a worker's thread. */
static void route_on(void *self, struct send_request *send, const char *host, const char *reason)
{
    struct tcp_node *node = self;

    if (send->route.address_next + 1 < send->route.address_count) {
        send->route.address_next++;
        place_send(node, send);
        return;
    }
    forget_host(node, &send->route);
    tcp_send_fail(node->config.gateway, node->config.events, send, host, reason);
}

static bool is_cancelled(const void *ctx, const void *what)
{
    return tcp_send_is_asked_for(ctx, what, 0);
}

/* A cancel, on its way to the workers. */
static void visit_of_resolver(void *self, struct message *m)
{
    struct tcp_node *node = self;
    struct cancel_request *r = (struct cancel_request *)(void *)m;

    r->answer = resolver_cancel(node->resolver, send_resolved, is_cancelled, r);
    worker_visit_cancel_sending(node->workers[0], r);
}

void tcp_node_cancel_sending(struct tcp_node *node, struct cancel_request *r)
{
    resolver_visit(node->resolver, &r->request.message);
}

static void fail_host(struct host_request *r, enum err e)
{
    char host[CONTACT_TEXT_SIZE];

    snprintf(r->error, sizeof r->error, "%.150s: %s", route_host(&r->route, host),
             place_problem(e));
    request_answer(&r->request, e);
}

static void connect_to(void *ctx, void *what, enum err e)
{
    struct tcp_node *node = ctx;
    struct host_request *r = what;
    struct tcp_place place;

    if (e == ERR_OK)
        e = find_place(node, &r->route, &place);
    if (e == ERR_OK && place.is_connected) {
        r->answer = true;
        r->session = place.session;
        request_answer(&r->request, ERR_OK);
        return;
    }
    if (e != ERR_OK) {
        fail_host(r, e);
        return;
    }
    e = worker_post_connect_to(node->workers[place.worker], r);
    if (e != ERR_OK) {
        give_back(node, &place);
        snprintf(r->error, sizeof r->error, "the worker's mailbox is full; try again");
        request_answer(&r->request, e);
    }
}

/* In a worker's thread, both. */
static void route_host_again(void *self, struct host_request *r)
{
    connect_to(self, r, ERR_OK);
}

static void route_host_on(void *self, struct host_request *r)
{
    if (r->route.address_next + 1 < r->route.address_count) {
        r->route.address_next++;
        connect_to(self, r, ERR_OK);
        return;
    }
    forget_host(self, &r->route);
    request_answer(&r->request, ERR_CLOSED);
}

static void disconnect_from(void *ctx, void *what, enum err e)
{
    struct tcp_node *node = ctx;

    if (e == ERR_OK)
        worker_visit_disconnect_from(node->workers[0], what);
    else
        fail_host(what, e);
}

static void keep_alive(void *ctx, void *what, enum err e)
{
    struct tcp_node *node = ctx;

    if (e == ERR_OK)
        worker_visit_keep_alive(node->workers[0], what);
    else
        fail_host(what, e);
}

void tcp_node_host_call(struct tcp_node *node, enum tcp_host_call call, struct host_request *r)
{
    static resolved_fn *const calls[] = {[TCP_CONNECT_TO] = connect_to,
                                         [TCP_DISCONNECT_FROM] = disconnect_from,
                                         [TCP_KEEP_ALIVE] = keep_alive};
    enum err e;

    if (is_resolved(&r->route)) {
        calls[call](node, r, ERR_OK);
        return;
    }
    e = resolver_ask(node->resolver, &r->route, calls[call], node, r);
    if (e != ERR_OK)
        fail_host(r, e);
}
