/* The interface of a gateway: the callbacks of BitDust's gateway as a struct of functions. The
 * built-in gateway implements it in this process, a remote one over XML-RPC. Callers use the
 * functions of gateway.h, which keep a transfer with the gateway that registered it.
 *
 * Called from any thread. Strings belong to the caller; a gateway copies them. No function blocks.
 * Calls with a non-const transfer return ERR_OK when they are complete, or ERR_PENDING: then
 * transfer->request is returned as a message, exactly once. Until then the gateway accesses only
 * the request and transfer->registration, the caller only the rest. Any other code: rejected.
 */
#ifndef GATEWAY_GATEWAY_OPS_H
#define GATEWAY_GATEWAY_OPS_H

#include "base/address.h"
#include "base/err.h"
#include "base/transfer_id.h"
#include "gateway/event.h"
#include "loop/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

enum gateway_transfer_status { GATEWAY_TRANSFER_FINISHED, GATEWAY_TRANSFER_FAILED };
/* "finished", "failed": BitDust's words. */
const char *gateway_transfer_status_word(enum gateway_transfer_status status);

/* A remote gateway's ids are XML-RPC ints. */
enum { GATEWAY_TRANSFER_ERROR_SIZE = 128, GATEWAY_ID_MAX = INT32_MAX };

struct gateway_binding;

/* What a register call that was ERR_PENDING came to. */
struct gateway_registration {
    uint32_t transfer_id;
    bool is_registered;
    uint32_t instance;
};

/* One file on its way, from its registration to its result. Lives in the transport's stream; one
 * call at a time. */
struct gateway_transfer {
    struct request request; /* first: the way back of a call that was ERR_PENDING */
    /* the question; a gateway reads the strings during the call only */
    const char *proto;
    char host[ADDRESS_TEXT_SIZE]; /* the address dialled, or the source address of one accepted */
    const char *asked_host;       /* sending only: where to, as the requester wrote it */
    const char *idurl;            /* the other side's, escaped; "" if unknown */
    const char *filename;    /* absolute path: final name of a received file, or the sent one */
    const char *description; /* sending only; may be NULL */
    uint64_t session;
    uint64_t request_id; /* sending only: of the send request; 0: nobody asked over control */
    uint64_t size_bytes;
    uint64_t done_bytes;
    uint64_t acknowledged_bytes; /* sending: of done_bytes, when it was looked at last */
    bool is_sending;
    bool is_single; /* of send_file_single: never registered */
    enum gateway_transfer_status status;
    char error[GATEWAY_TRANSFER_ERROR_SIZE]; /* "" when finished; escaped */
    /* the answer of a register call */
    uint32_t transfer_id; /* the gateway's; before, and if it has none for it, ours */
    bool is_registered;   /* false: the gateway does not know it, it is not unregistered */
    /* the gateway's own notes, zero at first */
    const struct gateway_binding *binding; /* that registered it */
    uint32_t instance;                     /* of a remote gateway: which one since its first init */
    /* the gateway's until the request is back: the file is listed and cancelled meanwhile, by our
     * id */
    struct gateway_registration registration;
};

/* Any thread. The event of `kind` that tells of this transfer as it is now, with its status for the
 * kinds that end one; NULL without memory. Transports emit it, so that it is the same under every
 * gateway. */
struct event *gateway_transfer_event(enum event_kind kind, const struct gateway_transfer *transfer);

struct gateway_ops {
    const char *name; /* "built-in" */
    void (*transport_initialized)(void *self, const char *proto);
    void (*receiving_started)(void *self, const char *proto, const char *host);
    /* `error` is a sentence about `e`. */
    void (*receiving_failed)(void *self, const char *proto, enum err e, const char *error);
    void (*disconnected)(void *self, const char *proto, const char *result);
    enum err (*register_file_sending)(void *self, struct gateway_transfer *transfer);
    enum err (*register_file_receiving)(void *self, struct gateway_transfer *transfer);
    /* The end of a registered file coming in: unregister_file_receiving. ERR_CLOSED, also as the
     * late answer: not reported, stays unreported. */
    enum err (*receiving_ended)(void *self, struct gateway_transfer *transfer);
    /* The end of every file going out, registered or not: unregister_file_sending, or
     * cancelled_file_sending for one that failed before it was registered, and file_result. Nobody
     * waits for the answer. */
    void (*sending_ended)(void *self, const struct gateway_transfer *transfer);
    /* True while the queue of the gateway is full: no new transfers should be started. */
    bool (*is_full)(void *self);
};

#endif
