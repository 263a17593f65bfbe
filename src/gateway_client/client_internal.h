/* The client thread's state. All of it belongs to that thread, but what says otherwise.
 *
 *   reply < delivery < queue: what came back, what it leads to, what waits
 *   call < delivery < encode: a call as an XML-RPC document
 *   reply < http_pool: POSTs by curl_multi
 *   client on top acts on the decisions; ops posts to it from any thread */
#ifndef GATEWAY_CLIENT_CLIENT_INTERNAL_H
#define GATEWAY_CLIENT_CLIENT_INTERNAL_H

#include "base/err.h"
#include "gateway_client/client.h"
#include "gateway_client/delivery.h"
#include "gateway_client/http_pool.h"
#include "gateway_client/queue.h"
#include "loop/loop.h"
#include "settings/settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gateway_client_shut {
    struct message message; /* first */
    uint64_t grace_ms;
};

struct gateway_client {
    struct settings settings;
    struct loop *loop;
    struct gateway_client_http_pool *http;
    bool has_url;
    struct gateway_client_delivery_target target;
    struct gateway_client_queue queue;
    bool is_paused, is_probing; /* unreachable: nothing is sent; one call tries */
    uint64_t pause_ms;
    uint64_t answered_ms; /* when the last answer came */
    struct timer pause, grace;
    struct gateway_client_shut shut;
    bool is_shut, is_closed;
    struct request *idle;
    /* Atomic: posting threads count up, the client thread counts down, and workers look at it for
     * every read; a mailbox could tell only what it holds itself. */
    atomic_size_t waiting;
    atomic_size_t waiting_bytes; /* their texts */
};

/* At it the client is full, too: the queue-limit says how many, a description may have 64 KiB. */
enum { GATEWAY_CLIENT_WAITING_BYTES_MAX = 64 << 20 };

/* Any thread. Takes the delivery over in any case; it is counted as waiting from here on. The
 * result goes to `transfer`; NULL: nobody waits for it. ERR_NO_MEMORY: nothing is told. */
enum err gateway_client_post(struct gateway_client *client,
                             struct gateway_client_delivery *delivery,
                             struct gateway_transfer *transfer);

#endif
