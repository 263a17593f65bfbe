#include "loadgen/payload.h"

#include "wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Fills in incompressible bytes. */
static void fill(uint8_t *bytes, size_t length)
{
    uint32_t state = 2463534242U;

    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes[i] = (uint8_t)state;
    }
}

static uint64_t wire_length_of(uint64_t size, uint32_t chunk_bytes)
{
    uint64_t frames = size == 0 ? 1 : (size + chunk_bytes - 1) / chunk_bytes;

    return size + frames * FRAME_DATA_HEADER_SIZE;
}

static enum err write_whole(int fd, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);

        if (written < 0 && errno != EINTR)
            return err_from_errno(errno);
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
    return ERR_OK;
}

/* `frame` has space for a header, followed by the bytes of a chunk. */
static enum err write_frames(int fd, int32_t file_id, uint64_t size, uint32_t chunk_bytes,
                             uint8_t *frame)
{
    enum err e = ERR_OK;

    for (uint64_t at = 0; e == ERR_OK && at < size; at += chunk_bytes) {
        size_t length = size - at < chunk_bytes ? (size_t)(size - at) : chunk_bytes;

        frame_write_data_header(frame, file_id, (int32_t)size, length);
        e = write_whole(fd, frame, FRAME_DATA_HEADER_SIZE + length);
    }
    return e;
}

static enum err add_stream(struct loadgen_payload *p, uint32_t chunk_bytes, uint8_t *frame)
{
    int fd = memfd_create("dustwire-load", MFD_CLOEXEC);

    if (fd < 0)
        return err_from_errno(errno);
    p->streams[p->stream_count++] = fd;
    return write_frames(fd, (int32_t)p->stream_count, p->size, chunk_bytes, frame);
}

static enum err add_streams(struct loadgen_payload *p, uint32_t chunk_bytes, unsigned window)
{
    uint8_t *frame = malloc(FRAME_DATA_HEADER_SIZE + chunk_bytes);
    enum err e = frame == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (e == ERR_OK)
        fill(frame + FRAME_DATA_HEADER_SIZE, chunk_bytes);
    while (e == ERR_OK && p->stream_count < window)
        e = add_stream(p, chunk_bytes, frame);
    free(frame);
    return e;
}

static enum err add_body(struct loadgen_payload *p)
{
    uint8_t *body = malloc((size_t)p->size + 1);

    if (body == NULL)
        return ERR_NO_MEMORY;
    fill(body, (size_t)p->size);
    p->body = body;
    return ERR_OK;
}

enum err loadgen_payload_init(struct loadgen_payload *out, uint64_t size, uint32_t chunk_bytes,
                              unsigned window)
{
    enum err e;

    *out = (struct loadgen_payload){.size = size, .wire_length = wire_length_of(size, chunk_bytes)};
    if (size <= chunk_bytes)
        return add_body(out);
    if (out->wire_length * window > LOADGEN_PAYLOAD_PREPARED_BYTES_MAX)
        return ERR_TOO_LARGE;
    e = add_streams(out, chunk_bytes, window);
    if (e != ERR_OK)
        loadgen_payload_fini(out);
    return e;
}

void loadgen_payload_fini(struct loadgen_payload *p)
{
    while (p->stream_count > 0)
        close(p->streams[--p->stream_count]);
    free((void *)p->body);
    *p = (struct loadgen_payload){0};
}
