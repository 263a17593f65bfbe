/* The worker's struct, shared by worker.c and worker_queries.c (requests to all workers). */
#ifndef TCP_WORKER_INTERNAL_H
#define TCP_WORKER_INTERNAL_H

#include "loop/loop.h"
#include "tcp/context.h"
#include "tcp/worker.h"

#include <sys/queue.h>

TAILQ_HEAD(tcp_session_list, session);
STAILQ_HEAD(tcp_turn_list, session);

struct tcp_worker {
    struct tcp_worker_config config;
    struct tcp_context context;
    struct tcp_session_list sessions;
    struct session *by_id; /* uthash */
    unsigned session_count;
    struct tcp_turn_list turn;      /* scheduled for the next turn */
    struct tcp_turn_list throttled; /* wait for bandwidth; scheduled by the tick */
    struct session *last_starved;   /* the last in `throttled` that moved nothing; NULL: none */
    struct timer tick;
    struct tcp_turn_list reap_list; /* CLOSED, freed after the turn */
    STAILQ_HEAD(, message) stops;
    struct timer grace; /* of the stop in progress */
};

#endif
