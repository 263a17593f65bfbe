/* A file coming in, from its first bytes to its report. Owner: the context's thread. */
#ifndef TRANSFER_INCOMING_H
#define TRANSFER_INCOMING_H

#include "base/err.h"
#include "gateway/gateway_ops.h"
#include "store/commit/request.h"
#include "store/inbox/inbox.h"
#include "store/inbox/partial_file.h"
#include "transfer/transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct transfer_incoming;

/* Those attached to a session; the session's. One takes itself out when it leaves. */
struct transfer_incoming_list {
    TAILQ_HEAD(, transfer_incoming) head;
    unsigned count;
    uint64_t begun;          /* so many since the session's start */
    uint64_t received_bytes; /* of their content, since then */
};

enum transfer_incoming_phase {
    INCOMING_REGISTERING,
    INCOMING_OPEN,
    INCOMING_COMMITTING,
    INCOMING_DISCARDING,
    INCOMING_REPORTING,
    INCOMING_MARKING,
};

/* What had come when a file was judged last, and when bytes of its own came last. */
struct transfer_stall_window {
    uint64_t start_ms, session_bytes;
    uint64_t own_bytes, own_ms;
};

struct transfer_incoming {
    uint32_t magic;
    enum transfer_incoming_phase phase;
    TAILQ_ENTRY(transfer_incoming) link;
    struct transfer_incoming_list *list; /* NULL: not in a session any more */
    struct transfer_context *context;
    const struct transfer_news *news;
    void *session;
    int32_t file_id;
    uint32_t journal_id; /* ours; the transfer's own becomes the gateway's */
    uint32_t size_bytes;
    bool is_whole; /* the last byte has come: it can fail no more by what the peer does */
    bool is_failed;
    int64_t started_us;                  /* real time, for the journal */
    uint64_t begun_us;                   /* clock_boot_us */
    uint64_t number;                     /* as the session's list counts */
    uint64_t progress_ms;                /* when progress was told last */
    struct transfer_stall_window window; /* for the stall limit */
    struct inbox_partial_file file;
    struct gateway_transfer transfer;
    struct commit_request commit;
    char *idurl; /* escaped copy: it may outlive its session */
    char path[INBOX_PATH_SIZE];
};

/* Starts an incoming file at its first frame: chooses its name, makes the partial file, registers
 * it and puts it into `list`. ERR_NO_MEMORY: nothing was begun. Whatever else goes wrong is told by
 * `news`, perhaps before this returns: look it up by its id then. */
enum err transfer_incoming_new(struct transfer_context *context, const struct transfer_peer *peer,
                               const struct transfer_news *news, void *session,
                               struct transfer_incoming_list *list, int32_t file_id,
                               uint32_t size_bytes);

/* Appends what came. ERR_TOO_LARGE: more than announced; others from the disk. On an error the
 * caller fails the file. When the last byte is written the file goes to the committer. */
enum err transfer_incoming_write(struct transfer_incoming *in, const void *bytes, size_t length);

/* True while the peer may still send bytes of it. */
bool transfer_incoming_is_receiving(const struct transfer_incoming *in);

/* For the session to ask about once a second, while the peer may send bytes of it. True: it has had
 * [sessions] stall-window-s and brought too little ([sessions] stall-bytes-per-s): the caller fails
 * it. With `is_read` false something that the peer sent was left unread, and the file is not slow
 * by itself. */
bool transfer_incoming_is_late(struct transfer_incoming *in, bool is_read);

/* It is our side that holds the session up: the file's time begins anew. */
void transfer_incoming_hold(struct transfer_incoming *in);

/* The peer or our side gives the file up; it leaves its session and goes its own way out.
 * Only while receiving. */
void transfer_incoming_fail(struct transfer_incoming *in, const char *reason);

/* The session goes, the file stays: for one whose last byte has come. */
void transfer_incoming_detach(struct transfer_incoming *in);

#endif
