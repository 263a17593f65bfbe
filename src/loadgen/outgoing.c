#include "loadgen/outgoing.h"

#include "base/contract.h"
#include "wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A file's id is the index of its slot plus 1. A slot is reused when its file is answered, so no id
 * is in flight twice. */

struct slot {
    uint64_t since_ns;
    bool is_written;
    bool is_taken;
    uint8_t header[FRAME_DATA_HEADER_SIZE];
};

struct loadgen_outgoing {
    const struct loadgen_payload *payload;
    unsigned window;
    unsigned in_flight;
    unsigned unsent_first, unsent_count; /* a ring buffer of slots */
    uint64_t head_written;               /* of the first unsent file */
    uint8_t unsent[LOADGEN_PAYLOAD_WINDOW_MAX];
    uint8_t free_slots[LOADGEN_PAYLOAD_WINDOW_MAX]; /* a stack: the last used is in the cache */
    struct slot slots[];
};

struct loadgen_outgoing *loadgen_outgoing_new(const struct loadgen_payload *payload,
                                              unsigned window)
{
    struct loadgen_outgoing *o;

    CONTRACT(window >= 1 && window <= LOADGEN_PAYLOAD_WINDOW_MAX);
    if ((o = calloc(1, sizeof *o + window * sizeof *o->slots)) == NULL)
        return NULL;
    o->payload = payload;
    o->window = window;
    for (unsigned i = 0; i < window; i++) {
        o->free_slots[i] = (uint8_t)(window - 1 - i);
        frame_write_data_header(o->slots[i].header, (int32_t)i + 1, (int32_t)payload->size,
                                payload->body == NULL ? 0 : (size_t)payload->size);
    }
    return o;
}

void loadgen_outgoing_free(struct loadgen_outgoing **outgoing)
{
    free(*outgoing);
    *outgoing = NULL;
}

bool loadgen_outgoing_has_room(const struct loadgen_outgoing *o)
{
    return o->in_flight < o->window;
}

unsigned loadgen_outgoing_count(const struct loadgen_outgoing *o)
{
    return o->in_flight;
}

bool loadgen_outgoing_is_waiting(const struct loadgen_outgoing *o)
{
    return o->unsent_count > 0;
}

void loadgen_outgoing_start(struct loadgen_outgoing *o, uint64_t since_ns)
{
    unsigned slot = o->free_slots[o->window - ++o->in_flight];

    o->slots[slot].since_ns = since_ns;
    o->slots[slot].is_taken = true;
    o->slots[slot].is_written = false;
    o->unsent[(o->unsent_first + o->unsent_count++) % o->window] = (uint8_t)slot;
}

/* Accounts for `written` more bytes: removes complete files from the ring buffer. */
static void advance(struct loadgen_outgoing *o, uint64_t written)
{
    o->head_written += written;
    while (o->unsent_count > 0 && o->head_written >= o->payload->wire_length) {
        o->head_written -= o->payload->wire_length;
        o->slots[o->unsent[o->unsent_first]].is_written = true;
        o->unsent_first = (o->unsent_first + 1) % o->window;
        o->unsent_count--;
    }
}

/* The part of `bytes` after `*skip`, at most `*max` bytes; reduces both. */
static struct iovec piece(const uint8_t *bytes, uint64_t length, uint64_t *skip, uint64_t *max)
{
    uint64_t from = *skip < length ? *skip : length;
    uint64_t count = length - from < *max ? length - from : *max;

    *skip -= from;
    *max -= count;
    return (struct iovec){.iov_base = (void *)(bytes + from), .iov_len = (size_t)count};
}

static ssize_t write_frames(struct loadgen_outgoing *o, int fd, uint64_t max)
{
    struct iovec pieces[2 * LOADGEN_PAYLOAD_WINDOW_MAX];
    struct msghdr message = {.msg_iov = pieces};
    uint64_t skip = o->head_written;

    for (unsigned i = 0; i < o->unsent_count && max > 0; i++) {
        const struct slot *at = &o->slots[o->unsent[(o->unsent_first + i) % o->window]];

        pieces[message.msg_iovlen++] = piece(at->header, sizeof at->header, &skip, &max);
        pieces[message.msg_iovlen++] = piece(o->payload->body, o->payload->size, &skip, &max);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t write_stream(struct loadgen_outgoing *o, int fd, uint64_t max)
{
    uint64_t left = o->payload->wire_length - o->head_written;
    off_t at = (off_t)o->head_written;

    return sendfile(fd, o->payload->streams[o->unsent[o->unsent_first]], &at,
                    (size_t)(left < max ? left : max));
}

enum err loadgen_outgoing_write(struct loadgen_outgoing *o, int fd, uint64_t most_bytes,
                                uint64_t *written)
{
    *written = 0;
    while (o->unsent_count > 0 && *written < most_bytes) {
        ssize_t count = o->payload->body != NULL ? write_frames(o, fd, most_bytes - *written)
                                                 : write_stream(o, fd, most_bytes - *written);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_from_errno(errno);
        if (count == 0)
            return ERR_SHRUNK;
        *written += (uint64_t)count;
        advance(o, (uint64_t)count);
    }
    return ERR_OK;
}

bool loadgen_outgoing_answered(struct loadgen_outgoing *o, int32_t file_id, uint64_t *since_ns)
{
    struct slot *at;

    if (file_id < 1 || (unsigned)file_id > o->window)
        return false;
    at = &o->slots[file_id - 1];
    if (!at->is_taken || !at->is_written)
        return false;
    *since_ns = at->since_ns;
    at->is_taken = false;
    o->free_slots[o->window - o->in_flight--] = (uint8_t)(file_id - 1);
    return true;
}
