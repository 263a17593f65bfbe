/* The gate thread and its queues. All of it belongs to the gate thread, but what says otherwise.
 *
 *   gate.c        the thread and its queues
 *   gateway_client_ops.c    the gateway_ops, which post to it
 *   gateway_client_delivery.c    a job: what is to be told, call after call, and what an answer
 * means gate_calls.c  the calls as XML-RPC documents gateway_client_http_pool.c   curl_multi in our
 * loop */
#ifndef GATEWAY_CLIENT_CLIENT_INTERNAL_H
#define GATEWAY_CLIENT_CLIENT_INTERNAL_H

#include "base/err.h"
#include "gateway_client/client.h"
#include "gateway_client/delivery.h"
#include "loop/loop.h"
#include "settings/settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gateway_client_http_pool;

struct gateway_client_shut {
    struct message message; /* first */
    uint64_t grace_ms;
};

struct gateway_client {
    struct settings settings;
    struct loop *loop;
    struct gateway_client_http_pool *http;
    bool has_url;
    bool has_file_result;
    uint32_t instance;
    struct gate_job_list ready[GATEWAY_CLIENT_RANK_COUNT]; /* wait for a connection */
    struct gate_job_list notices;                          /* wait for the notice before them */
    struct gate_job_list owed;               /* of an earlier run: wait for init or connect */
    struct gate_job_list away;               /* on the wire, or resting until the next try */
    bool is_notice_out;                      /* a notice is in `ready` or `away` */
    unsigned out[GATEWAY_CLIENT_RANK_COUNT]; /* on the wire, by rank */
    bool is_paused, is_probing;              /* nobody is there; one call tries */
    uint64_t pause_ms;
    uint64_t answered_ms; /* when the last answer came */
    struct timer pause, grace;
    struct gateway_client_shut shut;
    bool is_shut, is_closed;
    struct request *idle;
    /* Atomic: posting threads count up, the gate counts down, and workers look at it for every
     * read; a mailbox could tell only what it holds itself. */
    atomic_size_t waiting;
    atomic_size_t waiting_bytes; /* their texts */
};

/* At it the gate is full, too: the queue-limit says how many, a description may have 64 KiB. */
enum { GATEWAY_CLIENT_WAITING_BYTES_MAX = 64 << 20 };

/* Any thread. Takes the job over; it is counted as waiting from here on. */
void gateway_client_post(struct gateway_client *gate, struct gateway_client_delivery *job);

/* To be tried again or to go on: at once, or after `delay_ms`. */
void gateway_client_again(struct gateway_client *gate, struct gateway_client_delivery *job,
                          uint64_t delay_ms);
/* Over, whatever came of it: answers its transfer and frees it. */
void gateway_client_job_end(struct gateway_client_delivery *job, enum err result);
/* Nobody answers there: nothing goes out for a while. */
void gateway_client_unreachable(struct gateway_client *gate, const char *problem);
/* Somebody has answered. */
void gateway_client_reachable(struct gateway_client *gate);

#endif
