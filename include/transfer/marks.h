/* How much of a file the peer has acknowledged. A mark is a sample (offset in the session's byte
 * stream, bytes of the file before it); the marks map acknowledged bytes of the stream to progress
 * of the file. Pure. */
#ifndef TRANSFER_MARKS_H
#define TRANSFER_MARKS_H

#include <stdbool.h>
#include <stdint.h>

enum { TRANSFER_MARKS_MAX = 32 };

struct transfer_mark {
    uint64_t at;    /* offset in the stream */
    uint32_t bytes; /* of the file, before it */
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
