/* A block of transfer ids, 1 to TRANSFER_ID_MAX. A reserved block is not handed out again until it
 * is returned, and later runs skip ids that may still be unreported. */
#ifndef STORE_JOURNAL_TRANSFER_IDS_H
#define STORE_JOURNAL_TRANSFER_IDS_H

#include "base/transfer_id.h"

#include <stdint.h>

enum { TRANSFER_IDS_BLOCK = 65536 };

/* Empty if `next == end`. */
struct transfer_ids {
    uint32_t next, end;
};

#endif
