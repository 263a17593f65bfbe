#include "wire/frame.h"

#include "base/address.h"
#include "base/contract.h"
#include "base/text.h"

#include <string.h>

/* A frame is a header of 6 bytes (14 for data), buffered in `header` because it can arrive in
 * pieces, and `left` bytes of payload. Each header byte is validated when it arrives: an invalid
 * length is rejected after four bytes. Payload is not copied, except a control frame that arrives
 * in pieces.
 */

enum { VERSION = '1', VERSION_AT = 4, COMMAND_AT = 5, FILE_ID_SIZE = 4, DATA_FIELDS_SIZE = 8 };

static uint32_t get_u32_be(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int32_t get_i32_le(const uint8_t *at)
{
    return (int32_t)((uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0]);
}

static void put_u32_be(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static void put_i32_le(uint8_t *at, int32_t value)
{
    uint32_t bits = (uint32_t)value;

    at[0] = (uint8_t)bits;
    at[1] = (uint8_t)(bits >> 8);
    at[2] = (uint8_t)(bits >> 16);
    at[3] = (uint8_t)(bits >> 24);
}

void frame_decoder_init(struct frame_decoder *d, uint32_t control_limit)
{
    *d = (struct frame_decoder){.control_limit = control_limit};
}

void frame_decoder_fini(struct frame_decoder *d)
{
    buf_clear(&d->control);
    *d = (struct frame_decoder){0};
}

const char frame_too_long[] = "control frame exceeds control-frame-limit-bytes";

/* The reason why command or payload length are invalid, or NULL. */
static const char *command_problem(uint8_t command, uint32_t payload, uint32_t control_limit)
{
    switch (command) {
    case FRAME_DATA:
        return payload < DATA_FIELDS_SIZE ? "data frame too short for file id and size" : NULL;
    case FRAME_OK:
    case FRAME_ABORT:
        if (payload < FILE_ID_SIZE)
            return "ok or abort frame too short for a file id";
        break;
    case FRAME_HELLO:
    case FRAME_WAZAP:
        break;
    default:
        return "unknown frame command";
    }
    return payload > control_limit ? frame_too_long : NULL;
}

/* Validates the part of the header that has arrived. */
static const char *header_problem(const struct frame_decoder *d)
{
    uint32_t length;

    if (d->header_length < VERSION_AT)
        return NULL;
    length = get_u32_be(d->header);
    if (length > FRAME_LENGTH_MAX)
        return "frame longer than 99,999 bytes";
    if (length < 2)
        return "frame too short for version and command";
    if (d->header_length > VERSION_AT && d->header[VERSION_AT] != VERSION)
        return "unknown frame version";
    if (d->header_length <= COMMAND_AT)
        return NULL;
    return command_problem(d->header[COMMAND_AT], length - 2, d->control_limit);
}

static uint8_t header_wanted(const struct frame_decoder *d)
{
    bool is_data = d->header_length > COMMAND_AT && d->header[COMMAND_AT] == FRAME_DATA;

    return is_data ? FRAME_DATA_HEADER_SIZE : FRAME_HEADER_SIZE;
}

static void begin_frame(struct frame_decoder *d)
{
    d->command = d->header[COMMAND_AT];
    d->left = get_u32_be(d->header) - 2;
    d->is_first = true;
    if (d->command == FRAME_DATA) {
        d->left -= DATA_FIELDS_SIZE;
        d->file_id = get_i32_le(d->header + FRAME_HEADER_SIZE);
        d->size = get_i32_le(d->header + FRAME_HEADER_SIZE + FILE_ID_SIZE);
    }
}

static void end_frame(struct frame_decoder *d)
{
    d->command = 0;
    d->header_length = 0;
}

/* Consumes header bytes; returns their number. Sets d->command when the header is complete, and
 * `*problem` if the frame is invalid. */
static size_t decode_header(struct frame_decoder *d, const uint8_t *bytes, size_t length,
                            const char **problem)
{
    size_t taken = 0;

    while (d->header_length < header_wanted(d) && taken < length) {
        size_t part = (size_t)(header_wanted(d) - d->header_length);

        if (part > length - taken)
            part = length - taken;
        memcpy(d->header + d->header_length, bytes + taken, part);
        d->header_length = (uint8_t)(d->header_length + part);
        taken += part;
        if ((*problem = header_problem(d)) != NULL)
            return taken;
    }
    if (d->header_length == header_wanted(d))
        begin_frame(d);
    return taken;
}

static size_t decode_data(struct frame_decoder *d, const uint8_t *bytes, size_t length,
                          struct frame_piece *out)
{
    size_t part = length < d->left ? length : d->left;

    if (part == 0 && d->left > 0)
        return 0; /* no payload yet */
    d->left -= (uint32_t)part;
    *out = (struct frame_piece){.kind = FRAME_PIECE_DATA,
                                .command = FRAME_DATA,
                                .is_first = d->is_first,
                                .is_last = d->left == 0,
                                .file_id = d->file_id,
                                .size = d->size,
                                .bytes = bytes,
                                .length = part};
    d->is_first = false;
    if (d->left == 0)
        end_frame(d);
    return part;
}

static void return_control(struct frame_decoder *d, const uint8_t *payload, size_t length,
                           struct frame_piece *out)
{
    *out = (struct frame_piece){
        .kind = FRAME_PIECE_CONTROL, .command = d->command, .bytes = payload, .length = length};
    if (d->command == FRAME_OK || d->command == FRAME_ABORT) {
        out->file_id = get_i32_le(payload);
        out->bytes += FILE_ID_SIZE;
        out->length -= FILE_ID_SIZE;
    }
    end_frame(d);
}

static enum err decode_control(struct frame_decoder *d, const uint8_t *bytes, size_t length,
                               size_t *taken, struct frame_piece *out)
{
    size_t part = length < d->left ? length : d->left;
    enum err e;

    if (part == d->left && buf_length(&d->control) == 0) {
        return_control(d, bytes, part, out);
    } else {
        if ((e = buf_add(&d->control, bytes, part)) != ERR_OK)
            return e;
        if (part == d->left) {
            return_control(d, buf_bytes(&d->control), buf_length(&d->control), out);
            d->is_control_returned = true;
        }
    }
    d->left -= (uint32_t)part;
    *taken += part;
    return ERR_OK;
}

static void reject(struct frame_decoder *d, struct frame_piece *out, const char *reason)
{
    d->is_bad = true;
    d->left = 0;
    buf_clear(&d->control);
    *out = (struct frame_piece){.kind = FRAME_PIECE_BAD, .reason = reason};
}

enum err frame_decode(struct frame_decoder *d, const uint8_t *bytes, size_t length, size_t *taken,
                      struct frame_piece *out)
{
    const char *problem = NULL;
    enum err e = ERR_OK;

    *taken = 0;
    *out = (struct frame_piece){.kind = FRAME_PIECE_NONE};
    if (d->is_control_returned) {
        buf_clear(&d->control);
        d->is_control_returned = false;
    }
    if (d->is_bad) {
        reject(d, out, "earlier protocol error");
        return ERR_OK;
    }
    if (length == 0)
        return ERR_OK;
    if (d->command == 0)
        *taken = decode_header(d, bytes, length, &problem);
    if (problem != NULL)
        reject(d, out, problem);
    else if (d->command == FRAME_DATA)
        *taken += decode_data(d, bytes + *taken, length - *taken, out);
    else if (d->command != 0)
        e = decode_control(d, bytes + *taken, length - *taken, taken, out);
    if (e != ERR_OK)
        reject(d, out, err_text(e));
    return e;
}

uint32_t frame_decoder_data_left(const struct frame_decoder *d)
{
    return d->command == FRAME_DATA ? d->left : 0;
}

void frame_write_header(uint8_t out[FRAME_HEADER_SIZE], uint8_t command, size_t payload_length)
{
    CONTRACT(payload_length <= FRAME_LENGTH_MAX - 2);
    put_u32_be(out, (uint32_t)payload_length + 2);
    out[VERSION_AT] = VERSION;
    out[COMMAND_AT] = command;
}

void frame_write_data_header(uint8_t out[FRAME_DATA_HEADER_SIZE], int32_t file_id, int32_t size,
                             size_t data_length)
{
    frame_write_header(out, FRAME_DATA, data_length + DATA_FIELDS_SIZE);
    put_i32_le(out + FRAME_HEADER_SIZE, file_id);
    put_i32_le(out + FRAME_HEADER_SIZE + FILE_ID_SIZE, size);
}

/* Adds the whole frame or nothing: half a frame in the queue would break the stream. */
static enum err add_frame(struct buf *out, uint8_t command, const void *head, size_t head_length,
                          const void *tail, size_t tail_length)
{
    uint8_t header[FRAME_HEADER_SIZE];
    size_t before = buf_length(out);
    enum err e;

    if (tail_length > FRAME_LENGTH_MAX - 2 - head_length)
        return ERR_TOO_LARGE;
    frame_write_header(header, command, head_length + tail_length);
    if ((e = buf_add(out, header, sizeof header)) == ERR_OK &&
        (e = buf_add(out, head, head_length)) == ERR_OK)
        e = buf_add(out, tail, tail_length);
    if (e != ERR_OK)
        buf_cut(out, before);
    return e;
}

/* A field of the hello: printable, without spaces. */
static bool is_word(const char *text)
{
    return text_is_printable(text, strlen(text)) && strchr(text, ' ') == NULL;
}

static const char *idurl_or_none(const char *idurl)
{
    return idurl == NULL || idurl[0] == '\0' ? "None" : idurl;
}

enum err frame_add_hello(struct buf *out, const char *host, uint16_t port, const char *idurl)
{
    char head[ADDRESS_HOST_SIZE + sizeof ":65535 "];
    enum err e;

    idurl = idurl_or_none(idurl);
    if (port == 0 || !is_word(host) || strchr(host, ':') != NULL || !is_word(idurl))
        return ERR_INVALID;
    if ((e = text_format(head, sizeof head, "%s:%u ", host, (unsigned)port)) != ERR_OK)
        return e;
    return add_frame(out, FRAME_HELLO, head, strlen(head), idurl, strlen(idurl));
}

enum err frame_add_wazap(struct buf *out, const char *idurl)
{
    idurl = idurl_or_none(idurl);
    return add_frame(out, FRAME_WAZAP, NULL, 0, idurl, strlen(idurl));
}

enum err frame_add_ok(struct buf *out, int32_t file_id)
{
    uint8_t id[FILE_ID_SIZE];

    put_i32_le(id, file_id);
    return add_frame(out, FRAME_OK, id, sizeof id, NULL, 0);
}

enum err frame_add_abort(struct buf *out, int32_t file_id, const char *text)
{
    uint8_t head[FILE_ID_SIZE + 1];
    bool needs_space = text[0] != '\0' && text[0] != ' ';

    put_i32_le(head, file_id);
    head[FILE_ID_SIZE] = ' ';
    return add_frame(out, FRAME_ABORT, head, sizeof head - !needs_space, text, strlen(text));
}
