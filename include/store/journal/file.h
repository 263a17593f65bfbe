/* What the journal says of one received file. */
#ifndef STORE_JOURNAL_FILE_H
#define STORE_JOURNAL_FILE_H

#include "base/address.h"
#include "store/name.h"

#include <stdint.h>

enum { JOURNAL_FILE_PROTO_SIZE = 16 };

/* Strings are the holder's. */
struct journal_file {
    uint32_t transfer_id; /* ours: by it the journal knows the file */
    uint32_t gateway_id;  /* a remote gateway's, to which it is owed; 0: none's */
    struct address peer;
    uint64_t size_bytes;
    int64_t started_us, committed_us; /* real time */
    char name[STORE_NAME_SIZE];
    const char *proto; /* of the transport that it came by, "tcp"; shorter than the size above */
    const char *idurl; /* escaped; "" if unknown */
};

#endif
