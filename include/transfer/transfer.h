/* What the files on their way have in common, whichever transport carries them: the context that
 * they live in, what the transport tells them of the peer, and what they tell the transport's
 * session. Knows no socket and no frame. Owner: the thread of the context's loop; a transfer may
 * outlive its session (a file whose last byte has come is committed and reported all the same).
 *
 * Each transfer does one thing at a time, so at most one of its requests is under way:
 *
 *   incoming   REGISTERING -> OPEN -> COMMITTING -> REPORTING -> MARKING -> gone
 *              (bytes are taken in REGISTERING and OPEN; a failure goes by DISCARDING instead of
 *              COMMITTING, and is not marked in the journal)
 *   outgoing   REGISTERING -> SENDING -> OK_AWAITED -> gone
 */
#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

#include "base/address.h"
#include "gateway/event.h"
#include "gateway/gateway.h"
#include "gateway/transport_ops.h"
#include "loop/loop.h"
#include "settings/settings.h"
#include "store/commit/committer.h"
#include "store/inbox/inbox.h"
#include "transfer/ids.h"

#include <stdbool.h>
#include <stdint.h>

/* What the transfers of one thread share. Whose thread it is fills it in, opens `ids`, and calls
 * committer_turn_end for `commits` at the end of each turn. */
struct transfer_context {
    const char *proto; /* of the transport; static */
    struct loop *loop;
    const struct settings *settings; /* as they are now; the limits of time are read */
    struct gateway *gateway;
    struct event_sink *events;
    struct inbox *inbox;
    struct committer *committer;
    struct committer_turn commits; /* handed in during this turn */
    struct transfer_ids_pool ids;
    unsigned transfers; /* alive, with or without a session */
    unsigned discards;  /* of them, how many were aborted and wait for their partial file to go */
};

/* True when nothing needs the context any more: no transfer, no request for ids. */
bool transfer_is_idle(const struct transfer_context *context);

/* More files in or out would mean more calls for a gateway, or more unlinks for a disk, that has
 * too many waiting already: no session should be read. */
bool transfer_is_backpressured(const struct transfer_context *context);

/* What a transfer must know of its session. */
struct transfer_peer {
    uint64_t session;
    struct address address;
    const char *idurl; /* escaped, "" if unknown */
};

/* News from a transfer to its session, given at creation, in the context's thread. All but
 * `sendable` are the last that the session hears of that transfer: it has left already. */
struct transfer_news {
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

#endif
