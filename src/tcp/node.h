/* The tcp transport of this node: the threads (acceptor, workers, resolver), the directory that
 * they share, and the routing of requests to sessions. */
#ifndef TCP_NODE_H
#define TCP_NODE_H

#include "base/err.h"
#include "gateway/gateway.h"
#include "gateway/transport_ops.h"
#include "peers/resolver.h"
#include "store/commit/committer.h"
#include "store/inbox/inbox.h"
#include "tcp/acceptor.h"
#include "tcp/worker.h"

struct tcp_node;

struct tcp_node_config {
    const struct settings *settings; /* copied */
    struct gateway *gateway;
    struct event_sink *events;
    struct inbox *inbox;
    struct committer *committer;
    struct passed_sockets passed;
    peers_resolver_look_up_fn *look_up; /* NULL: the system's */
    void (*connection_done)(void *ctx); /* any thread; may be NULL */
    void *connection_done_ctx;
};

enum err tcp_node_open(struct tcp_node **out, const struct tcp_node_config *config);
enum err tcp_node_start(struct tcp_node *node);
/* Stops the threads; open sessions are closed at once. */
void tcp_node_stop(struct tcp_node *node);
void tcp_node_close(struct tcp_node **node);

/* Supervisor thread: transport_ops connect, disconnect, settings_changed. One start or stop is
 * in progress at a time, besides stops that join a stop. */
void tcp_node_listen(struct tcp_node *node, struct transport_start *start);
void tcp_node_disconnect(struct tcp_node *node, struct transport_stop *stop);
void tcp_node_settings_changed(struct tcp_node *node, const struct settings *settings);
bool tcp_node_is_rebind_needed(const struct tcp_node *node);
const struct settings *tcp_node_settings(const struct tcp_node *node);

/* Any thread. Finds or reserves a session for the send and posts it to that session's worker. A
 * failure is answered as the send's result. */
void tcp_route_send(struct tcp_node *node, struct send_request *send);

enum tcp_host_call { TCP_CONNECT_TO, TCP_DISCONNECT_FROM, TCP_KEEP_ALIVE };
void tcp_route_host_call(struct tcp_node *node, enum tcp_host_call call, struct host_request *r);

/* Any thread. Cancels sends that wait for the resolver, then those of every worker. */
void tcp_route_cancel_sending(struct tcp_node *node, struct cancel_request *r);

/* Any thread. For requests to all workers. */
struct tcp_worker *tcp_node_first_worker(struct tcp_node *node);

#endif
