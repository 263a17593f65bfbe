/* The node's struct, shared by node.c (its threads, listening) and route.c (requests to sessions).
 */
#ifndef TCP_NODE_INTERNAL_H
#define TCP_NODE_INTERNAL_H

#include "peers/bandwidth.h"
#include "tcp/listener.h"
#include "tcp/node.h"

enum { TCP_WORKERS_MAX = 256 };

struct tcp_node {
    struct tcp_node_config config;
    struct settings settings; /* supervisor thread only */
    struct tcp_directory *directory;
    struct peers_resolver *resolver;
    struct tcp_acceptor *acceptor;
    struct peers_bandwidth_pool bandwidth; /* shared by the workers */
    unsigned worker_count;
    struct tcp_worker *workers[TCP_WORKERS_MAX];
    /* Supervisor thread only, from here on. */
    bool is_serving;
    struct transport_start *start; /* in progress */
    struct tcp_listen listen;      /* the message to the acceptor; one at a time */
    bool is_listen_posted;
    STAILQ_HEAD(, message) stops; /* of transport_stop, all answered by the stop in progress */
    uint64_t grace_ms;
    unsigned stops_left; /* workers that have not answered */
    struct tcp_stop worker_stops[TCP_WORKERS_MAX];
    struct tcp_stop last_stops[TCP_WORKERS_MAX]; /* of tcp_node_stop; worker_stops may be in use */
    unsigned bound_count;
    struct address bound[TCP_LISTENERS_MAX];
};

/* route.c. In a worker's thread: route a send or connect_to request again, or to the next address
 * of its host (tcp_worker_config). */
void tcp_route_again(void *self, struct send_request *send);
void tcp_route_next_address(void *self, struct send_request *send, const char *host,
                            const char *reason);
void tcp_route_host_again(void *self, struct host_request *r);
void tcp_route_host_next_address(void *self, struct host_request *r);

/* In the resolver's thread (peers_resolver_post): cancels sends that wait for the resolver, then
 * passes the request to the workers. */
void tcp_route_cancel_resolving(void *self, struct message *m);

#endif
