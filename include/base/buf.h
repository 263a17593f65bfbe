/* A byte queue that holds no memory while it is empty. For control frames to be sent and control
 * frames received in pieces; file data never passes through it. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Owner: the holder of the struct. All zero is empty. */
struct buf {
    uint8_t *bytes;
    uint32_t start; /* of the queued bytes */
    uint32_t end;
    uint32_t room;
};

size_t buf_length(const struct buf *b);
const uint8_t *buf_bytes(const struct buf *b);

/* Appends. On ERR_NO_MEMORY, and ERR_TOO_LARGE beyond BUF_LIMIT, the buffer is unchanged. */
enum { BUF_LIMIT = 1 << 20 };
enum err buf_add(struct buf *b, const void *bytes, size_t length);

/* Removes `length` bytes from the front; frees the memory when it is empty. */
void buf_take(struct buf *b, size_t length);

/* Truncates to the first `length` bytes, to undo an append. */
void buf_cut(struct buf *b, size_t length);

/* Empties the buffer and frees its memory. */
void buf_clear(struct buf *b);

#endif
