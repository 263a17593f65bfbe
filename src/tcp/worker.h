/* A thread of the fixed pool that runs sessions, with its own event loop and sessions. A session
 * never changes its worker. */
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
    /* All workers, `worker_count` of them, filled in before any is started: requests to every
     * worker are passed from one to the next. */
    struct tcp_worker *const *workers;
    unsigned worker_count;
    /* Called in the worker's thread. route, route_host: route a send or connect_to again.
     * route_next, route_host_next: no session with `host` could be established; try the next
     * address, or fail with `reason` (a connect_to has it in `error`). connection_done: an outgoing
     * connect succeeded. */
    void (*route)(void *node, struct send_request *send);
    void (*route_next)(void *node, struct send_request *send, const char *host, const char *reason);
    void (*route_host)(void *node, struct host_request *r);
    void (*route_host_next)(void *node, struct host_request *r);
    void (*connection_done)(void *node);
    void *node;
};

enum err tcp_worker_open(struct tcp_worker **out, const struct tcp_worker_config *config);
enum err tcp_worker_start(struct tcp_worker *worker);
/* After a final stop was answered: no transfer is left. */
void tcp_worker_stop(struct tcp_worker *worker);
void tcp_worker_close(struct tcp_worker **worker);

/* Any thread. Opens a session on an accepted descriptor. ERR_FULL: still the caller's. */
enum err tcp_worker_post_accepted(struct tcp_worker *worker, struct tcp_accepted *accepted);

/* Any thread. Drops the session, unless its hello has arrived. Cannot fail. */
void tcp_worker_post_evict(struct tcp_worker *worker, struct tcp_evict *evict);

/* Any thread. New settings, and whether to accept sessions and sends. Cannot fail. */
void tcp_worker_post_serve(struct tcp_worker *worker, struct tcp_serve *serve);

/* Any thread. Ends every session. Answered when the last session is freed, a final stop when no
 * transfer is left either. Cannot fail. */
void tcp_worker_post_stop(struct tcp_worker *worker, struct tcp_stop *stop);

/* Any thread. A routed request: r->route.session is a session or a reservation of this worker.
 * ERR_FULL, ERR_CLOSED: still the caller's. */
enum err tcp_worker_post_send(struct tcp_worker *worker, struct send_request *r);
enum err tcp_worker_post_connect_to(struct tcp_worker *worker, struct host_request *r);

/* Any thread. Requests to every worker, in order of their index; `first` has index 0. Cannot fail.
 */
void tcp_worker_queries_disconnect_from(struct tcp_worker *first, struct host_request *r);
void tcp_worker_queries_keep_alive(struct tcp_worker *first, struct host_request *r);
void tcp_worker_queries_cancel_sending(struct tcp_worker *first, struct cancel_request *r);
void tcp_worker_queries_cancel_receiving(struct tcp_worker *first, struct cancel_request *r);
void tcp_worker_queries_sessions(struct tcp_worker *first, struct list_request *r);
void tcp_worker_queries_streams(struct tcp_worker *first, struct list_request *r);
void tcp_worker_queries_count(struct tcp_worker *first, struct counts_request *r);

#endif
