/* Requests to the committer. */
#ifndef STORE_COMMIT_REQUEST_H
#define STORE_COMMIT_REQUEST_H

#include "loop/mailbox.h"
#include "store/inbox/partial_file.h"
#include "store/journal/file.h"
#include "store/journal/transfer_ids.h"

enum commit_kind {
    COMMIT_FILE,     /* file -> final name; the descriptor is closed on any outcome */
    COMMIT_DISCARD,  /* close and unlink a partial file */
    COMMIT_REPORTED, /* the gateway has received the report of record.transfer_id */
    COMMIT_IDS,      /* reserves a new block in `ids`, returns the block `ids_back` */
};

/* Owned by the requester again once answered. The strings of `record` must stay valid until then.
 */
struct commit_request {
    struct request request;
    enum commit_kind kind;
    struct inbox_partial_file file; /* FILE, DISCARD */
    struct journal_file record;     /* FILE: all of it; REPORTED: transfer_id */
    struct transfer_ids ids;        /* IDS */
    struct transfer_ids ids_back;   /* IDS: a block with no id in use, or empty */
};

#endif
