/* Arbitrary bytes into the frame decoder, at once and in pieces: both must give the same frames,
 * stay within the input, and buffer no more than the limit. The input's first byte is the size of
 * the pieces. */
#include "wire/frame.h"

#include <stdlib.h>

#define MUST(holds) ((holds) ? (void)0 : abort())

enum { CONTROL_LIMIT = 64 };

struct digest {
    uint64_t frames;
    bool is_bad;
};

static void mix(struct digest *d, uint64_t value)
{
    d->frames = (d->frames ^ value) * 1099511628211u;
}

static void mix_piece(struct digest *d, const struct frame_piece *piece)
{
    if (piece->kind == FRAME_PIECE_CONTROL || piece->is_first) {
        mix(d, piece->command);
        mix(d, (uint32_t)piece->file_id);
        mix(d, (uint32_t)piece->size);
    }
    for (size_t i = 0; i < piece->length; i++)
        mix(d, piece->bytes[i]);
    if (piece->kind == FRAME_PIECE_CONTROL || piece->is_last)
        mix(d, 0x100);
}

static void feed(struct frame_decoder *decoder, struct digest *d, const uint8_t *at, size_t length)
{
    struct frame_piece piece;
    size_t taken;

    do {
        MUST(frame_decode(decoder, at, length, &taken, &piece) == ERR_OK);
        MUST(taken <= length);
        if (piece.kind == FRAME_PIECE_DATA)
            MUST(piece.bytes >= at && piece.bytes + piece.length == at + taken);
        MUST(buf_length(&decoder->control) <= CONTROL_LIMIT);
        at += taken;
        length -= taken;
        if (piece.kind == FRAME_PIECE_BAD)
            d->is_bad = true;
        else if (piece.kind != FRAME_PIECE_NONE)
            mix_piece(d, &piece);
    } while (piece.kind == FRAME_PIECE_CONTROL || piece.kind == FRAME_PIECE_DATA);
    MUST(d->is_bad || length == 0);
}

static struct digest digest_of(const uint8_t *bytes, size_t length, size_t step)
{
    struct frame_decoder decoder;
    struct digest d = {.frames = 14695981039346656037u};

    frame_decoder_init(&decoder, CONTROL_LIMIT);
    for (size_t at = 0; at < length; at += step)
        feed(&decoder, &d, bytes + at, length - at < step ? length - at : step);
    frame_decoder_fini(&decoder);
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct digest whole, pieces;

    if (length < 2)
        return 0;
    whole = digest_of(bytes + 1, length - 1, length);
    pieces = digest_of(bytes + 1, length - 1, (size_t)bytes[0] + 1);
    MUST(whole.frames == pieces.frames && whole.is_bad == pieces.is_bad);
    return 0;
}
