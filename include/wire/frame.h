/* Bytes to frames and back (docs/protocol.md). Knows no socket and never waits: the decoder takes
 * what there is and answers "need more". Data payload is handed on as it arrives, never collected;
 * control payloads (hello, wazap, abort, ok) are held until whole, up to a limit. Written for a
 * hostile peer.
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
    FRAME_LENGTH_MAX = 99999,     /* of version, command and payload: the reference's limit */
    FRAME_DATA_BYTES_MAX = 99989, /* file bytes in a data frame */
    FRAME_HEADER_SIZE = 6,        /* length, version, command */
    FRAME_DATA_HEADER_SIZE = 14,  /* the same with file_id and size */
    FRAME_FILE_SIZE_MAX = INT32_MAX,
};

/* What the decoder found. */
enum frame_piece_kind {
    FRAME_PIECE_NONE,    /* all bytes are taken, the rest of a frame is still to come */
    FRAME_PIECE_CONTROL, /* a whole hello, wazap, ok or abort */
    FRAME_PIECE_DATA,    /* the next bytes of a data frame; none only if the frame has none */
    FRAME_PIECE_BAD,     /* the stream is broken: close the session, use nothing more of it */
};

/* The reason of a control frame that is longer than the limit. */
extern const char frame_too_long[];

struct frame_piece {
    enum frame_piece_kind kind;
    uint8_t command;
    bool is_first,
        is_last;     /* DATA: the frame's first, last piece (an empty frame's only piece is both) */
    int32_t file_id; /* DATA, and a CONTROL ok or abort */
    int32_t size;    /* DATA: of the whole file, as announced, perhaps negative */
    const uint8_t *bytes; /* payload (ok, abort: behind the file_id); valid until the next call */
    size_t length;
    const char *reason; /* BAD: a sentence for the log */
};

/* One per session; all zero but `control_limit` is a new one. Holds memory only while a control
 * frame is incomplete. */
struct frame_decoder {
    uint32_t control_limit; /* most payload bytes of a control frame */
    uint32_t left;          /* payload bytes of the present frame still to come */
    int32_t file_id, size;  /* of the present data frame */
    uint8_t header[FRAME_DATA_HEADER_SIZE];
    uint8_t header_length; /* bytes of `header` here so far */
    uint8_t command;       /* of the present frame, 0 between frames */
    bool is_first;
    bool is_bad;
    struct buf control;
    /* internal: a control frame was handed out of `control` and goes with the next call */
    bool is_control_given;
};

void frame_decoder_init(struct frame_decoder *d, uint32_t control_limit);
void frame_decoder_fini(struct frame_decoder *d);

/* Takes bytes from the front of `bytes` until there is a piece; `*taken` says how many. Call again
 * with the rest until FRAME_PIECE_NONE. ERR_NO_MEMORY: nothing is lost but the session. After
 * FRAME_PIECE_BAD every call answers FRAME_PIECE_BAD. */
enum err frame_decode(struct frame_decoder *d, const uint8_t *bytes, size_t length, size_t *taken,
                      struct frame_piece *out);

/* Data bytes that the decoder may be told about instead of shown: how many of the present data
 * frame are still to come, 0 if the decoder is not inside one (d->file_id and d->size say which
 * file is meant). For splice(2). */
uint32_t frame_decoder_data_left(const struct frame_decoder *d);
/* Tells it: `count` bytes, no more than are left, went another way. */
void frame_decoder_skip(struct frame_decoder *d, uint32_t count);

/* Headers. Each writes exactly the bytes that its name says. */
void frame_write_header(uint8_t out[FRAME_HEADER_SIZE], uint8_t command, size_t payload_length);
void frame_write_data_header(uint8_t out[FRAME_DATA_HEADER_SIZE], int32_t file_id, int32_t size,
                             size_t data_length);

/* Whole control frames, added to `out`; on failure `out` is as it was. ERR_TOO_LARGE beyond
 * FRAME_LENGTH_MAX or `out`'s own limit. An `idurl` that is NULL or empty goes as `None`. */

/* The strict form only: ERR_INVALID for port 0, for a host or idurl with spaces or unprintable
 * bytes, for a host with a colon. An empty host means 'the address you see'. */
enum err frame_add_hello(struct buf *out, const char *host, uint16_t port, const char *idurl);
enum err frame_add_wazap(struct buf *out, const char *idurl);
enum err frame_add_ok(struct buf *out, int32_t file_id);
/* Puts a space before a text that has none, as the reference does. */
enum err frame_add_abort(struct buf *out, int32_t file_id, const char *text);

/* A hello's payload, `HOST:PORT IDURL`, taken as the reference takes it (docs/protocol.md, 2):
 * ERR_PROTOCOL means reject. `host` and `idurl` point into the payload and are not ended by NUL. */
struct hello {
    const uint8_t *host; /* empty: the address you see. "[v6]" keeps its brackets */
    size_t host_length;
    const uint8_t *idurl;
    size_t idurl_length;
    bool is_port_usable; /* 1 to 65535 */
    uint16_t port;
};
enum err hello_parse(struct hello *out, const uint8_t *payload, size_t length);

#endif
