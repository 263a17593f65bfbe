/* The session struct, and what all parts of a session use: state, reason of its end, timer, and the
 * events that end it. Events are fed to the state machine here; its table is in session.c. Each
 * part of a session includes only those above it in this list:
 *
 *   link, writer, send_queue, silence
 *              independent of the session struct
 *   core       this file
 *   limits     checks of the peer's identity, frames and files against the settings
 *   aborted    incoming files that were aborted
 *   handshake  hello and wazap
 *   files      file transfer while CONNECTED
 *   io         connecting, reading and writing
 *   time       timeouts
 *   session    the table and its actions, the turn, creation and destruction
 *
 * Owner of all of it: the session's worker. */
#ifndef TCP_SESSION_CORE_H
#define TCP_SESSION_CORE_H

#include "base/address.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/automat.h"
#include "gateway/transport_ops.h"
#include "loop/loop.h"
#include "peers/bandwidth.h"
#include "tcp/context.h"
#include "tcp/session/link.h"
#include "tcp/session/send_queue.h"
#include "tcp/session/silence.h"
#include "tcp/session/writer.h"
#include "transfer/incoming.h"
#include "transfer/outgoing.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#define SESSION_CORE_MAGIC 0x636f6e6eu /* "conn" */

enum {
    SESSION_REASON_MAX = 95, /* bytes of a session's reason that are kept */
};

/* Enum name, printed name. The machine is drawn in session.h. */
#define SESSION_STATES(X)          \
    X(ST_AT_STARTUP, "AT_STARTUP") \
    X(ST_CLIENT, "CLIENT?")        \
    X(ST_SERVER, "SERVER?")        \
    X(ST_CONNECTED, "CONNECTED")   \
    X(ST_DISCONNECT, "DISCONNECT") \
    X(ST_CLOSED, "CLOSED")

#define SESSION_EVENTS(X)                    \
    X(EV_CONNECTION_MADE, "connection-made") \
    X(EV_DATA_RECEIVED, "data-received")     \
    X(EV_SEND_KEEP_ALIVE, "send-keep-alive") \
    X(EV_TIMER_10SEC, "timer-10sec")         \
    X(EV_DISCONNECT, "disconnect")           \
    X(EV_CONNECTION_LOST, "connection-lost")

enum session_state {
#define X(name, text) name,
    SESSION_STATES(X)
#undef X
        ST_COUNT
};
enum session_event {
#define X(name, text) name,
    SESSION_EVENTS(X)
#undef X
        EV_COUNT
};

struct session;
struct session_aborted;

/* Calls from a session to its worker. */
struct session_callbacks {
    /* Schedules the session for the next turn. */
    void (*run_again)(void *worker, struct session *c);
    /* Schedules the session for the next bandwidth tick, ahead of sessions that `has_moved`
     * bytes in their last turn. */
    void (*throttled)(void *worker, struct session *c, bool has_moved);
    /* CLOSED: the worker frees the session after the turn. */
    void (*closed)(void *worker, struct session *c);
    /* No session with `host` could be established, for `reason` (a host_request has it in
     * `error`): the request tries the next address of its host, or fails. */
    void (*route_next)(void *worker, struct send_request *send, const char *host,
                       const char *reason);
    void (*route_host_next)(void *worker, struct host_request *r);
    void (*connection_done)(void *worker); /* an outgoing connect succeeded: connection-done */
};

/* State of a session in DISCONNECT. */
struct session_linger {
    uint64_t decided_ms; /* when DISCONNECT was entered */
    bool is_running;     /* everything sent is acknowledged; the timer limits the peer's close */
};

/* There can be many sessions, most of them idle: rarely used state is allocated on demand, and
 * small members are grouped to avoid padding. */
