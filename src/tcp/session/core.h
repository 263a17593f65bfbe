/* The session itself, and what all its parts use: its state, why it ends, its timer, and the events
 * that end it. Events are fed to the machine here; its table is in session.c. Each part of a
 * session includes only those above it here:
 *
 *   link, writer, send_queue, silence
 *              know no session
 *   core       this
 *   limits     what the peer may not do
 *   aborted    incoming files that were aborted
 *   handshake  hello and wazap
 *   files      what the session does with files while CONNECTED
 *   io         connecting, reading and writing
 *   time       what follows when the timer fires
 *   session    the table and its actions, the turn, creation and end
 *
 * Owner: the session's worker, as of everything in these parts. */
#ifndef TCP_SESSION_CORE_H
#define TCP_SESSION_CORE_H

#include "base/address.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/automat.h"
#include "gateway/transport_ops.h"
#include "loop/loop.h"
#include "peers/bandwidth.h"
#include "tcp/home.h"
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

/* What a session needs from its worker beyond tcp_home. */
struct session_news {
    /* Runs again in the next turn. */
    void (*unfinished)(void *worker, struct session *c);
    /* Runs again when there may be bandwidth: before those that `has_moved` something. */
    void (*throttled)(void *worker, struct session *c, bool has_moved);
    /* CLOSED: to be freed after the turn. */
    void (*closed)(void *worker, struct session *c);
    /* The session with `host` never came to life, for `reason`: its sends and those who asked for
     * it (their `error` says why) are to try the next address of their host, or fail. */
    void (*route_on)(void *worker, struct send_request *send, const char *host, const char *reason);
    void (*route_host_on)(void *worker, struct host_request *r);
    void (*connected_out)(void *worker); /* an outgoing connect succeeded: connection-done */
};

/* How a session in DISCONNECT ends. */
struct session_linger {
    uint64_t decided_ms; /* when the end was decided */
    bool is_running;     /* the peer has all of ours; the timer is its time to close */
};

/* There may be many, most of them idle: what few need stands elsewhere, small things stand
 * together.
 */
struct session {
    uint32_t magic;
    bool is_outgoing;
    bool is_connecting;    /* connect(2) is under way: AT_STARTUP */
    bool is_single;        /* opened for send_file_single: ends when it has nothing to do */
    bool is_draining;      /* takes no new files and ends when those under way are through */
    bool is_unfinished;    /* in the worker's list for the next turn */
    bool is_shut;          /* our end of file is out */
    bool is_ending;        /* told to end: `disconnect` has been fed */
    bool has_small_frames; /* what came last was many small frames */
    bool was_open;         /* CONNECTED once */
    bool is_short_in;      /* of bandwidth, in its last turn */
    bool is_short_out;
    bool is_due;        /* its timer has fired, and its turn has not come */
    bool is_giving_way; /* to a newcomer, if there is no hello to be read */
    bool is_throttled;  /* in the worker's list of those that wait for bandwidth */
    bool is_peer_gone;  /* lost without a word of the peer's: files fail with the reason */
    bool is_owed;       /* bytes went out of which we do not know that they were acknowledged */
    struct automat automat;
    struct tcp_home *home;
    uint64_t id;
    struct address peer;  /* dialled, or source */
    struct address route; /* announced and verified: sends to it come here; else ADDRESS_NONE */
    struct session_link link;
    struct watch watch; /* of the link's socket */
    struct timer timer; /* the handshake's deadline, then the check of files and keep-alive, then
                           the linger's end */
    char *idurl;        /* of the peer, escaped; NULL: none */
    char *announced;    /* as announced, escaped; NULL: nothing usable, or it is `route` */
    char *reason;       /* why it ends, for log and events; NULL: it does not */
    struct frame_decoder decoder;
    struct session_writer writer;
    struct transfer_incoming_list incoming;
    struct transfer_outgoing_list outgoing;
    struct session_send_queue waiting; /* sends whose turn has not come */
    STAILQ_HEAD(, message) awaiters;   /* connect_to requests */
    int32_t next_file_id;
    int32_t present_file_id; /* of the data frame being read */
    unsigned given_up_count; /* incoming files that came to nothing, less what was forgiven */
    struct session_aborted *dropped; /* files given up whose sender may go on; NULL: none yet */
    uint64_t given_up_since_ms;      /* up to when forgiven */
    int files_left; /* that may begin; below 0: a debt, reading waits until it is paid */
    uint64_t received_bytes;
    struct peers_bandwidth_session bandwidth;
    uint64_t opened_us; /* clock_boot_us */
    uint64_t activity_ms;
    uint64_t heard_ms; /* when the peer said something last */
    struct session_silence silence;
    struct session_linger linger;
    TAILQ_ENTRY(session) list_link; /* all of a worker */
    STAILQ_ENTRY(session) turn_link;
    STAILQ_ENTRY(session) grave_link;
    UT_hash_handle hh; /* by id, in its worker */
};

/* The session runs once more when the mail of this turn is delivered. */
void session_core_wake(struct session *c);

/* The first reason given is kept. */
void session_core_set_reason(struct session *c, const char *reason);
/* "" if there is none. */
const char *session_core_reason(const struct session *c);

enum session_state session_core_state(const struct session *c);

/* Its end. */

/* Feeds disconnect, once. Before connection-made: the session's next turn frees it. */
void session_core_disconnect(struct session *c, const char *reason);
/* The socket is of no more use: feeds connection-lost. */
void session_core_lose(struct session *c, const char *reason);
/* Lost at once, without a word: the daemon ends. */
void session_core_drop(struct session *c, const char *reason);

/* After something was queued for the peer: wakes the session, or ends it if there was no memory. */
void session_core_must(struct session *c, enum err e);

void session_core_set_timer(struct session *c, uint64_t delay_ms);

/* Limits and an unread socket are checked within `most_ms`, though the timer may be set for a
 * keep-alive that is far off. */
void session_core_check_soon(struct session *c, uint64_t most_ms);

/* How many of the bytes that were sent the peer's kernel has acknowledged. One system call. */
uint64_t session_core_acknowledged(const struct session *c);

/* True if sends to an announced address come here. */
bool session_core_is_routed(const struct session *c);

/* More files in or out would mean more calls for a gateway, or more unlinks for a disk, that has
 * too many waiting already: the session is not read, and its peer is not late. */
bool session_core_is_backpressured(const struct session *c);

void session_core_log(enum log_level level, const struct session *c, const char *what);

#endif
