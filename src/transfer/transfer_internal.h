/* What both directions share, and nobody else may see. */
#ifndef TRANSFER_TRANSFER_INTERNAL_H
#define TRANSFER_TRANSFER_INTERNAL_H

#include "transfer/transfer.h"

#include <stddef.h>

enum { TRANSFER_PROGRESS_MS = 1000 }; /* progress is told once a second and file */

/* The struct around a member; the magic number is checked by whoever asks. */
#define AROUND(member_pointer, type, member) \
    ((type *)(void *)((char *)(member_pointer)-offsetof(type, member)))

/* What a transfer is from its beginning; takes the next transfer id. */
void transfer_fill(struct gateway_transfer *t, struct transfer_context *context,
                   const struct transfer_peer *peer, const char *idurl, message_fn *on_answer);

void transfer_set_failed(struct gateway_transfer *t, const char *reason);

/* The event of `kind` for this transfer as it is now. */
void transfer_tell(struct transfer_context *context, enum event_kind kind,
                   struct gateway_transfer *t);

#endif
