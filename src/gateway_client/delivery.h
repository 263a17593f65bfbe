/* A job: what is to be told, call after call, and what an answer means. Belongs to the gate thread,
 * but what says otherwise. */
#ifndef GATEWAY_CLIENT_DELIVERY_H
#define GATEWAY_CLIENT_DELIVERY_H

#include "gateway/gateway_ops.h"
#include "gateway_client/client.h"
#include "gateway_client/http_pool.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* name, method */
#define GATEWAY_CLIENT_CALL_LIST(X)                           \
    X(CALL_TRANSPORT_INITIALIZED, "transport_initialized")    \
    X(CALL_RECEIVING_STARTED, "receiving_started")            \
    X(CALL_RECEIVING_FAILED, "receiving_failed")              \
    X(CALL_DISCONNECTED, "disconnected")                      \
    X(CALL_REGISTER_SENDING, "register_file_sending")         \
    X(CALL_REGISTER_RECEIVING, "register_file_receiving")     \
    X(CALL_UNREGISTER_SENDING, "unregister_file_sending")     \
    X(CALL_UNREGISTER_RECEIVING, "unregister_file_receiving") \
    X(CALL_CANCELLED_SENDING, "cancelled_file_sending")       \
    X(CALL_FILE_RESULT, "file_result")

enum gateway_client_call {
#define X(name, method) name,
    GATEWAY_CLIENT_CALL_LIST(X)
#undef X
        CALL_NONE
};
const char *gateway_client_delivery_method(enum gateway_client_call call);

enum gateway_client_delivery_kind {
    JOB_NOTICE,   /* one of the first four calls; they go out one by one, in order */
    JOB_REGISTER, /* its transfer waits for the id */
    JOB_END,      /* of a transfer */
};

enum gateway_client_text {
    TEXT_PROTO,
    TEXT_HOST,
    TEXT_ASKED_HOST,
    TEXT_IDURL,
    TEXT_FILENAME,
    TEXT_DESCRIPTION,
    TEXT_ERROR,
    GATEWAY_CLIENT_TEXT_COUNT
};

/* In this order they get a connection: files wait for what is registered. The ends of files take
 * only a part of the connections, and of that what had no answer before only a part again: so calls
 * that hang hold up no other. */
enum gateway_client_rank { RANK_FIRST, RANK_END, RANK_REPEAT, GATEWAY_CLIENT_RANK_COUNT };
enum {
    GATEWAY_CLIENT_ENDS_MAX = GATEWAY_CLIENT_CONNECTIONS - 2,
    GATEWAY_CLIENT_REPEATS_MAX = GATEWAY_CLIENT_CONNECTIONS / 2
};

struct gateway_client_delivery {
    struct message message; /* first */
    uint32_t magic;
    TAILQ_ENTRY(gateway_client_delivery) link;
    struct gateway_client *gate;
    enum gateway_client_delivery_kind kind;
    enum gateway_client_call call;     /* that is to be made now */
    struct gateway_transfer *transfer; /* comes back with the answer; NULL: nobody waits */
    bool is_away;                      /* in gate->away, not in a queue */
    bool is_sent;                      /* was on the wire */
    bool is_out;                       /* is on it, counted in gate->out[rank] */
    enum gateway_client_rank rank;     /* as which it went out */
    bool is_sending, is_single, is_registered;
    uint32_t instance; /* of the gateway that registered it */
    uint32_t transfer_id;
    uint64_t request_id, size_bytes, done_bytes;
    enum gateway_transfer_status status;
    unsigned faults;     /* of the present call */
    uint64_t rest_ms;    /* the last pause after no answer */
    struct timer rest;   /* until the next try */
    struct timer expiry; /* of a registration: patience */
    size_t text_bytes;
    const char
        *text[GATEWAY_CLIENT_TEXT_COUNT]; /* each may be NULL; they stand behind the struct */
    char bytes[];
};
TAILQ_HEAD(gate_job_list, gateway_client_delivery);

/* Any thread. NULL without memory. The strings are copied. */
struct gateway_client_delivery *
gateway_client_delivery_new(enum gateway_client_delivery_kind kind,
                            const char *const text[GATEWAY_CLIENT_TEXT_COUNT]);
struct gateway_client_delivery *gateway_client_delivery_of(enum gateway_client_delivery_kind kind,
                                                           const struct gateway_transfer *transfer);

/* Sets the first call of a job, or for a new instance of the gateway the first that is due again;
 * CALL_NONE: there is nothing to tell. */
void gateway_client_delivery_begin(struct gateway_client_delivery *job);
/* What came back for the present call. */
void gateway_client_delivery_replied(struct gateway_client_delivery *job,
                                     const struct gateway_client_reply *reply);
/* Patience is over. */
void gateway_client_delivery_expired(struct gateway_client_delivery *job);

#endif
