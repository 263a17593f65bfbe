/* A delivery: everything that the gateway is to be told about one thing, one call after the other,
 * and what each reply leads to. Pure: no thread, no descriptor, no clock; a reply goes in, a
 * decision comes out, and whoever owns the delivery acts on it.
 *
 *   NOTICE     one call: a notice about the transport
 *   REGISTER   one call: register; its transfer gets the id
 *   END        [register again, if that was with another instance of the gateway], unregister or
 *              cancelled_file_sending; then file_result, if a send was requested
 *
 * What a reply leads to:
 *
 *                  a value        a fault, or no valid id       no reply, or a malformed one
 *   REGISTER       done, with     the call once more; then it   retry with a growing delay, until
 *                  the id         fails (in) or goes without    gateway_client_delivery_expire;
 *                                 an id (out)                   then the same
 *   all others     the next call  three more times with a       retry with a growing delay,
 *                                 growing delay; then it is     without end
 *                                 left undelivered
 *
 * Unreachable changes nothing: the call is due as soon as the gateway can be reached. */
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

/* Instances of the gateway are counted. 0: none, or one of an earlier run of the daemon that may
 * still be the present one; EARLIER: one of an earlier run that is gone. */
enum { GATEWAY_CLIENT_INSTANCE_EARLIER = 1, GATEWAY_CLIENT_INSTANCE_FIRST = 2 };

/* The gateway as a delivery has to know it. */
struct gateway_client_delivery_target {
    uint32_t instance;
    bool has_file_result; /* it wants file_result calls */
};

struct gateway_client_delivery {
    uint32_t magic;
    enum gateway_client_delivery_kind kind;
    enum gateway_client_call call; /* that is due */
    bool was_posted;               /* a call of it was sent; the owner sets it */
    bool is_sending, is_single, is_registered;
    uint32_t instance; /* that registered it */
    uint32_t transfer_id;
    uint64_t request_id, size_bytes, done_bytes;
    enum gateway_transfer_status status;
    unsigned faults;   /* of the present call */
    uint64_t retry_ms; /* the last delay of the present call; 0: it was not repeated yet */
    size_t text_bytes;
    const char *text[GATEWAY_CLIENT_TEXT_COUNT]; /* each may be NULL; stored behind the struct */
    char bytes[];
};

enum gateway_client_delivery_action {
    GATEWAY_CLIENT_DELIVERY_SEND,        /* the call that is due now */
    GATEWAY_CLIENT_DELIVERY_RETRY,       /* the same call, after `delay_ms` */
    GATEWAY_CLIENT_DELIVERY_DONE,        /* nothing is left to tell; `result` */
    GATEWAY_CLIENT_DELIVERY_UNREACHABLE, /* the same call, when the gateway can be reached */
};

struct gateway_client_delivery_decision {
    enum gateway_client_delivery_action action;
    uint64_t delay_ms;             /* RETRY */
    enum err result;               /* DONE: ERR_GATEWAY if the file must be refused */
    enum gateway_client_call call; /* that the reply was for */
    bool is_answered;              /* the gateway runs: a value or a fault came */
    bool is_fault, is_undelivered; /* to be counted */
    const char *trouble;           /* to be logged: what becomes of the call; NULL: nothing */
    char problem[RPC_REASON_SIZE]; /* of the trouble: why; escaped */
};

/* Any thread. NULL without memory. The strings are copied. */
struct gateway_client_delivery *
gateway_client_delivery_new(enum gateway_client_delivery_kind kind,
                            const char *const text[GATEWAY_CLIENT_TEXT_COUNT]);
struct gateway_client_delivery *gateway_client_delivery_of(enum gateway_client_delivery_kind kind,
                                                           const struct gateway_transfer *transfer);
/* NULL is a no-op; clears. */
void gateway_client_delivery_free(struct gateway_client_delivery **delivery);

/* True for the end of a file that an earlier run of the daemon registered: its id means something
 * only to the gateway of that time. It must not begin before gateway_client_delivery_identify. */
bool gateway_client_delivery_is_held(const struct gateway_client_delivery *delivery);
/* The gateway of that time was `instance`. No-op for all others. */
void gateway_client_delivery_identify(struct gateway_client_delivery *delivery, uint32_t instance);

/* Begins, or begins anew for another instance of the gateway, with the first call that is due to
 * it: SEND, or DONE if there is nothing to tell. */
void gateway_client_delivery_begin(struct gateway_client_delivery *delivery,
                                   const struct gateway_client_delivery_target *target,
                                   struct gateway_client_delivery_decision *decision);
/* What came back for the call that was due. */
void gateway_client_delivery_replied(struct gateway_client_delivery *delivery,
                                     const struct gateway_client_delivery_target *target,
                                     const struct gateway_client_reply *reply,
                                     struct gateway_client_delivery_decision *decision);

/* REGISTER: how long it may wait beyond now; 0: it is to be given up. The time that it was queued
 * behind others while those were answered does not count: before its first post, `patience_ms` runs
 * from the gateway's last answer (`answered_ms`; 0: there was none). */
uint64_t gateway_client_delivery_left_ms(const struct gateway_client_delivery *delivery,
                                         uint64_t patience_ms, uint64_t answered_ms,
                                         uint64_t now_ms);
/* REGISTER: gives it up, DONE. */
void gateway_client_delivery_expire(struct gateway_client_delivery *delivery,
                                    const struct gateway_client_delivery_target *target,
                                    struct gateway_client_delivery_decision *decision);

#endif
