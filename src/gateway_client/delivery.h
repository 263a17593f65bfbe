/* A delivery: the sequence of calls for one notice or one phase of a transfer, and the decision
 * after each reply. Pure: no thread, no descriptor, no clock; the owner passes in a reply and
 * executes the decision.
 *
 *   NOTICE     one call: a notice about the transport
 *   REGISTER   one call: register; returns the transfer id
 *   END        [register again, if registered with another instance of the gateway], unregister or
 *              cancelled_file_sending; then file_result for a requested send
 *
 * Decisions:
 *
 *                  value          fault or invalid id           no or malformed response
 *   REGISTER       done, with     one retry; then the file is   retry with backoff until
 *                  the id         rejected (incoming) or sent   gateway_client_delivery_expire;
 *                                 without an id (outgoing)      then as for a fault
 *   NOTICE, END    next call      three retries with backoff;   retry with backoff, unlimited
 *                                 then dropped as undelivered
 *
 * Unreachable: no change; the call is made when the gateway is reachable again. */
#ifndef GATEWAY_CLIENT_DELIVERY_H
#define GATEWAY_CLIENT_DELIVERY_H

#include "base/err.h"
#include "gateway/gateway_ops.h"
#include "gateway_client/call.h"
#include "gateway_client/reply.h"
#include "rpc/document.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gateway_client_delivery_kind {
    GATEWAY_CLIENT_DELIVERY_NOTICE,
    GATEWAY_CLIENT_DELIVERY_REGISTER,
    GATEWAY_CLIENT_DELIVERY_END,
};

enum gateway_client_delivery_text {
    GATEWAY_CLIENT_TEXT_PROTO,
    GATEWAY_CLIENT_TEXT_HOST,
    GATEWAY_CLIENT_TEXT_ASKED_HOST,
    GATEWAY_CLIENT_TEXT_IDURL,
    GATEWAY_CLIENT_TEXT_FILENAME,
    GATEWAY_CLIENT_TEXT_DESCRIPTION,
    GATEWAY_CLIENT_TEXT_ERROR,
    GATEWAY_CLIENT_TEXT_COUNT
};

/* Instances of the gateway are numbered. 0: none, or one of an earlier run of the daemon that might
 * still be running; EARLIER: one of an earlier run that has been replaced. */
enum { GATEWAY_CLIENT_INSTANCE_EARLIER = 1, GATEWAY_CLIENT_INSTANCE_FIRST = 2 };

/* The gateway's properties that decisions depend on. */
struct gateway_client_delivery_target {
    uint32_t instance;
    bool has_file_result; /* it implements file_result */
};

struct gateway_client_delivery {
    uint32_t magic;
    enum gateway_client_delivery_kind kind;
    enum gateway_client_call call; /* the next one to make */
    bool was_posted;               /* at least one call was sent; set by the owner */
    bool is_sending, is_single, is_registered;
    uint32_t instance; /* the one that registered it */
    uint32_t transfer_id;
    uint64_t request_id, size_bytes, done_bytes;
    enum gateway_transfer_status status;
    unsigned faults;   /* of the current call */
    uint64_t retry_ms; /* last retry delay of the current call; 0: not retried yet */
    size_t text_bytes;
    const char *text[GATEWAY_CLIENT_TEXT_COUNT]; /* each may be NULL; stored behind the struct */
    char bytes[];
};

enum gateway_client_delivery_action {
    GATEWAY_CLIENT_DELIVERY_SEND,        /* make the next call now */
    GATEWAY_CLIENT_DELIVERY_RETRY,       /* repeat the call after `delay_ms` */
    GATEWAY_CLIENT_DELIVERY_DONE,        /* no more calls; see `result` */
    GATEWAY_CLIENT_DELIVERY_UNREACHABLE, /* repeat the call when the gateway is reachable */
};

struct gateway_client_delivery_decision {
    enum gateway_client_delivery_action action;
    uint64_t delay_ms;             /* RETRY */
    enum err result;               /* DONE: ERR_GATEWAY if the file must be rejected */
    enum gateway_client_call call; /* the one that was replied to */
    bool is_answered;              /* the gateway returned a value or a fault */
    bool is_fault, is_undelivered; /* for the metrics */
    const char *outcome;           /* to be logged; NULL: no log line */
    char problem[RPC_REASON_SIZE]; /* reason for `outcome`; escaped */
};

/* Any thread. NULL without memory. The strings are copied. */
struct gateway_client_delivery *
gateway_client_delivery_new(enum gateway_client_delivery_kind kind,
                            const char *const text[GATEWAY_CLIENT_TEXT_COUNT]);
struct gateway_client_delivery *gateway_client_delivery_of(enum gateway_client_delivery_kind kind,
                                                           const struct gateway_transfer *transfer);
/* NULL is a no-op; clears. */
void gateway_client_delivery_free(struct gateway_client_delivery **delivery);

/* True for the end of a file registered by an earlier run of the daemon: its id is valid only for
 * the gateway of that run. Call gateway_client_delivery_identify before _begin. */
bool gateway_client_delivery_is_deferred(const struct gateway_client_delivery *delivery);
/* Sets the instance of a deferred delivery; a no-op for others. */
void gateway_client_delivery_identify(struct gateway_client_delivery *delivery, uint32_t instance);

/* Starts, or restarts for another instance of the gateway, with the first call to make: SEND, or
 * DONE if no call is needed. */
void gateway_client_delivery_begin(struct gateway_client_delivery *delivery,
                                   const struct gateway_client_delivery_target *target,
                                   struct gateway_client_delivery_decision *decision);
/* Processes the reply to the current call. */
void gateway_client_delivery_replied(struct gateway_client_delivery *delivery,
                                     const struct gateway_client_delivery_target *target,
                                     const struct gateway_client_reply *reply,
                                     struct gateway_client_delivery_decision *decision);

/* REGISTER: remaining time before it expires; 0: expired. Time queued behind other calls that are
 * answered does not count: before its first post, `patience_ms` runs from the gateway's last
 * response (`answered_ms`; 0: none yet). */
uint64_t gateway_client_delivery_left_ms(const struct gateway_client_delivery *delivery,
                                         uint64_t patience_ms, uint64_t answered_ms,
                                         uint64_t now_ms);
/* REGISTER: fails it after the timeout: DONE. */
void gateway_client_delivery_expire(struct gateway_client_delivery *delivery,
                                    const struct gateway_client_delivery_target *target,
                                    struct gateway_client_delivery_decision *decision);

#endif
