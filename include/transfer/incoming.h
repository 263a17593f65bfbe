/* An incoming file, from its first frame to its report. Owner: the context's thread. */
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

/* The incoming files attached to a session, which owns the list. A file removes itself when it is
 * detached. */
struct transfer_incoming_list {
    TAILQ_HEAD(, transfer_incoming) head;
    unsigned count;
    uint64_t begun;          /* number of files since the session's start */
    uint64_t received_bytes; /* of file content since the session's start */
};

enum transfer_incoming_phase {
    INCOMING_REGISTERING,
    INCOMING_OPEN,
    INCOMING_COMMITTING,
    INCOMING_DISCARDING,
    INCOMING_REPORTING,
    INCOMING_MARKING,
};

/* Bytes received at the last stall check, and when the file's own were received last. */
struct transfer_stall_window {
    uint64_t start_ms, session_bytes;
    uint64_t own_bytes, own_ms;
};

struct transfer_incoming {
    uint32_t magic;
    enum transfer_incoming_phase phase;
    TAILQ_ENTRY(transfer_incoming) link;
    struct transfer_incoming_list *list; /* NULL: detached from its session */
    struct transfer_context *context;
    const struct transfer_callbacks *callbacks;
    void *session;
    int32_t file_id;
    uint32_t journal_id; /* ours; transfer.transfer_id becomes the gateway's */
    uint32_t size_bytes;
    bool is_complete; /* the last byte was received: the peer can no longer make it fail */
    bool is_failed;
    int64_t started_us;                  /* real time, for the journal */
    uint64_t begun_us;                   /* clock_boot_us */
    uint64_t number;                     /* position in the session's list, 1-based */
    uint64_t progress_ms;                /* of the last progress event */
    struct transfer_stall_window window; /* for the stall limit */
    struct inbox_partial_file file;
    struct gateway_transfer transfer;
    struct commit_request commit;
    char *idurl; /* escaped; a copy, since the file can outlive its session */
    char path[INBOX_PATH_SIZE];
};

/* Starts an incoming file at its first frame: creates the partial file, registers the transfer and
 * adds it to `list`. ERR_NO_MEMORY: nothing was begun. Any other failure is reported by
 * `callbacks`, possibly before this returns: look the file up in `list` by its id afterwards. */
enum err transfer_incoming_new(struct transfer_context *context, const struct transfer_peer *peer,
                               const struct transfer_callbacks *callbacks, void *session,
                               struct transfer_incoming_list *list, int32_t file_id,
                               uint32_t size_bytes);

/* Appends received bytes. ERR_TOO_LARGE: more than announced; other errors are the disk's. On an
 * error the caller fails the file. With the last byte the file is passed to the committer. */
enum err transfer_incoming_write(struct transfer_incoming *in, const void *bytes, size_t length);

/* True until the last byte was received or the file failed. */
bool transfer_incoming_is_receiving(const struct transfer_incoming *in);

/* The session's check once a second, while receiving. True: below [sessions] stall-bytes-per-s for
 * [sessions] stall-window-s; the caller fails the file. `is_read` false: our side left input
 * unread, so the file is not counted as stalled. */
bool transfer_incoming_is_stalled(struct transfer_incoming *in, bool is_read);

/* Our side blocks the session: restarts the stall window. */
void transfer_incoming_restart_timeout(struct transfer_incoming *in);

/* Aborts the file: detaches it from its session, then discards and reports it. Only while
 * receiving. */
void transfer_incoming_fail(struct transfer_incoming *in, const char *reason);

/* Detaches a completely received file from its ending session; it is still committed and reported.
 */
void transfer_incoming_detach(struct transfer_incoming *in);

#endif
