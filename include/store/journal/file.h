/* The journal's data on one received file. */
#ifndef STORE_JOURNAL_FILE_H
#define STORE_JOURNAL_FILE_H

#include "base/address.h"
#include "store/name.h"

#include <stdint.h>

enum { JOURNAL_FILE_PROTO_SIZE = 16 };

/* Strings are owned by the holder. */
struct journal_file {
    uint32_t transfer_id; /* our id, the key in the journal */
    uint32_t gateway_id;  /* id given by the remote gateway that gets the report; 0: none */
    struct address peer;
    uint64_t size_bytes;
    int64_t started_us, committed_us; /* real time */
    char name[STORE_NAME_SIZE];
    const char *proto; /* receiving transport, e.g. "tcp"; fits JOURNAL_FILE_PROTO_SIZE */
    const char *idurl; /* escaped; "" if unknown */
};

#endif
