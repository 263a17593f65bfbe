#include "store/journal/reader.h"

#include "store/journal/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reader {
    int fd;
    uint64_t next_offset; /* start of the next line; at the end: end of the last complete line */
    uint64_t limit;       /* end of the range to read */
    size_t start, end;    /* unconsumed range of bytes[] */
    char bytes[4 * JOURNAL_RECORD_LINE_MAX];
};

enum line { LINE_RECORD, LINE_DAMAGED, LINE_END, LINE_UNREADABLE };

static struct reader *reader_new(int fd, uint64_t from, uint64_t limit)
{
    struct reader *reader = malloc(sizeof *reader);

    if (reader == NULL)
        return NULL;
    reader->fd = fd;
    reader->next_offset = from;
    reader->limit = limit;
    reader->start = reader->end = 0;
    return reader;
}

/* Appends more bytes to the buffer. False with errno 0 at the end. */
static bool fill(struct reader *reader)
{
    uint64_t at;
    size_t room;
    ssize_t count;

    if (reader->start > 0) {
        memmove(reader->bytes, reader->bytes + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    at = reader->next_offset + reader->end;
    room = sizeof reader->bytes - reader->end;
    errno = 0;
    if (at >= reader->limit)
        return false;
    if (room > reader->limit - at)
        room = (size_t)(reader->limit - at);
    do {
        count = pread(reader->fd, reader->bytes + reader->end, room, (off_t)at);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) {
        errno = count < 0 ? errno : 0;
        return false;
    }
    reader->end += (size_t)count;
    return true;
}

/* A line that exceeds the buffer is damaged: we never write one that long. Drops the buffered part.
 */
static void drop_held(struct reader *reader, bool *is_too_long)
{
    reader->next_offset += reader->end - reader->start;
    reader->start = reader->end = 0;
    *is_too_long = true;
}

static enum line next(struct reader *reader, struct journal_entry *out)
{
    bool is_too_long = false;
    size_t searched = 0, length;
    char *line, *end;

    out->offset = reader->next_offset;
    for (;;) {
        line = reader->bytes + reader->start;
        length = reader->end - reader->start;
        end = length > searched ? memchr(line + searched, '\n', length - searched) : NULL;
        if (end != NULL)
            break;
        searched = length;
        if (length >= JOURNAL_RECORD_LINE_MAX) {
            drop_held(reader, &is_too_long);
            searched = 0;
        }
        if (!fill(reader)) {
            reader->next_offset = out->offset; /* even if part of the line was dropped */
            return errno == 0 ? LINE_END : LINE_UNREADABLE;
        }
    }
    length = (size_t)(end - line);
    reader->start += length + 1;
    reader->next_offset += length + 1;
    out->length = (uint32_t)(reader->next_offset - out->offset);
    return !is_too_long && journal_record_read(&out->record, line, length) ? LINE_RECORD
                                                                           : LINE_DAMAGED;
}

static void note_damaged(struct journal_extent *extent, uint64_t offset)
{
    if (extent->damaged++ == 0)
        extent->first_damaged_offset = offset;
}

enum err journal_reader_each(int fd, uint64_t from, uint64_t limit, journal_entry_fn *each,
                             void *ctx, struct journal_extent *out)
{
    struct reader *reader = reader_new(fd, from, limit);
    struct journal_extent extent = {.end = from};
    struct journal_entry entry;
    enum line line;
    enum err e = reader == NULL ? ERR_NO_MEMORY : ERR_OK;

    while (e == ERR_OK && (line = next(reader, &entry)) != LINE_END) {
        if (line == LINE_UNREADABLE)
            e = err_from_errno(errno);
        else if (line == LINE_RECORD)
            e = each(ctx, &entry);
        else
            note_damaged(&extent, entry.offset);
        extent.end = reader->next_offset;
    }
    free(reader);
    if (out != NULL)
        *out = extent;
    return e;
}
