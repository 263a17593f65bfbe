/* What only the gate's files share. All of it belongs to the gate thread, but what says otherwise.
 *
 *   gate.c        the thread and its queues
 *   gate_ops.c    the gateway_ops, which post to it
 *   gate_job.c    a job: what is to be told, call after call, and what an answer means
 *   gate_calls.c  the calls as XML-RPC documents
 *   gate_http.c   curl_multi in our loop */
#ifndef CONTROL_GATE_PRIV_H
#define CONTROL_GATE_PRIV_H

#include "control/gate.h"
#include "control/xmlrpc.h"
#include "loop/loop.h"

#include <stdatomic.h>
#include <sys/queue.h>

/* --- gate_http.c: one POST and its answer ------------------------------------------------------
 */
struct gate_http;

enum gate_outcome {
    GATE_ANSWERED,    /* HTTP 200 with a body */
    GATE_NO_ANSWER,   /* late, hung up, or what is no answer: `problem` says which */
    GATE_UNREACHABLE, /* nobody listens there */
};
struct gate_reply {
    enum gate_outcome outcome;
    const char *body;
    size_t length;
    const char *problem; /* a sentence, if it was not answered */
};
/* Not called for a post that was cancelled. May post again. */
typedef void gate_reply_fn(void *ctx, void *cookie, const struct gate_reply *reply);

enum err gate_http_open(struct gate_http **out, struct loop *loop, uint64_t timeout_ms,
                        gate_reply_fn *replied, void *ctx);
void gate_http_close(struct gate_http **http);
/* After gate_http_cancel_all: where the posts go from now on. */
enum err gate_http_aim(struct gate_http *http, const char *url);
bool gate_http_has_room(const struct gate_http *http);
bool gate_http_is_idle(const struct gate_http *http);
/* Takes over `document` (malloc) in any case. Only while there is room. */
enum err gate_http_post(struct gate_http *http, char *document, size_t length, void *cookie);
void gate_http_cancel(struct gate_http *http, const void *cookie);
void gate_http_cancel_all(struct gate_http *http);

/* --- jobs --------------------------------------------------------------------------------------
 */

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

/* gate_calls.c. The present call as a document in malloc'ed memory. */
enum err gate_job_write(const struct gate_job *job, char **out, size_t *length);

struct gate_shut {
    struct message message; /* first */
    uint64_t grace_ms;
};

/* --- gate.c ------------------------------------------------------------------------------------
 */
struct gate {
    struct settings settings;
    struct loop *loop;
    struct gate_http *http;
    bool has_url;
    bool has_file_result;
    uint32_t instance;
    struct gate_job_list ready[GATE_RANK_COUNT]; /* wait for a connection */
    struct gate_job_list notices;                /* wait for the notice before them */
    struct gate_job_list owed;                   /* of an earlier run: wait for init or connect */
    struct gate_job_list away;                   /* on the wire, or resting until the next try */
    bool is_notice_out;                          /* a notice is in `ready` or `away` */
    unsigned out[GATE_RANK_COUNT];               /* on the wire, by rank */
    bool is_paused, is_probing;                  /* nobody is there; one call tries */
    uint64_t pause_ms;
    uint64_t answered_ms; /* when the last answer came */
    struct timer pause, grace;
    struct gate_shut shut;
    bool is_shut, is_closed;
    struct request *idle;
    /* Atomic: posting threads count up, the gate counts down, and workers look at it for every
     * read; a mailbox could tell only what it holds itself. */
    atomic_size_t waiting;
    atomic_size_t waiting_bytes; /* their texts */
};

/* At it the gate is full, too: the queue-limit says how many, a description may have 64 KiB. */
enum { GATE_WAITING_BYTES_MAX = 64 << 20 };

/* Any thread. Takes the job over; it is counted as waiting from here on. */
void gate_post(struct gate *gate, struct gate_job *job);

/* To be tried again or to go on: at once, or after `delay_ms`. */
void gate_again(struct gate *gate, struct gate_job *job, uint64_t delay_ms);
/* Over, whatever came of it: answers its transfer and frees it. */
void gate_job_end(struct gate_job *job, enum err result);
/* Nobody answers there: nothing goes out for a while. */
void gate_unreachable(struct gate *gate, const char *problem);
/* Somebody has answered. */
void gate_reachable(struct gate *gate);

#endif
