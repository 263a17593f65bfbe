/* What the previous run left in the inbox; counted once, at open. */
#ifndef STORE_INBOX_RECOVERY_H
#define STORE_INBOX_RECOVERY_H

#include <stdint.h>

struct inbox_recovery {
    unsigned partial_files; /* removed */
    uint64_t partial_bytes;
    unsigned unreported_finished, unreported_failed; /* reports the gateway has not received */
    unsigned damaged_records;                        /* skipped */
    unsigned written_again;                          /* files rewritten after a power cut */
};

#endif
