/* Records on their way into a file. Its holder's. */
#ifndef STORE_JOURNAL_SINK_H
#define STORE_JOURNAL_SINK_H

#include "base/err.h"
#include "store/journal/record.h"

#include <stddef.h>
#include <stdint.h>

enum { SINK_SIZE = 256 * 1024 };

struct sink {
    int fd;
    uint64_t size; /* written */
    size_t held;
    char buffer[SINK_SIZE];
};

/* The descriptor becomes the sink's. NULL when there is no memory: then it is still the caller's.
 */
struct sink *sink_new(int fd, uint64_t size);
void sink_free(struct sink **sink);

/* At sink_end. Writes what is held when there is no more room. */
enum err sink_put(struct sink *sink, const struct record *record);
enum err sink_put_number(struct sink *sink, enum record_kind kind, uint32_t number);
enum err sink_flush(struct sink *sink);
uint64_t sink_end(const struct sink *sink); /* with what is held */

#endif
