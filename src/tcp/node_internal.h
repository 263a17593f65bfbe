/* The node from inside: its threads' life in tcp_node.c, the routes to its sessions in
 * tcp_node_route.c. */
#ifndef TCP_NODE_INTERNAL_H
#define TCP_NODE_INTERNAL_H

#include "peers/bandwidth.h"
#include "tcp/listener.h"
#include "tcp/node.h"

enum { TCP_WORKERS_MAX = 256 };

struct tcp_node {
    struct tcp_node_config config;
    struct settings settings; /* the supervisor thread's */
    struct tcp_directory *directory;
    struct peers_resolver *resolver;
    struct tcp_acceptor *acceptor;
    struct peers_bandwidth_pool bandwidth; /* the workers' */
    unsigned worker_count;
    struct tcp_worker *workers[TCP_WORKERS_MAX];
    /* Supervisor thread only, from here on. */
    bool is_serving;
    struct transport_start *start; /* under way */
    struct tcp_listen listen;      /* what the acceptor is told; one at a time */
    bool is_listen_posted;
    STAILQ_HEAD(, message) stops; /* transport_stop, all answered by the stop under way */
    uint64_t grace_ms;
    unsigned stops_left; /* workers that have not answered */
    struct tcp_stop worker_stops[TCP_WORKERS_MAX];
    struct tcp_stop last_stops[TCP_WORKERS_MAX]; /* tcp_node_stop's: others may be under way then */
    unsigned bound_count;
    struct address bound[TCP_LISTENERS_MAX];
};

/* tcp_node_route.c. In a worker's thread: sends and connect_to requests that have to be routed
 * again, or on to the next address of their host (tcp_worker_config). */
void tcp_route_again(void *self, struct send_request *send);
void tcp_route_on(void *self, struct send_request *send, const char *host, const char *reason);
void tcp_route_host_again(void *self, struct host_request *r);
void tcp_route_host_on(void *self, struct host_request *r);

/* In the resolver's thread: a cancel, on its way to the workers (peers_resolver_post). */
void tcp_route_cancel_resolving(void *self, struct message *m);

#endif
