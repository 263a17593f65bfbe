#include "store_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct journal_reader *journal_reader_new(int fd, uint64_t from, uint64_t most)
{
    struct journal_reader *reader = malloc(sizeof *reader);

    if (reader == NULL)
        return NULL;
    reader->fd = fd;
    reader->line_offset = reader->next_offset = from;
    reader->line_length = 0;
    reader->most = most;
    reader->start = reader->end = 0;
    return reader;
}

/* Reads on behind what is held. False with errno 0 at the end. */
static bool fill(struct journal_reader *reader)
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
    if (at >= reader->most)
        return false;
    if (room > reader->most - at)
        room = (size_t)(reader->most - at);
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

/* A line that does not fit is damaged: none of ours is so long. What is held of it goes. */
static void drop_held(struct journal_reader *reader, bool *is_too_long)
{
    reader->next_offset += reader->end - reader->start;
    reader->start = reader->end = 0;
    *is_too_long = true;
}

enum journal_line journal_reader_next(struct journal_reader *reader, struct record *out)
{
    bool is_too_long = false;
    size_t searched = 0, length;
    char *line, *end;

    reader->line_offset = reader->next_offset;
    for (;;) {
        line = reader->bytes + reader->start;
        length = reader->end - reader->start;
        end = length > searched ? memchr(line + searched, '\n', length - searched) : NULL;
        if (end != NULL)
            break;
        searched = length;
        if (length >= RECORD_LINE_MAX) {
            drop_held(reader, &is_too_long);
            searched = 0;
        }
        if (!fill(reader)) {
            int error_number = errno;

            reader->next_offset = reader->line_offset;
            reader->start = reader->end = 0;
            errno = error_number;
            return error_number == 0 ? LINE_END : LINE_UNREADABLE;
        }
    }
    length = (size_t)(end - line);
    reader->start += length + 1;
    reader->next_offset += length + 1;
    reader->line_length = (uint32_t)(reader->next_offset - reader->line_offset);
    return !is_too_long && record_read(out, line, length) ? LINE_RECORD : LINE_DAMAGED;
}
