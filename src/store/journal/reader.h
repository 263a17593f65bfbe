/* Streams the records of a journal. Uses pread, so the descriptor can be shared with the writer. */
#ifndef STORE_JOURNAL_READER_H
#define STORE_JOURNAL_READER_H

#include "base/err.h"
#include "store/journal/record.h"

#include <stdint.h>

struct journal_entry {
    struct journal_record record;
    uint64_t offset; /* start of its line */
    uint32_t length; /* including its line feed */
};

/* The range that was read. */
struct journal_extent {
    uint64_t end;     /* of the last whole line */
    unsigned damaged; /* lines skipped */
    uint64_t first_damaged_offset;
};

/* `entry` is valid until the function returns. */
typedef enum err journal_entry_fn(void *ctx, const struct journal_entry *entry);

/* Calls `each` for the records of `fd` in order, from offset `from`, which must be the start of a
 * line, up to `limit`. Damaged lines are skipped; a last line without a line feed is ignored. Stops
 * at the first error, its own or that of `each`, and returns it. `out` can be NULL; it is filled in
 * on errors too. */
enum err journal_reader_each(int fd, uint64_t from, uint64_t limit, journal_entry_fn *each,
                             void *ctx, struct journal_extent *out);

#endif
