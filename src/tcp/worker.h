/* One of the fixed pool of threads that run sessions: its own poll loop over its own session
 * machines. A session never changes its worker. */
#ifndef TCP_WORKER_H
#define TCP_WORKER_H

#include "base/err.h"
#include "gateway/transport_ops.h"
#include "tcp/message.h"

struct tcp_worker;

struct tcp_worker_config {
    unsigned index;
    const struct settings *settings; /* copied */
    struct tcp_directory *directory;
    struct gateway *gateway;
    struct event_sink *events;
    struct inbox *inbox;
    struct committer *committer;
    struct peers_bandwidth_pool *bandwidth; /* shared by all workers */
    /* All workers, `worker_count` of them, filled in before any is started: requests that visit
     * every worker go from one to the next. */
    struct tcp_worker *const *workers;
    unsigned worker_count;
    /* In the worker's thread: routes a send, or a connect_to, again; those that could not reach
     * their host on to its next address, or fails them (`host`, `reason`; a connect_to has its
     * `error`); tells that an outgoing connect succeeded. */
    void (*route)(void *node, struct send_request *send);
    void (*route_on)(void *node, struct send_request *send, const char *host, const char *reason);
    void (*route_host)(void *node, struct host_request *r);
    void (*route_host_on)(void *node, struct host_request *r);
    void (*connection_done)(void *node);
    void *node;
};

enum err tcp_worker_open(struct tcp_worker **out, const struct tcp_worker_config *config);
enum err tcp_worker_start(struct tcp_worker *worker);
/* After a stop came back: every stream is through. */
void tcp_worker_stop(struct tcp_worker *worker);
void tcp_worker_close(struct tcp_worker **worker);

/* Any thread. A descriptor just accepted; ERR_FULL: still the caller's. */
enum err tcp_worker_post_accepted(struct tcp_worker *worker, struct tcp_accepted *accepted);

/* Any thread. Drops the session, if it has no hello and none is there to be read. Always taken. */
void tcp_worker_post_evict(struct tcp_worker *worker, struct tcp_evict *give_way);

/* Any thread. New settings, and whether to serve. Always taken. */
void tcp_worker_post_serve(struct tcp_worker *worker, struct tcp_serve *serve);

/* Any thread. End every session; comes back when the last one is gone and every stream through. */
void tcp_worker_post_stop(struct tcp_worker *worker, struct tcp_stop *stop);

/* Any thread. A send, routed: r->route.session is a session of this worker, or reserved for it.
 * ERR_FULL, ERR_CLOSED: still the caller's. */
enum err tcp_worker_post_send(struct tcp_worker *worker, struct send_request *r);
enum err tcp_worker_post_connect_to(struct tcp_worker *worker, struct host_request *r);

/* Any thread. Requests that visit every worker, this one first, in order of their index. Always
 * taken. */
void tcp_worker_queries_disconnect_from(struct tcp_worker *first, struct host_request *r);
void tcp_worker_queries_keep_alive(struct tcp_worker *first, struct host_request *r);
void tcp_worker_queries_cancel_sending(struct tcp_worker *first, struct cancel_request *r);
void tcp_worker_queries_cancel_receiving(struct tcp_worker *first, struct cancel_request *r);
void tcp_worker_queries_sessions(struct tcp_worker *first, struct list_request *r);
void tcp_worker_queries_streams(struct tcp_worker *first, struct list_request *r);
void tcp_worker_queries_count(struct tcp_worker *first, struct counts_request *r);

#endif
