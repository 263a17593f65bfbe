/* One file on its way through a session, in or out: what it is, how far it got, and its way through
 * gateway, store and result. Knows no socket. Owner: the worker; a stream may outlive its session
 * (a file whose last byte has come is committed and reported all the same).
 *
 * Each stream does one thing at a time, so at most one of its requests is under way:
 *
 *   incoming   REGISTERING -> OPEN -> COMMITTING -> REPORTING -> MARKING -> gone
 *              (bytes are taken in REGISTERING and OPEN; a failure goes by DISCARDING instead of
 *              COMMITTING, and is not marked in the journal)
 *   outgoing   REGISTERING -> SENDING -> OK_AWAITED -> gone
 */
#ifndef TCP_TCP_STREAM_H
#define TCP_TCP_STREAM_H

#include "base/address.h"
#include "base/err.h"
#include "gateway/event.h"
#include "gateway/gateway.h"
#include "gateway/transport_ops.h"
#include "loop/loop.h"
#include "peers/bandwidth.h"
#include "settings/settings.h"
#include "store/commit/committer.h"
#include "store/inbox/inbox.h"
#include "store/outbox/outbox.h"
#include "tcp/directory.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct tcp_incoming;
struct tcp_outgoing;

/* The streams attached to a session; the session's. A stream takes itself out when it leaves. */
struct tcp_incoming_list {
    TAILQ_HEAD(, tcp_incoming) head;
    unsigned count;
    uint64_t begun; /* so many since the session's start */
};
struct tcp_outgoing_list {
    TAILQ_HEAD(, tcp_outgoing) head;
    unsigned count;
    uint64_t begun;
};

/* A block of transfer ids, and how many streams have one of them. */
struct tcp_ids {
    SLIST_ENTRY(tcp_ids) link;
    struct transfer_ids block; /* from the first that was given to the end */
    unsigned live;
};

/* What the sessions and streams of one worker share. The worker's. */
struct tcp_home {
    struct loop *loop;
    unsigned worker;
    const struct session_news *news; /* what the sessions tell, and to whom */
    void *news_to;
    bool is_serving; /* takes new sessions and sends */
    struct settings settings;
    struct tcp_directory *directory;
    struct gateway *gateway;
    struct event_sink *events;
    struct inbox *inbox;
    struct committer *committer;
    struct peers_bandwidth bandwidth;
    struct committer_turn commits; /* handed in during this turn */
    struct transfer_ids ids;       /* what is left of the block in use */
    SLIST_HEAD(, tcp_ids) ids_used;
    struct commit_request more_ids;
    bool is_asking_ids;
    unsigned streams;  /* alive, with or without a session */
    unsigned discards; /* of them, how many came to nothing and wait for their partial file to go */
    uint8_t *scratch;  /* room for one turn of reading, or of writing; nothing stays in it */
    size_t scratch_size;
};

/* News from a stream to its session, given at creation, in the worker's thread. All but `sendable`
 * are the last that the session hears of that stream: it has left already. */
struct tcp_stream_news {
    /* The file is committed: tell the peer. */
    void (*committed)(void *session, int32_t file_id);
    /* An incoming file was given up by our side (disk): tell the peer. */
    void (*refused)(void *session, int32_t file_id, const char *reason);
    /* The gateway could not be asked: the session that brings the file is to be closed. */
    void (*gateway_lost)(void *session, int32_t file_id, const char *reason);
    /* Registered, or free to go without: its frames can be sent. */
    void (*sendable)(void *session);
    /* An outgoing file's registration failed. */
    void (*unsendable)(void *session);
    /* Not news but a question: how many of the session's bytes the peer's machine has. */
    uint64_t (*acknowledged)(void *session);
};

enum tcp_incoming_phase {
    INCOMING_REGISTERING,
    INCOMING_OPEN,
    INCOMING_COMMITTING,
    INCOMING_DISCARDING,
    INCOMING_REPORTING,
    INCOMING_MARKING,
};

/* What had come when a file was judged last, and when bytes of its own came last. */
struct tcp_stall_window {
    uint64_t start_ms, session_bytes;
    uint64_t own_bytes, own_ms;
};

struct tcp_incoming {
    uint32_t magic;
    enum tcp_incoming_phase phase;
    TAILQ_ENTRY(tcp_incoming) link;
    struct tcp_incoming_list *list; /* NULL: not in a session any more */
    struct tcp_home *home;
    const struct tcp_stream_news *news;
    void *session;
    int32_t file_id;
    uint32_t journal_id; /* ours; the transfer's own becomes the gateway's */
    uint32_t size_bytes;
    bool is_whole; /* the last byte has come: it can fail no more by what the peer does */
    bool is_failed;
    int64_t started_us;             /* real time, for the journal */
    uint64_t begun_us;              /* clock_boot_us */
    uint64_t number;                /* as the session's list counts */
    uint64_t progress_ms;           /* when progress was told last */
    struct tcp_stall_window window; /* for the stall limit */
    struct inbox_partial_file file;
    struct gateway_transfer transfer;
    struct commit_request commit;
    char *idurl; /* escaped copy: the stream may outlive its session */
    char path[INBOX_PATH_SIZE];
};

