/* What incoming and outgoing files of every transport share: their context, the peer's description,
 * and the callbacks to the transport's session. Independent of sockets and frames. Owner: the
 * thread of the context's loop. A transfer can outlive its session: a completely received file is
 * still committed and reported.
 *
 * At most one request of a transfer is in flight at a time:
 *
 *   incoming   REGISTERING -> OPEN -> COMMITTING -> REPORTING -> MARKING -> freed
 *              (bytes are accepted in REGISTERING and OPEN; a failed file has DISCARDING instead of
 *              COMMITTING, and no MARKING)
 *   outgoing   REGISTERING -> SENDING -> OK_AWAITED -> freed
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

/* What the transfers of one thread share. The thread's owner fills it in, initialises `ids`, and
 * calls committer_turn_end for `commits` at the end of each turn. */
struct transfer_context {
    const char *proto; /* of the transport; static */
    struct loop *loop;
    const struct settings *settings; /* current; read for the timeouts */
    struct gateway *gateway;
    struct event_sink *events;
    struct inbox *inbox;
    struct committer *committer;
    struct committer_turn commits; /* submitted during this turn */
    struct transfer_ids_pool ids;
    unsigned transfers; /* existing ones, attached or detached */
    unsigned discards;  /* of these, aborted ones whose partial file is being removed */
};

/* True if the context is unused and can be freed: no transfer, no request for ids. */
bool transfer_is_idle(const struct transfer_context *context);

/* True while the gateway's queue or the pending removals of partial files are at their limit: no
 * session should be read. */
bool transfer_is_backpressured(const struct transfer_context *context);

/* The session and peer of a transfer. */
struct transfer_peer {
    uint64_t session;
    struct address address;
    const char *idurl; /* escaped, "" if unknown */
};

/* Callbacks from a transfer to its session, given at creation, called in the context's thread. All
 * but `sendable` and `acknowledged` are the last for that transfer, which is detached already. */
struct transfer_callbacks {
    /* The file is committed: send ok. */
    void (*committed)(void *session, int32_t file_id);
    /* Our side aborted an incoming file (disk error): send an abort. */
    void (*refused)(void *session, int32_t file_id, const char *reason);
    /* Registration failed, the gateway is unavailable: send an abort and close the session. */
    void (*gateway_lost)(void *session, int32_t file_id, const char *reason);
    /* Registered, or exempt from registration: its frames can be sent. */
    void (*sendable)(void *session);
    /* An outgoing file's registration failed. */
    void (*unsendable)(void *session);
    /* Returns how many of the session's sent bytes the peer's kernel has acknowledged. */
    uint64_t (*acknowledged)(void *session);
};

#endif
