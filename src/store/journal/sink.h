/* Buffered writer of records to a file. One owner thread at a time. */
#ifndef STORE_JOURNAL_SINK_H
#define STORE_JOURNAL_SINK_H

#include "base/err.h"
#include "store/journal/record.h"

#include <stddef.h>
#include <stdint.h>

enum { JOURNAL_SINK_SIZE = 256 * 1024 };

struct journal_sink {
    int fd;
    uint32_t version; /* file format: JOURNAL_VERSION, or that of an older file */
    uint64_t size;    /* written to the file */
    size_t buffered_bytes;
    char buffer[JOURNAL_SINK_SIZE];
};

/* Takes ownership of the descriptor. NULL if out of memory: the caller keeps it. */
struct journal_sink *journal_sink_new(int fd, uint64_t size);
void journal_sink_free(struct journal_sink **sink);

/* Appends at journal_sink_end_offset. Writes the buffer when it is full. */
enum err journal_sink_put(struct journal_sink *sink, const struct journal_record *record);
enum err journal_sink_put_number(struct journal_sink *sink, enum journal_record_kind kind,
                                 uint32_t number);
enum err journal_sink_flush(struct journal_sink *sink);
uint64_t journal_sink_end_offset(const struct journal_sink *sink); /* including buffered bytes */

#endif
