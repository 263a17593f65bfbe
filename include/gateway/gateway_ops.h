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

/* The result of a register call that was ERR_PENDING. */
struct gateway_registration {
    uint32_t transfer_id;
    bool is_registered;
    uint32_t instance;
};

/* One file transfer, from its registration to its result. Embedded in the transport's stream; at
 * most one pending call. */
struct gateway_transfer {
    struct request request; /* first: returns a call that was ERR_PENDING */
    /* arguments; a gateway reads the strings during the call only */
    const char *proto;
    char host[ADDRESS_TEXT_SIZE]; /* the address dialled, or the source address if accepted */
    const char *asked_host;       /* sending only: where to, as the requester wrote it */
    const char *idurl;            /* the peer's, escaped; "" if unknown */
    const char *filename;    /* absolute path of the sent file, or final path of the received one */
    const char *description; /* sending only; may be NULL */
    uint64_t session;
    uint64_t request_id; /* sending only: of the send request; 0: none */
    uint64_t size_bytes;
    uint64_t done_bytes;
    uint64_t acknowledged_bytes; /* sending: part of done_bytes, at the last poll */
    bool is_sending;
    bool is_single; /* send_file_single: never registered */
    enum gateway_transfer_status status;
    char error[GATEWAY_TRANSFER_ERROR_SIZE]; /* "" when finished; escaped */
    /* result of a register call */
    uint32_t transfer_id; /* the gateway's; ours until registered, or if it has none */
    bool is_registered;   /* false: unknown to the gateway, not unregistered */
    /* private to the gateway, initially zero */
    const struct gateway_binding *binding; /* the one that registered it */
    uint32_t instance;                     /* remote gateway: its instance, counted by init */
    /* owned by the gateway until the request completes; the file is listed and cancelled by our id
     * until then */
    struct gateway_registration registration;
};

/* Any thread. An event of `kind` with the transfer's current state, for the ..._ENDED kinds with
 * status and error; NULL: out of memory. Emitted by the transports, independent of the gateway. */
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
    /* The end of a registered incoming file: unregister_file_receiving. ERR_CLOSED, also as the
     * late answer: not reported, stays unreported. */
    enum err (*receiving_ended)(void *self, struct gateway_transfer *transfer);
    /* The end of every outgoing file, registered or not: unregister_file_sending, or
     * cancelled_file_sending for one that failed before it was registered, and file_result. No
     * result is returned. */
    void (*sending_ended)(void *self, const struct gateway_transfer *transfer);
    /* True while the queue of the gateway is full: no new transfers should be started. */
    bool (*is_full)(void *self);
};

#endif
