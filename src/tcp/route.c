/* Routes a send, or another request for a host, to its session: resolves the name, finds or
 * reserves a session in the directory, posts to its worker. Any thread. */
#include "tcp/node.h"

#include "tcp/node_internal.h"
#include "transfer/outgoing.h"

#include <stdio.h>

static const char *route_host(const struct route *route, char text[CONTACT_TEXT_SIZE])
{
    snprintf(text, CONTACT_TEXT_SIZE, "%s:%u", route->contact.host, (unsigned)route->contact.port);
    return text;
}

/* True if the addresses are known, or the host is numeric. */
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

/* A CONNECTED session with any of the host's addresses, else a place for the next address that is
 * not our own. ERR_INVALID: all are our own. */
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

static const char *place_error(enum err e)
{
    switch (e) {
    case ERR_INVALID:
        return "the address is this node's own";
    case ERR_FULL:
        return "[sessions] limit reached";
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

    transfer_outgoing_fail_send(node->config.gateway, node->config.events, send,
                                route_host(&send->route, host), place_error(e));
}

/* Releases the reservation of a request that could not be posted. */
static void release_place(struct tcp_node *node, const struct tcp_place *place)
{
    if (!place->is_connected && tcp_directory_claim(node->directory, place->session))
        tcp_directory_leave(node->directory, place->session);
}

static void place_send(struct tcp_node *node, struct send_request *send)
{
    struct tcp_place place;
    enum err e = find_place(node, &send->route, &place);

    if (e == ERR_OK && (e = tcp_worker_post_send(node->workers[place.worker], send)) != ERR_OK) {
        release_place(node, &place);
        transfer_outgoing_fail_send(node->config.gateway, node->config.events, send, "",
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

void tcp_route_send(struct tcp_node *node, struct send_request *send)
{
    enum err e;

    if (is_resolved(&send->route)) {
        place_send(node, send);
        return;
    }
    e = peers_resolver_resolve(node->resolver, &send->route, send_resolved, node, send);
    if (e != ERR_OK)
        fail_send(node, send, e);
}

/* The next request for an unreachable host resolves its name again. */
static void forget_host(struct tcp_node *node, const struct route *route)
{
    struct address ignored;

    if (address_from_ip_text(&ignored, route->contact.host, 0) != ERR_OK)
        peers_resolver_forget(node->resolver, route->contact.host);
}

void tcp_route_again(void *self, struct send_request *send)
{
    tcp_route_send(self, send);
}

void tcp_route_next_address(void *self, struct send_request *send, const char *host,
                            const char *reason)
{
    struct tcp_node *node = self;

    if (send->route.address_next + 1 < send->route.address_count) {
        send->route.address_next++;
        place_send(node, send);
        return;
    }
    forget_host(node, &send->route);
    transfer_outgoing_fail_send(node->config.gateway, node->config.events, send, host, reason);
}

static bool is_cancelled(const void *ctx, const void *what)
{
    return transfer_outgoing_matches(ctx, what, 0);
}

void tcp_route_cancel_resolving(void *self, struct message *m)
{
    struct tcp_node *node = self;
    struct cancel_request *r = (struct cancel_request *)(void *)m;

    r->answer = peers_resolver_cancel(node->resolver, send_resolved, is_cancelled, r);
    tcp_worker_queries_cancel_sending(node->workers[0], r);
}

void tcp_route_cancel_sending(struct tcp_node *node, struct cancel_request *r)
{
    peers_resolver_post(node->resolver, &r->request.message);
}

static void fail_host(struct host_request *r, enum err e)
{
    char host[CONTACT_TEXT_SIZE];

    snprintf(r->error, sizeof r->error, "%.150s: %s", route_host(&r->route, host), place_error(e));
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
    e = tcp_worker_post_connect_to(node->workers[place.worker], r);
    if (e != ERR_OK) {
        release_place(node, &place);
        snprintf(r->error, sizeof r->error, "the worker's mailbox is full; try again");
        request_answer(&r->request, e);
    }
}

void tcp_route_host_again(void *self, struct host_request *r)
{
    connect_to(self, r, ERR_OK);
}

void tcp_route_host_next_address(void *self, struct host_request *r)
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
        tcp_worker_queries_disconnect_from(node->workers[0], what);
    else
        fail_host(what, e);
}

static void keep_alive(void *ctx, void *what, enum err e)
{
    struct tcp_node *node = ctx;

    if (e == ERR_OK)
        tcp_worker_queries_keep_alive(node->workers[0], what);
    else
        fail_host(what, e);
}

void tcp_route_host_call(struct tcp_node *node, enum tcp_host_call call, struct host_request *r)
{
    static peers_resolved_fn *const calls[] = {[TCP_CONNECT_TO] = connect_to,
                                               [TCP_DISCONNECT_FROM] = disconnect_from,
                                               [TCP_KEEP_ALIVE] = keep_alive};
    enum err e;

    if (is_resolved(&r->route)) {
        calls[call](node, r, ERR_OK);
        return;
    }
    e = peers_resolver_resolve(node->resolver, &r->route, calls[call], node, r);
    if (e != ERR_OK)
        fail_host(r, e);
}
