/* The records of a journal, streamed. Reads with pread, so that the descriptor may be the
 * writer's. */
#ifndef STORE_JOURNAL_READER_H
#define STORE_JOURNAL_READER_H

#include "base/err.h"
#include "store/journal/record.h"

#include <stdint.h>

struct journal_entry {
    struct journal_record record;
    uint64_t offset; /* where its line begins */
    uint32_t length; /* with its line feed */
};

/* What was gone through. */
struct journal_extent {
    uint64_t end;     /* of the last whole line */
    unsigned damaged; /* lines skipped */
    uint64_t first_damaged_offset;
};

/* What `entry` points to is valid until it returns. */
typedef enum err journal_entry_fn(void *ctx, const struct journal_entry *entry);

/* Calls `each` for the records of `fd` from `from` on, where a line begins, and before `most`, in
 * their order. Damaged lines are skipped, a last one without its line feed is taken for not there.
 * Ends at the first error, its own or that of `each`, and returns it. `out` may be NULL; it says
 * how far it came in any case. */
enum err journal_reader_each(int fd, uint64_t from, uint64_t most, journal_entry_fn *each,
                             void *ctx, struct journal_extent *out);

#endif
