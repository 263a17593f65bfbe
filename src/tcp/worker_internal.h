/* The worker's inside, for worker.c (its life) and worker_queries.c (requests that go round). */
#ifndef TCP_WORKER_INTERNAL_H
#define TCP_WORKER_INTERNAL_H

#include "loop/loop.h"
#include "tcp/home.h"
#include "tcp/worker.h"

#include <sys/queue.h>

TAILQ_HEAD(tcp_connection_list, session);
STAILQ_HEAD(tcp_turn_list, session);

struct tcp_worker {
    struct tcp_worker_config config;
    struct tcp_home home;
    struct tcp_connection_list sessions;
    struct session *by_id; /* uthash */
    unsigned session_count;
    struct tcp_turn_list turn;      /* have something to do */
    struct tcp_turn_list throttled; /* wait for bandwidth; their next turn comes with the tick */
    struct session *last_starved;   /* in it; NULL: none */
    struct timer tick;
    struct tcp_turn_list graves; /* CLOSED, freed after the turn */
    STAILQ_HEAD(, message) stops;
    struct timer grace; /* of the stop under way */
};

#endif
