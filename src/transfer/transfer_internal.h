/* Private to incoming.c and outgoing.c. */
#ifndef TRANSFER_TRANSFER_INTERNAL_H
#define TRANSFER_TRANSFER_INTERNAL_H

#include "transfer/transfer.h"

enum { TRANSFER_PROGRESS_MS = 1000 }; /* interval of a file's progress events */

/* Fills in a new transfer, with the next transfer id. */
void transfer_fill(struct gateway_transfer *t, struct transfer_context *context,
                   const struct transfer_peer *peer, const char *idurl, message_fn *on_answer);

void transfer_set_failed(struct gateway_transfer *t, const char *reason);

/* Emits an event of `kind` with the transfer's current state. */
void transfer_emit(struct transfer_context *context, enum event_kind kind,
                   struct gateway_transfer *t);

#endif