/* What a stream must know of its session. */
struct tcp_peer {
    uint64_t session;
    struct address address;
    const char *idurl; /* escaped, "" if unknown */
};

/* Starts an incoming file at its first frame: chooses its name, makes the partial file, registers
 * it and puts it into `list`. ERR_NO_MEMORY: nothing was begun. Whatever else goes wrong is told by
 * `news`, perhaps before this returns: look it up by its id then. */
enum err tcp_incoming_new(struct tcp_home *home, const struct tcp_peer *peer,
                          const struct tcp_stream_news *news, void *session,
                          struct tcp_incoming_list *list, int32_t file_id, uint32_t size_bytes);

/* Appends what came. ERR_TOO_LARGE: more than announced; others from the disk. On an error the
 * caller fails the file. When the last byte is written the file goes to the committer. */
enum err tcp_incoming_write(struct tcp_incoming *in, const void *bytes, size_t length);

/* True while the peer may still send bytes of it. */
bool tcp_incoming_is_receiving(const struct tcp_incoming *in);

/* The peer or our side gives the file up; the stream leaves its session and goes its own way out.
 * Only while receiving. */
void tcp_incoming_fail(struct tcp_incoming *in, const char *reason);

/* The session goes, the file stays: for one whose last byte has come. */
void tcp_incoming_detach(struct tcp_incoming *in);

/* Places in a session's stream of bytes, and how many of a file's bytes lie before each. */
enum { TCP_MARKS = 32 };
struct tcp_mark {
    uint64_t at;
    uint32_t bytes;
};
struct tcp_marks {
    unsigned count;
    uint32_t spacing_bytes;
    uint32_t passed_bytes;
    struct tcp_mark marks[TCP_MARKS];
};
/* In order of both. The last one of a file is always kept. */
void tcp_marks_add(struct tcp_marks *marks, uint64_t at, uint32_t bytes, bool is_last);
/* How many bytes of the file lie before `at`, or a few less. `at` never goes back. */
uint32_t tcp_marks_passed(struct tcp_marks *marks, uint64_t at);

enum tcp_outgoing_phase {
    OUTGOING_REGISTERING,
    OUTGOING_SENDING,
    OUTGOING_OK_AWAITED,
};

struct tcp_outgoing {
    uint32_t magic;
    enum tcp_outgoing_phase phase;
    TAILQ_ENTRY(tcp_outgoing) link;
    struct tcp_outgoing_list *list; /* NULL: not in a session any more */
    struct tcp_home *home;
    const struct tcp_stream_news *news;
    void *session;
    int32_t file_id;
    uint32_t own_id; /* ours; the transfer's own becomes the gateway's */
    bool is_begun;   /* a frame of it went out: a failure is told to the peer */
    bool is_settled; /* no change of the file can stay unseen (outbox_settles_in_ms) */
    bool is_failed;
    uint64_t begun_us; /* clock_boot_us */
    uint64_t number;   /* as the session's list counts */
    uint64_t progress_ms;
    uint64_t whole_ms;      /* when the last byte was handed over */
    uint64_t whole_at;      /* the writer's sent_bytes from which on an ok can be true */
    uint64_t offset;        /* bytes in frames begun */
    struct tcp_marks marks; /* by the writer's sent_bytes */
    struct outbox_file file;
    struct gateway_transfer transfer;
    struct send_request *send; /* NULL once answered */
    char *idurl;
};

/* Opens the file, registers it and puts it into `list`. Takes `send` over, which is answered in any
 * case: at once, with the reason, if the file cannot be sent. */
void tcp_outgoing_new(struct tcp_home *home, const struct tcp_peer *peer,
                      const struct tcp_stream_news *news, void *session,
                      struct tcp_outgoing_list *list, int32_t file_id, struct send_request *send);

/* `bytes` more of it are in a frame, which ends at `at` of the session's bytes. */
void tcp_outgoing_sent(struct tcp_outgoing *out, uint32_t bytes, uint64_t at);

/* The end, either way. The stream leaves its session. */
void tcp_outgoing_finish(struct tcp_outgoing *out);
void tcp_outgoing_fail(struct tcp_outgoing *out, const char *reason);

/* Any thread. A send that never became a stream: the gateway is told and the request answered. */
void tcp_send_fail(struct gateway *gateway, struct event_sink *events, struct send_request *send,
                   const char *host, const char *reason);

/* Any thread. True for a send that `r` describes: by the transfer that it has become (0: none yet),
 * by its id, or by host and file; the host as it came with the send, for a name or an announced
 * address is not what the session shows. */
bool tcp_send_is_asked_for(const struct cancel_request *r, const struct send_request *send,
                           uint32_t transfer_id);

/* The next transfer id of ours; 0 if the journal could not reserve any more. It is its stream's
 * until it is given back: a block of ids goes back to the journal, and to others when all ids have
 * been used once, only when no stream has one of them. */
uint32_t tcp_home_next_id(struct tcp_home *home);
void tcp_home_id_back(struct tcp_home *home, uint32_t id);

/* At the worker's end. */
void tcp_home_free_ids(struct tcp_home *home);

#endif
