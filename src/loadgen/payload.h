/* The frames of a file as sent on the wire, prepared once and shared by all threads. A file that
 * fits one frame is a header and a body shared by all files. A larger one is a memfd with all its
 * frames, for sendfile(2): one memfd for each slot of the window, because each header has the file
 * id. */
#ifndef LOADGEN_PAYLOAD_H
#define LOADGEN_PAYLOAD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { LOADGEN_PAYLOAD_WINDOW_MAX = 40 }; /* a receiver closes sessions with more files in flight */

#define LOADGEN_PAYLOAD_PREPARED_BYTES_MAX (UINT64_C(8) << 30) /* total of all streams */

/* Read-only after loadgen_payload_init(). */
struct loadgen_payload {
    uint64_t size;        /* of the file */
    uint64_t wire_length; /* with all headers */
    const uint8_t *body;  /* of a file that fits a frame; else NULL */
    int streams[LOADGEN_PAYLOAD_WINDOW_MAX];
    unsigned stream_count; /* 0 if it fits a frame */
};

/* Main thread. `window`: files in flight in a session. ERR_TOO_LARGE: the streams exceed
 * LOADGEN_PAYLOAD_PREPARED_BYTES_MAX. On failure nothing has to be freed. */
enum err loadgen_payload_init(struct loadgen_payload *out, uint64_t size, uint32_t chunk_bytes,
                              unsigned window);
void loadgen_payload_fini(struct loadgen_payload *payload);

#endif
