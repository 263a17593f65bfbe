/* How far the peer has a file: places in its session's stream of bytes, and how many of the file's
 * bytes lie before each. Pure. */
#ifndef TRANSFER_MARKS_H
#define TRANSFER_MARKS_H

#include <stdbool.h>
#include <stdint.h>

enum { TRANSFER_MARKS_MAX = 32 };

struct transfer_mark {
    uint64_t at;
    uint32_t bytes;
};
/* All zero at first. */
struct transfer_marks {
    unsigned count;
    uint32_t spacing_bytes;
    uint32_t passed_bytes;
    struct transfer_mark marks[TRANSFER_MARKS_MAX];
};

/* In order of both. The last one of a file is always kept. */
void transfer_marks_add(struct transfer_marks *marks, uint64_t at, uint32_t bytes, bool is_last);
/* How many bytes of the file lie before `at`, or a few less. `at` never goes back. */
uint32_t transfer_marks_passed(struct transfer_marks *marks, uint64_t at);

#endif
