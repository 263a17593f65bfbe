/* How much of a file the peer has acknowledged: offsets in the session's byte stream, and how many
 * of the file's bytes precede each. Pure. */
#ifndef TRANSFER_MARKS_H
#define TRANSFER_MARKS_H

#include <stdbool.h>
#include <stdint.h>

enum { TRANSFER_MARKS_MAX = 32 };

struct transfer_mark {
    uint64_t at;
    uint32_t bytes;
};
/* Initialised with zeros. */
struct transfer_marks {
    unsigned count;
    uint32_t spacing_bytes;
    uint32_t passed_bytes;
    struct transfer_mark marks[TRANSFER_MARKS_MAX];
};

/* `at` and `bytes` must not decrease. The last mark of a file is always kept. */
void transfer_marks_add(struct transfer_marks *marks, uint64_t at, uint32_t bytes, bool is_last);
/* How many bytes of the file precede offset `at`, rounded down to a mark. `at` must not decrease.
 */
uint32_t transfer_marks_passed(struct transfer_marks *marks, uint64_t at);

#endif
