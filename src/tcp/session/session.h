/* clang-format off */
/* One TCP session: the state machine tcp_connection. Owner: one worker, for life.
 *
 *               incoming                   outgoing
 *                   \      AT_STARTUP      /            a socket, nothing sent yet
 *             connection-made      connection-made
 *                    v                   v
 *                 SERVER?             CLIENT?
 *            waits for the hello    has sent its hello, waits for the wazap
 *                    |   data-received   |
 *                    +---> CONNECTED <---+              files go both ways
 *                    |         |         |
 *   timer-10sec, disconnect,   | disconnect, a bad frame
 *   an unexpected frame        |         |
 *                    v         v         v
 *                    +---> DISCONNECT <--+              queued frames are sent and received bytes are
 *                              |                        discarded until the peer closes
 *                              |
 *                              v connection-lost, in any state
 *                           CLOSED                      freed by the worker after the turn
 */
/* clang-format on */
#ifndef TCP_SESSION_SESSION_H
#define TCP_SESSION_SESSION_H

#include "base/address.h"
#include "engine/automat.h"
#include "gateway/transport_ops.h"
#include "loop/loop.h"
#include "tcp/session/send_queue.h"
#include "tcp/session/silence.h"
#include "tcp/tcp_stream.h"
#include "tcp/writer.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

/* Enum name, printed name. */
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

enum {
    SESSION_ABORTED_MAX = 40, /* ids of files given up whose sender may go on */
};

struct session;
STAILQ_HEAD(tcp_message_list, message);

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

/* Most sessions never have one. */
struct session_aborted {
    uint64_t last_ms; /* when the last one was added */
    unsigned count;
    int32_t ids[SESSION_ABORTED_MAX];
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
    bool is_connecting; /* connect(2) is under way: AT_STARTUP */
    bool is_single;     /* opened for send_file_single: ends when it has nothing to do */
    bool is_draining;   /* takes no new files and ends when those under way are through */
    bool is_unfinished; /* in the worker's list for the next turn */
    bool is_shut;       /* our end of file is out */
    bool is_ending;     /* told to end: `disconnect` has been fed */
    bool can_read;      /* not read until EAGAIN since it was ready */
    bool can_write;
    bool has_small_frames; /* what came last was many small frames */
    bool was_open;         /* CONNECTED once */
    bool is_short_in;      /* of bandwidth, in its last turn */
    bool is_short_out;
    bool is_due;         /* its timer has fired, and its turn has not come */
    bool is_giving_way;  /* to a newcomer, if there is no hello to be read */
    bool is_throttled;   /* in the worker's list of those that wait for bandwidth */
    bool has_peer_ended; /* end of file or reset was announced: read to the end */
    bool is_peer_gone;   /* lost without a word of the peer's: files fail with the reason */
    bool is_owed;        /* bytes went out of which we do not know that they were acknowledged */
    struct automat automat;
    struct tcp_home *home;
    uint64_t id;
    struct address peer;  /* dialled, or source */
    struct address route; /* announced and verified: sends to it come here; else ADDRESS_NONE */
    struct watch watch;
    struct timer timer; /* the handshake's deadline, then the check of files and keep-alive, then
                           the linger's end */
    char *idurl;        /* of the peer, escaped; NULL: none */
    char *announced;    /* as announced, escaped; NULL: nothing usable, or it is `route` */
    char *reason;       /* why it ends, for log and events; NULL: it does not */
    struct frame_decoder decoder;
    struct tcp_writer writer;
    struct tcp_incoming_list incoming;
    struct tcp_outgoing_list outgoing;
    struct session_send_queue waiting; /* sends whose turn has not come */
    struct tcp_message_list awaiters;  /* connect_to requests */
    int32_t next_file_id;
    int32_t present_file_id; /* of the data frame being read */
    unsigned given_up_count; /* incoming files that came to nothing, less what was forgiven */
    struct session_aborted *dropped; /* files given up whose sender may go on; NULL: none yet */
    uint64_t given_up_since_ms;      /* up to when forgiven */
    int files_left; /* that may begin; below 0: a debt, reading waits until it is paid */
    uint64_t received_bytes;
    uint64_t received_file_bytes; /* of them, bytes of files that were taken */
    struct peers_bandwidth_session bandwidth;
    uint64_t opened_us; /* clock_boot_us */
    uint64_t activity_ms;
    uint64_t heard_ms; /* when the peer said something last */
    struct session_silence silence;
    struct session_linger linger;
    TAILQ_ENTRY(session) link; /* all of a worker */
    STAILQ_ENTRY(session) turn_link;
    STAILQ_ENTRY(session) grave_link;
    UT_hash_handle hh; /* by id, in its worker */
};

extern const struct automat_kind session_kind;

/* All in the worker's thread. */

/* A session over `fd`, accepted: taken over, closed on failure too. Its place in the directory is
 * the session's from here. */
enum err session_accept(struct session **out, struct tcp_home *home, uint64_t id, int fd,
                        const struct address *peer);

/* A session to be: connects without waiting. Whatever comes of it is told later, also a refusal
 * that is known at once. */
enum err session_dial(struct session **out, struct tcp_home *home, uint64_t id,
                      const struct address *peer);

/* After CLOSED, when the turn is over. */
void session_free(struct session **c);

/* The next turn of one that said `unfinished`. */
void session_turn(struct session *c);

/* Takes the request; its outcome is answered through it. */
void session_files_send(struct session *c, struct send_request *send);
void session_await(struct session *c, struct host_request *r);

void session_core_disconnect(struct session *c, const char *reason);
/* Ends as soon as no file is under way. */
void session_drain(struct session *c);
/* Makes place for a newcomer: lost without a word, unless its hello is read in its next turn. */
void session_limits_evict(struct session *c);
/* Lost at once, without a word: the daemon ends. */
void session_core_drop(struct session *c, const char *reason);
bool session_keep_alive(struct session *c);
/* The home's settings are new: what runs on a timer looks again. */
void session_settings_changed(struct session *c);

/* Cancels every file that `r` describes; true if there was one. */
bool session_files_cancel_sending(struct session *c, const struct cancel_request *r);
bool session_files_cancel_receiving(struct session *c, uint32_t transfer_id);

/* How many of the bytes that were sent the peer's kernel has acknowledged. One system call. */
uint64_t session_core_acknowledged(const struct session *c);

void session_describe(const struct session *c, struct session_info *out);
enum session_state session_core_state(const struct session *c);

#endif
