#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

size_t buf_length(const struct buf *b)
{
    return b->end - b->start;
}

const uint8_t *buf_bytes(const struct buf *b)
{
    return b->bytes == NULL ? NULL : b->bytes + b->start;
}

enum err buf_add(struct buf *b, const void *bytes, size_t length)
{
    size_t held = buf_length(b);

    if (length == 0)
        return ERR_OK;
    if (length > BUF_LIMIT - held)
        return ERR_TOO_LARGE;
    if (b->end + length > b->room && b->start > 0) {
        memmove(b->bytes, b->bytes + b->start, held);
        b->start = 0;
        b->end = (uint32_t)held;
    }
    if (b->end + length > b->room) {
        size_t room = b->room == 0 ? 64 : b->room;
        uint8_t *grown;

        while (room < b->end + length)
            room *= 2;
        grown = realloc(b->bytes, room);
        if (grown == NULL)
            return ERR_NO_MEMORY;
        b->bytes = grown;
        b->room = (uint32_t)room;
    }
    memcpy(b->bytes + b->end, bytes, length);
    b->end += (uint32_t)length;
    return ERR_OK;
}

void buf_take(struct buf *b, size_t length)
{
    b->start += (uint32_t)length;
    if (b->start >= b->end)
        buf_clear(b);
}

void buf_cut(struct buf *b, size_t length)
{
    if (length == 0)
        buf_clear(b);
    else if (length < buf_length(b))
        b->end = b->start + (uint32_t)length;
}

void buf_clear(struct buf *b)
{
    free(b->bytes);
    *b = (struct buf){0};
}
