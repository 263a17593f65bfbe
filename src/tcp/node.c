#include "tcp/node.h"

#include "tcp/node_internal.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_UPS_MAX = 64, /* concurrent name lookups */
    LOOK_UP_LIMIT_MS = 15000,
    LOOK_UP_FAILED_MS = 5000,
    LOOK_UP_KEPT_MS = 1000,
};

/* Creation and destruction. */

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

    if (count > TCP_WORKERS_MAX)
        count = TCP_WORKERS_MAX;
    for (unsigned i = 0; i < count && e == ERR_OK; i++) {
        struct tcp_worker_config config = {.index = i,
                                           .settings = &node->settings,
                                           .directory = node->directory,
                                           .gateway = node->config.gateway,
                                           .events = node->config.events,
                                           .inbox = node->config.inbox,
                                           .committer = node->config.committer,
                                           .bandwidth = &node->bandwidth,
                                           .workers = node->workers,
                                           .worker_count = count,
                                           .route = tcp_route_again,
                                           .route_next = tcp_route_next_address,
                                           .route_host = tcp_route_host_again,
                                           .route_host_next = tcp_route_host_next_address,
                                           .connection_done = connection_done,
                                           .node = node};

        e = tcp_worker_open(&node->workers[i], &config);
        if (e == ERR_OK)
            node->worker_count++;
    }
    return e;
}

static enum err open_resolver(struct tcp_node *node)
{
    peers_resolver_look_up_fn *look_up = node->config.look_up;

    return peers_resolver_open(&node->resolver,
                               &(struct peers_resolver_config){
                                   .look_up = look_up == NULL ? peers_resolver_look_up : look_up,
                                   .slots = LOOK_UPS_MAX,
                                   .limit_ms = LOOK_UP_LIMIT_MS,
                                   .failed_ms = LOOK_UP_FAILED_MS,
                                   .kept_ms = LOOK_UP_KEPT_MS,
                                   .on_message = tcp_route_cancel_resolving,
                                   .message_ctx = node});
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
    if ((e = tcp_acceptor_open(&node->acceptor,
                               &(struct tcp_acceptor_config){.settings = config->settings,
                                                             .directory = node->directory,
                                                             .workers = node->workers})) != ERR_OK)
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
    tcp_acceptor_close(&n->acceptor);
    peers_resolver_close(&n->resolver);
    for (unsigned i = 0; i < n->worker_count; i++)
        tcp_worker_close(&n->workers[i]);
    tcp_directory_close(&n->directory);
    free(n);
    *node = NULL;
}

static void stop_threads(struct tcp_node *node)
{
    for (unsigned i = 0; i < node->worker_count; i++)
        tcp_worker_stop(node->workers[i]);
}

enum err tcp_node_start(struct tcp_node *node)
{
    enum err e = ERR_OK;

    for (unsigned i = 0; i < node->worker_count && e == ERR_OK; i++)
        e = tcp_worker_start(node->workers[i]);
    if (e == ERR_OK)
        e = peers_resolver_start(node->resolver);
    if (e == ERR_OK)
        e = tcp_acceptor_start(node->acceptor);
    if (e != ERR_OK) { /* stop the started ones; there is no session yet */
        peers_resolver_stop(node->resolver);
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

/* The final stop. The answers are received in a mailbox of this call, since the supervisor's loop
 * may not run any more; a worker's thread is stopped only when no answer to it is pending. */
static void end_sessions(struct tcp_node *node)
{
    unsigned left = node->worker_count;
    struct mailbox *box = NULL;

    if (mailbox_open(&box, 1, &left) != ERR_OK)
        return;
    for (unsigned i = 0; i < node->worker_count; i++) {
        node->last_stops[i] = (struct tcp_stop){
            .request = {.answer_to = box, .on_answer = count_down}, .is_final = true};
        tcp_worker_post_stop(node->workers[i], &node->last_stops[i]);
    }
    while (left > 0) {
        struct pollfd wakeup = {.fd = mailbox_fd(box), .events = POLLIN};

        poll(&wakeup, 1, -1);
        mailbox_drain(box);
    }
    mailbox_close(&box);
}

void tcp_node_stop(struct tcp_node *node)
{
    tcp_acceptor_stop(node->acceptor);
    peers_resolver_stop(node->resolver);
    end_sessions(node);
    stop_threads(node);
}

/* Listening and stopping: the supervisor's thread. */

static struct tcp_serve *new_serve(struct tcp_node *node, const char *receiver)
{
    struct tcp_serve *serve = calloc(1, sizeof *serve);

    if (serve == NULL) {
        log_error("%s keeps its old settings: %s", receiver, err_text(ERR_NO_MEMORY));
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
        tcp_acceptor_post_settings(node->acceptor, serve);
    for (unsigned i = 0; i < node->worker_count; i++) {
        serve = new_serve(node, "a worker");
        if (serve != NULL)
            tcp_worker_post_serve(node->workers[i], serve);
    }
}

static void clear_bound(struct tcp_node *node)
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
        clear_bound(node);
        snprintf(start->error, sizeof start->error, "cannot accept connections: %s", err_text(e));
    }
    request_answer(&start->request, e);
}

/* Passes the sockets to the acceptor; one such message is in flight at a time. */
static void post_listen(struct tcp_node *node, struct mailbox *answer_to, message_fn *then,
                        const struct tcp_listener *l)
{
    CONTRACT(!node->is_listen_posted);
    node->is_listen_posted = true;
    node->listen = (struct tcp_listen){
        .request = {.answer_to = answer_to, .on_answer = then}, .count = l->count, .node = node};
    memcpy(node->listen.fds, l->fds, l->count * sizeof l->fds[0]);
    tcp_acceptor_post_listen(node->acceptor, &node->listen);
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
        tcp_worker_post_stop(node->workers[i], &node->worker_stops[i]);
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
    clear_bound(node);
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

struct tcp_worker *tcp_node_first_worker(struct tcp_node *node)
{
    return node->workers[0];
}
