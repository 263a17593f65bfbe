/* Feeds bytes to a decoder and keeps the decoded frames for comparison. Each feed is a heap block
 * of exactly that size, so that the address sanitizer detects reads beyond it. */
#ifndef WIRE_FRAMES_SEEN_H
#define WIRE_FRAMES_SEEN_H

#include "wire/frame.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SEEN_MAX = 64 };

struct frame_seen {
    uint8_t command;
    int32_t file_id, size;
    bool is_whole;
    struct buf payload; /* data bytes; for ok and abort the bytes after the file_id */
};

struct frames_seen {
    struct frame_decoder decoder;
    struct frame_seen frames[SEEN_MAX];
    size_t count; /* the last one can be an incomplete data frame */
    const char *bad;
};

static inline void seen_init(struct frames_seen *s, uint32_t control_limit)
{
    memset(s, 0, sizeof *s);
    frame_decoder_init(&s->decoder, control_limit);
}

static inline void seen_fini(struct frames_seen *s)
{
    for (size_t i = 0; i < s->count; i++)
        buf_clear(&s->frames[i].payload);
    frame_decoder_fini(&s->decoder);
    s->count = 0;
}

static inline void seen_take(struct frames_seen *s, const struct frame_piece *piece)
{
    struct frame_seen *frame;

    if (piece->kind == FRAME_PIECE_CONTROL || piece->is_first) {
        cr_assert_lt(s->count, (size_t)SEEN_MAX);
        cr_assert(s->count == 0 || s->frames[s->count - 1].is_whole, "frames overlap");
        s->frames[s->count++] = (struct frame_seen){
            .command = piece->command, .file_id = piece->file_id, .size = piece->size};
    }
    cr_assert_gt(s->count, 0u);
    frame = &s->frames[s->count - 1];
    cr_assert(!frame->is_whole && frame->command == piece->command);
    cr_assert(frame->file_id == piece->file_id && frame->size == piece->size);
    cr_assert_eq(buf_add(&frame->payload, piece->bytes, piece->length), ERR_OK);
    frame->is_whole = piece->kind == FRAME_PIECE_CONTROL || piece->is_last;
}

static inline void seen_feed(struct frames_seen *s, const void *bytes, size_t length)
{
    uint8_t *block = malloc(length + (length == 0)), *at = block;
    struct frame_piece piece;
    size_t taken;

    cr_assert_not_null(block);
    memcpy(block, bytes, length);
    do {
        cr_assert_eq(frame_decode(&s->decoder, at, length, &taken, &piece), ERR_OK);
        cr_assert_leq(taken, length);
        at += taken;
        length -= taken;
        if (piece.kind == FRAME_PIECE_BAD) {
            cr_assert_not_null(piece.reason);
            if (s->bad == NULL)
                s->bad = piece.reason;
        } else if (piece.kind != FRAME_PIECE_NONE) {
            seen_take(s, &piece);
        }
    } while (piece.kind == FRAME_PIECE_CONTROL || piece.kind == FRAME_PIECE_DATA);
    cr_assert(s->bad != NULL || length == 0, "bytes left over without a piece");
    free(block);
}

static inline void seen_expect(const struct frames_seen *s, size_t index, char command,
                               int32_t file_id, int32_t size, const void *payload, size_t length)
{
    const struct frame_seen *frame = &s->frames[index];

    cr_assert_lt(index, s->count, "only %zu frames", s->count);
    cr_assert(frame->is_whole);
    cr_assert_eq(frame->command, (uint8_t)command, "frame %zu is a '%c'", index, frame->command);
    cr_assert_eq(frame->file_id, file_id);
    cr_assert_eq(frame->size, size);
    cr_assert_eq(buf_length(&frame->payload), length);
    cr_assert(length == 0 || memcmp(buf_bytes(&frame->payload), payload, length) == 0);
}

#endif
