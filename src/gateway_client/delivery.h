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
#define GATE_CALL_LIST(X)                                     \
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

enum gate_call {
#define X(name, method) name,
    GATE_CALL_LIST(X)
#undef X
        CALL_NONE
};
const char *gate_call_method(enum gate_call call);

enum gate_job_kind {
    JOB_NOTICE,   /* one of the first four calls; they go out one by one, in order */
    JOB_REGISTER, /* its transfer waits for the id */
    JOB_END,      /* of a transfer */
};

enum gate_text {
    TEXT_PROTO,
    TEXT_HOST,
    TEXT_ASKED_HOST,
    TEXT_IDURL,
    TEXT_FILENAME,
    TEXT_DESCRIPTION,
    TEXT_ERROR,
    GATE_TEXT_COUNT
};

/* In this order they get a connection: files wait for what is registered. The ends of files take
 * only a part of the connections, and of that what had no answer before only a part again: so calls
 * that hang hold up no other. */
enum gate_rank { RANK_FIRST, RANK_END, RANK_REPEAT, GATE_RANK_COUNT };
enum { GATE_ENDS_MAX = GATE_CONNECTIONS - 2, GATE_REPEATS_MAX = GATE_CONNECTIONS / 2 };

struct gate_job {
    struct message message; /* first */
    uint32_t magic;
    TAILQ_ENTRY(gate_job) link;
    struct gate *gate;
    enum gate_job_kind kind;
    enum gate_call call;               /* that is to be made now */
    struct gateway_transfer *transfer; /* comes back with the answer; NULL: nobody waits */
    bool is_away;                      /* in gate->away, not in a queue */
    bool is_sent;                      /* was on the wire */
    bool is_out;                       /* is on it, counted in gate->out[rank] */
    enum gate_rank rank;               /* as which it went out */
    bool is_sending, is_single, is_registered;
    uint32_t instance; /* of the gateway that registered it */
    uint32_t transfer_id;
    uint64_t request_id, size_bytes, done_bytes;
    enum transfer_status status;
    unsigned faults;     /* of the present call */
    uint64_t rest_ms;    /* the last pause after no answer */
    struct timer rest;   /* until the next try */
    struct timer expiry; /* of a registration: patience */
    size_t text_bytes;
    const char *text[GATE_TEXT_COUNT]; /* each may be NULL; they stand behind the struct */
    char bytes[];
};
TAILQ_HEAD(gate_job_list, gate_job);

/* Any thread. NULL without memory. The strings are copied. */
struct gate_job *gate_job_new(enum gate_job_kind kind, const char *const text[GATE_TEXT_COUNT]);
struct gate_job *gate_job_of(enum gate_job_kind kind, const struct gateway_transfer *transfer);

/* Sets the first call of a job, or for a new instance of the gateway the first that is due again;
 * CALL_NONE: there is nothing to tell. */
void gate_job_begin(struct gate_job *job);
/* What came back for the present call. */
void gate_job_replied(struct gate_job *job, const struct gate_reply *reply);
/* Patience is over. */
void gate_job_expired(struct gate_job *job);

#endif
