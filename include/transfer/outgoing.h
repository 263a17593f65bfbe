/* An outgoing file, from its start to its result. The session reads its bytes here and sends them.
 * Owner: the context's thread. */
#ifndef TRANSFER_OUTGOING_H
#define TRANSFER_OUTGOING_H

#include "base/err.h"
#include "gateway/event.h"
#include "gateway/gateway.h"
#include "gateway/gateway_ops.h"
#include "gateway/transport_ops.h"
#include "store/outbox/outbox.h"
#include "transfer/marks.h"
#include "transfer/transfer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct transfer_outgoing;

/* The outgoing files attached to a session, which owns the list, in round-robin order. A file
 * removes itself when it is detached. */
struct transfer_outgoing_list {
    TAILQ_HEAD(, transfer_outgoing) head;
    unsigned count;
    uint64_t begun; /* number of files since the session's start */
};

enum transfer_outgoing_phase {
    OUTGOING_REGISTERING,
    OUTGOING_SENDING,
    OUTGOING_OK_AWAITED,
};

struct transfer_outgoing {
    uint32_t magic;
    enum transfer_outgoing_phase phase;
    TAILQ_ENTRY(transfer_outgoing) link;
    struct transfer_outgoing_list *list; /* NULL: detached from its session */
    struct transfer_context *context;
    const struct transfer_callbacks *callbacks;
    void *session;
    int32_t file_id;
    uint32_t own_id; /* ours; transfer.transfer_id becomes the gateway's */
    bool is_begun;   /* a frame was sent: a failure needs an abort frame */
    bool is_settled; /* every later change would be detected (outbox_settles_in_ms) */
    bool is_failed;
    uint64_t begun_us; /* clock_boot_us */
    uint64_t number;   /* position in the session's list, 1-based */
    uint64_t progress_ms;
    uint64_t last_byte_ms; /* when the last byte was written */
    uint64_t
        end_at; /* offset in the session's stream after the last byte: an ok before it is false */
    struct transfer_marks marks; /* by offset in the session's stream */
    struct outbox_file file;
    struct gateway_transfer transfer;
    struct send_request *send; /* NULL once answered */
    char *idurl;
};

/* Opens the file, registers the transfer and adds it to `list`. Takes ownership of `send`, which is
 * always answered: at once, with the reason, if the file cannot be sent. */
void transfer_outgoing_new(struct transfer_context *context, const struct transfer_peer *peer,
                           const struct transfer_callbacks *callbacks, void *session,
                           struct transfer_outgoing_list *list, int32_t file_id,
                           struct send_request *send);

/* The next file of the list that can be read now; NULL: none. A file that was just changed can be
 * read only later: `settle_ms` is lowered to the time until then (0: none). */
struct transfer_outgoing *transfer_outgoing_next(struct transfer_outgoing_list *list,
                                                 uint64_t *settle_ms);

/* Size of the next frame's data, at most `max`; 0 for an empty file, which needs a frame too. */
uint32_t transfer_outgoing_next_bytes(const struct transfer_outgoing *out, uint32_t max);

/* Reads the next `bytes` of the file. On an error (as outbox_read) the caller fails it. */
enum err transfer_outgoing_read(struct transfer_outgoing *out, void *to, uint32_t bytes);

/* Records that the bytes read last are queued for the peer and end at offset `at` of the session's
 * stream. After the last byte the file is closed and its ok awaited. Moves the file to the end of
 * the list. */
void transfer_outgoing_sent(struct transfer_outgoing *out, uint32_t bytes, uint64_t at);

/* True: no ok for [sessions] ok-timeout-s after the last byte; the caller fails the file. */
bool transfer_outgoing_is_timed_out(const struct transfer_outgoing *out);

/* Our side blocks the session: restarts the ok timeout. */
void transfer_outgoing_restart_timeout(struct transfer_outgoing *out);

/* The ok was received, or the file failed: detaches it from its session, reports and frees it (a
 * failed one that is being registered: after that). */
void transfer_outgoing_finish(struct transfer_outgoing *out);
void transfer_outgoing_fail(struct transfer_outgoing *out, const char *reason);

/* Any thread. Fails a send that did not become a transfer: notifies the gateway, answers `send`. */
void transfer_outgoing_fail_send(struct gateway *gateway, struct event_sink *events,
                                 struct send_request *send, const char *host, const char *reason);

/* Any thread. True if `r` selects the send: by transfer id (`transfer_id`; 0: none yet), by send
 * id, or by host and file name; the host as given with the send, which can differ from the
 * session's address. */
bool transfer_outgoing_matches(const struct cancel_request *r, const struct send_request *send,
                               uint32_t transfer_id);

#endif
