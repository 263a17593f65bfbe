/* The state of the client thread, owned by it unless a member says otherwise. Layers, lowest first:
 *
 *   reply < delivery < queue: the HTTP result, the decision made from it, the pending deliveries
 *   call < delivery < encode: a call as an XML-RPC document
 *   reply < http_pool: POSTs by curl_multi
 *   client: executes the decisions; ops: posts to the client from any thread */
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
    bool is_paused, is_probing; /* unreachable: no calls; one call as a probe */
    uint64_t pause_ms;
    uint64_t answered_ms; /* time of the last response; 0: none yet */
    struct timer pause, grace;
    struct gateway_client_shut shut;
    bool is_shut, is_closed;
    struct request *idle;
    /* Atomic: posting threads increment it, the client thread decrements it, and workers read it
     * before every socket read. The mailbox length does not include the entries in `queue`. */
    atomic_size_t waiting;
    atomic_size_t waiting_bytes; /* size of their strings */
};

/* Second limit for is_full, next to queue-limit: one description can have 64 KiB. */
enum { GATEWAY_CLIENT_WAITING_BYTES_MAX = 64 << 20 };

/* Any thread. Takes ownership of the delivery, also on failure, and counts it as pending. The
 * result is returned in `transfer`; NULL: it is discarded. ERR_NO_MEMORY: no call is made. */
enum err gateway_client_post(struct gateway_client *client,
                             struct gateway_client_delivery *delivery,
                             struct gateway_transfer *transfer);

#endif