struct session {
    uint32_t magic;
    bool is_outgoing;
    bool is_connecting;    /* connect(2) is in progress: AT_STARTUP */
    bool is_single;        /* opened for send_file_single: ends when no file is left */
    bool is_draining;      /* accepts no new files, ends when the active ones have finished */
    bool is_scheduled;     /* in the worker's list for the next turn */
    bool is_shut;          /* our end of file has been sent */
    bool is_ending;        /* `disconnect` has been fed */
    bool has_small_frames; /* the last read held many small frames */
    bool was_open;         /* has been CONNECTED */
    bool is_limited_in;    /* its last turn was cut short by a receive limit */
    bool is_limited_out;
    bool is_due;         /* its timer has fired, to be handled in its next turn */
    bool is_evicting;    /* dropped in its next turn unless that reads its hello */
    bool is_throttled;   /* in the worker's list of sessions that wait for bandwidth */
    bool is_peer_gone;   /* not closed by the peer but by an error: files fail with the reason */
    bool is_ack_pending; /* sent bytes may still be unacknowledged */
    struct automat automat;
    struct tcp_context *context;
    uint64_t id;
    struct address peer; /* dialled, or source */
    struct address
        route; /* announced and verified: sends to it use this session; else ADDRESS_NONE */
    struct session_link link;
    struct watch watch; /* of the link's socket */
    struct timer
        timer;       /* handshake timeout, then file checks and keep-alive, then linger timeout */
    char *idurl;     /* of the peer, escaped; NULL: none */
    char *announced; /* as announced, escaped; NULL: none, unusable, or same as `route` */
    char *reason;    /* of its end, for log and events; NULL: not ending */
    struct frame_decoder decoder;
    struct session_writer writer;
    struct transfer_incoming_list incoming;
    struct transfer_outgoing_list outgoing;
    struct session_send_queue waiting; /* sends not started yet */
    STAILQ_HEAD(, message) waiters;    /* connect_to requests */
    int32_t next_file_id;
    int32_t current_file_id; /* of the data frame being read */
    unsigned aborted_count;  /* incoming files that were aborted, less ABORTED_PER_S */
    struct session_aborted
        *aborted;              /* files whose sender has not confirmed our abort; NULL: none yet */
    uint64_t aborted_since_ms; /* time of the last decrease of aborted_count */
    int files_left; /* files that can begin; negative: reading is paused until the rate allows them
                     */
    uint64_t received_bytes;
    struct peers_bandwidth_session bandwidth;
    uint64_t opened_us; /* clock_boot_us */
    uint64_t activity_ms;
    uint64_t received_ms; /* when the last bytes were received */
    struct session_silence silence;
    struct session_linger linger;
    TAILQ_ENTRY(session) list_link; /* all of a worker */
    STAILQ_ENTRY(session) turn_link;
    STAILQ_ENTRY(session) reap_link;
    UT_hash_handle hh; /* by id, in its worker */
};

/* Schedules the session's turn: in this loop turn if it has not run yet, else in the next. */
void session_core_wake(struct session *c);

/* Only the first reason is kept. */
void session_core_set_reason(struct session *c, const char *reason);
/* "" if none is set. */
const char *session_core_reason(const struct session *c);

enum session_state session_core_state(const struct session *c);

/* Feeds disconnect; later calls are no-ops. Before connection-made the session's next turn frees
 * it. */
void session_core_disconnect(struct session *c, const char *reason);
/* The connection is closed or failed: feeds connection-lost. */
void session_core_connection_lost(struct session *c, const char *reason);
/* Closes the connection at once, without abort frames and linger. */
void session_core_drop(struct session *c, const char *reason);

/* Call after queueing a frame for the peer, with the result of that: wakes the session, or
 * disconnects it on an error (ERR_NO_MEMORY). */
void session_core_queued(struct session *c, enum err e);

void session_core_set_timer(struct session *c, uint64_t delay_ms);

/* Makes the timer fire within `max_ms`; an earlier deadline stays. */
void session_core_check_soon(struct session *c, uint64_t max_ms);

/* How many of the sent bytes the peer's kernel has acknowledged. One system call. */
uint64_t session_core_acknowledged(const struct session *c);

/* True if the peer's announced address was verified, so that sends to it use this session. */
bool session_core_is_routed(const struct session *c);

/* True while the gateway's queue or the disk's pending unlinks are at their limit: the session is
 * not read, and its peer's timeouts do not run. */
bool session_core_is_backpressured(const struct session *c);

void session_core_log(enum log_level level, const struct session *c, const char *what);

#endif
