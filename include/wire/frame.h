/* Encoding and decoding of frames (docs/protocol.md). No I/O: the decoder consumes the given bytes
 * and reports when it needs more. Data payload is returned as it arrives, never buffered; control
 * payloads (hello, wazap, abort, ok) are buffered until complete, up to a limit. All input is
 * untrusted.
 *
 *     length u32 BE | '1' | command | payload (length - 2 bytes)
 *     data:  file_id i32 LE | size i32 LE | bytes
 *     ok:    file_id i32 LE | ignored       abort: file_id i32 LE | text */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_command {
    FRAME_HELLO = 'h',
    FRAME_WAZAP = 'w',
    FRAME_DATA = 'd',
    FRAME_OK = 'o',
    FRAME_ABORT = 'a',
};

enum {
    FRAME_LENGTH_MAX = 99999,     /* of version, command and payload: BitDust's limit */
    FRAME_DATA_BYTES_MAX = 99989, /* file bytes in a data frame */
    FRAME_HEADER_SIZE = 6,        /* length, version, command */
    FRAME_DATA_HEADER_SIZE = 14,  /* the same with file_id and size */
    FRAME_FILE_SIZE_MAX = INT32_MAX,
};

/* Results of the decoder. */
enum frame_piece_kind {
    FRAME_PIECE_NONE,    /* all bytes are consumed, the frame is incomplete */
    FRAME_PIECE_CONTROL, /* a complete hello, wazap, ok or abort */
    FRAME_PIECE_DATA,    /* the next bytes of a data frame; empty only if the frame is empty */
    FRAME_PIECE_BAD,     /* the stream is invalid: close the session, discard the rest */
};

/* The reason if a control frame exceeds the limit. */
extern const char frame_too_long[];

struct frame_piece {
    enum frame_piece_kind kind;
    uint8_t command;
    bool is_first,
        is_last;     /* DATA: the frame's first, last piece (an empty frame's only piece is both) */
    int32_t file_id; /* DATA, and a CONTROL ok or abort */
    int32_t size;    /* DATA: announced size of the whole file, can be negative */
    const uint8_t *bytes; /* payload (ok, abort: after the file_id); valid until the next call */
    size_t length;
    const char *reason; /* BAD: a sentence for the log */
};

/* One per session; all zero except `control_limit` is the initial state. Holds memory only while a
 * control frame is incomplete. */
struct frame_decoder {
    uint32_t control_limit; /* maximum payload of a control frame */
    uint32_t left;          /* remaining payload bytes of the current frame */
    int32_t file_id, size;  /* of the current data frame */
    uint8_t header[FRAME_DATA_HEADER_SIZE];
    uint8_t header_length; /* bytes of `header` received so far */
    uint8_t command;       /* of the current frame, 0 between frames */
    bool is_first;
    bool is_bad;
    /* internal: a control frame in `control` was returned and is freed by the next call */
    bool is_control_returned;
    struct buf control;
};

void frame_decoder_init(struct frame_decoder *d, uint32_t control_limit);
void frame_decoder_fini(struct frame_decoder *d);

/* Consumes bytes from the front of `bytes` up to the next piece; `*taken` is their number. Call
 * again with the rest until FRAME_PIECE_NONE. On ERR_NO_MEMORY close the session. After
 * FRAME_PIECE_BAD every call returns FRAME_PIECE_BAD. */
enum err frame_decode(struct frame_decoder *d, const uint8_t *bytes, size_t length, size_t *taken,
                      struct frame_piece *out);

/* Remaining bytes of the current data frame; 0 outside of one. */
uint32_t frame_decoder_data_left(const struct frame_decoder *d);

/* Write exactly the size of `out`. */
void frame_write_header(uint8_t out[FRAME_HEADER_SIZE], uint8_t command, size_t payload_length);
void frame_write_data_header(uint8_t out[FRAME_DATA_HEADER_SIZE], int32_t file_id, int32_t size,
                             size_t data_length);

/* Append a complete control frame to `out`, which is unchanged on an error. ERR_TOO_LARGE beyond
 * FRAME_LENGTH_MAX or `out`'s own limit. An `idurl` that is NULL or empty is sent as `None`. */

/* ERR_INVALID for port 0, for a host or idurl with spaces or unprintable bytes, for a host with a
 * colon. An empty host means the connection's source address. */
enum err frame_add_hello(struct buf *out, const char *host, uint16_t port, const char *idurl);
enum err frame_add_wazap(struct buf *out, const char *idurl);
enum err frame_add_ok(struct buf *out, int32_t file_id);
/* Prefixes the text with a space if it has none, as BitDust does. */
enum err frame_add_abort(struct buf *out, int32_t file_id, const char *text);

/* A hello's payload, `HOST:PORT IDURL`, parsed as BitDust does (docs/protocol.md, 2): ERR_PROTOCOL
 * means reject. `host` and `idurl` point into the payload and are not NUL-terminated. */
struct hello {
    const uint8_t *host; /* empty: the source address. "[v6]" keeps its brackets */
    size_t host_length;
    const uint8_t *idurl;
    size_t idurl_length;
    bool is_port_usable; /* 1 to 65535 */
    uint16_t port;
};
enum err hello_parse(struct hello *out, const uint8_t *payload, size_t length);

#endif
