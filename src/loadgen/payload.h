/* What a file of a size is on the wire, prepared once and shared by all threads: its frames, ready
 * to be sent. A file that fits a frame is a header and bytes that every file shares; a larger one
 * is a file in memory that holds its frames with their headers, for sendfile(2), one for each place
 * in the window, because the file id stands in each header. */
#ifndef LOADGEN_PAYLOAD_H
#define LOADGEN_PAYLOAD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { LOADGEN_PAYLOAD_WINDOW_MAX = 40 }; /* a receiver drops a session with more files in flight */

#define LOADGEN_PAYLOAD_PREPARED_BYTES_MAX (UINT64_C(8) << 30) /* of all streams together */

/* Read only once it is made. */
struct loadgen_payload {
    uint64_t size;        /* of the file */
    uint64_t wire_length; /* with all headers */
    const uint8_t *body;  /* of a file that fits a frame; else NULL */
    int streams[LOADGEN_PAYLOAD_WINDOW_MAX];
    unsigned stream_count; /* 0 if it fits a frame */
};

/* Main thread. `window` files may be under way in a session. ERR_TOO_LARGE: that many streams of
 * that size are more than LOADGEN_PAYLOAD_PREPARED_BYTES_MAX. On failure nothing is left to free.
 */
enum err loadgen_payload_init(struct loadgen_payload *out, uint64_t size, uint32_t chunk_bytes,
                              unsigned window);
void loadgen_payload_fini(struct loadgen_payload *payload);

#endif
