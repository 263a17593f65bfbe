/* A block of transfer ids, 1 to 99,999,999, that nobody else is given before it is given back, and
 * no run after this one uses while a report under one of them may be owed. */
#ifndef STORE_JOURNAL_TRANSFER_IDS_H
#define STORE_JOURNAL_TRANSFER_IDS_H

#include <stdint.h>

enum { TRANSFER_IDS_BLOCK = 65536 };

/* `next == end` is an empty one. */
struct transfer_ids {
    uint32_t next, end;
};

#endif
