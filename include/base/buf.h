/* Bytes that wait: a queue of bytes that holds no memory while it is empty. For control frames
 * waiting for a socket and control frames arriving in pieces; files never pass through it. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Owner: whoever holds the struct. All zero is an empty one. */
struct buf {
    uint8_t *bytes;
    uint32_t start; /* of what waits */
    uint32_t end;
    uint32_t room;
};

size_t buf_length(const struct buf *b);
const uint8_t *buf_bytes(const struct buf *b);

/* Appends. ERR_NO_MEMORY leaves what was there. ERR_TOO_LARGE beyond BUF_LIMIT. */
enum { BUF_LIMIT = 1 << 20 };
enum err buf_add(struct buf *b, const void *bytes, size_t length);

/* Takes `length` bytes off the front; the memory goes when nothing is left. */
void buf_take(struct buf *b, size_t length);

/* Takes bytes off the back, so that the first `length` stay: undoes what was added since. */
void buf_cut(struct buf *b, size_t length);

/* Forgets everything and gives the memory back. */
void buf_clear(struct buf *b);

#endif
