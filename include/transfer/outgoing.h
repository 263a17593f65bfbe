/* A file going out, from its turn to its result. The session asks for its bytes and sends them.
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

/* Those attached to a session, in the order of their turns; the session's. One takes itself out
 * when it leaves. */
struct transfer_outgoing_list {
    TAILQ_HEAD(, transfer_outgoing) head;
    unsigned count;
    uint64_t begun; /* so many since the session's start */
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
    struct transfer_outgoing_list *list; /* NULL: not in a session any more */
    struct transfer_context *context;
    const struct transfer_news *news;
    void *session;
    int32_t file_id;
    uint32_t own_id; /* ours; the transfer's own becomes the gateway's */
    bool is_begun;   /* a frame of it went out: a failure is told to the peer */
    bool is_settled; /* no change of the file can stay unseen (outbox_settles_in_ms) */
    bool is_failed;
    uint64_t begun_us; /* clock_boot_us */
    uint64_t number;   /* as the session's list counts */
    uint64_t progress_ms;
    uint64_t whole_ms;           /* when the last byte was handed over */
    uint64_t whole_at;           /* place in the session's bytes from which on an ok can be true */
    struct transfer_marks marks; /* by place in the session's bytes */
    struct outbox_file file;
    struct gateway_transfer transfer;
    struct send_request *send; /* NULL once answered */
    char *idurl;
};

/* Opens the file, registers it and puts it into `list`. Takes `send` over, which is answered in any
 * case: at once, with the reason, if the file cannot be sent. */
void transfer_outgoing_new(struct transfer_context *context, const struct transfer_peer *peer,
                           const struct transfer_news *news, void *session,
                           struct transfer_outgoing_list *list, int32_t file_id,
                           struct send_request *send);

/* The next of the list that can be read now; NULL: none. A file that was just changed can be read
 * only later: `settle_ms` becomes the least of its present value (0: none) and of what is left. */
struct transfer_outgoing *transfer_outgoing_next(struct transfer_outgoing_list *list,
                                                 uint64_t *settle_ms);

/* How many bytes come next, of `most` at most; 0 for an empty file, which is sent all the same. */
uint32_t transfer_outgoing_next_bytes(const struct transfer_outgoing *out, uint32_t most);

/* The next `bytes` of it, straight from the file. On an error (as outbox_read) the caller fails it.
 */
enum err transfer_outgoing_read(struct transfer_outgoing *out, void *to, uint32_t bytes);

/* What was read is promised to the peer: it ends at `at` of the session's bytes, with nothing of
 * another file begun before. With the last byte the file is closed, and its ok awaited; else the
 * others of the list have their turn first. */
void transfer_outgoing_sent(struct transfer_outgoing *out, uint32_t bytes, uint64_t at);

/* True: its ok has not come for [sessions] ok-timeout-s, and the caller fails it. */
bool transfer_outgoing_is_late(const struct transfer_outgoing *out);

/* It is our side that holds the session up: the time of its ok begins anew. */
void transfer_outgoing_hold(struct transfer_outgoing *out);

/* The end, either way. It leaves its session. */
void transfer_outgoing_finish(struct transfer_outgoing *out);
void transfer_outgoing_fail(struct transfer_outgoing *out, const char *reason);

/* Any thread. A send that never became a transfer: the gateway is told and the request answered. */
void transfer_outgoing_fail_send(struct gateway *gateway, struct event_sink *events,
                                 struct send_request *send, const char *host, const char *reason);

/* Any thread. True for a send that `r` describes: by the transfer that it has become (0: none yet),
 * by its id, or by host and file; the host as it came with the send, for a name or an announced
 * address is not what the session shows. */
bool transfer_outgoing_is_asked_for(const struct cancel_request *r, const struct send_request *send,
                                    uint32_t transfer_id);

#endif
