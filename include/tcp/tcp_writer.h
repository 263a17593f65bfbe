/* Turns what waits (control frames, files in turn) into bytes on one socket. A frame begun is
 * always completed: the last frame of a file is in memory before its header goes out, an earlier
 * one that comes up short is filled with zeros to its end and followed by an abort. Small last
 * frames go out many in one send(2); the others are a header and sendfile(2). Owner: the session,
 * so the worker. */
#ifndef TCP_TCP_WRITER_H
#define TCP_TCP_WRITER_H

#include "base/buf.h"
#include "base/err.h"
#include "store/outbox.h"
#include "tcp/tcp_stream.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_writer {
    struct buf control; /* whole control frames; go out between data frames */
    struct buf begun;   /* bytes of frames begun, in memory */
    /* The data frame under way, after what is in `begun`: */
    uint32_t frame_left;
    bool is_padding; /* the file came up short: zeros to the end of the frame */
    uint64_t frame_offset;
    struct tcp_outgoing *current; /* NULL: none, or its file failed meanwhile */
    struct outbox_file abandoned; /* the file of a frame that must still be completed */
    uint64_t sent_bytes;
    uint64_t progress_ms; /* when the socket took something last */
};

void tcp_writer_init(struct tcp_writer *w, uint64_t now_ms);
void tcp_writer_fini(struct tcp_writer *w);

/* A file read went wrong, or came up short: called between frames, the writer is through with it.
 */
typedef void tcp_writer_broken_fn(void *session, struct tcp_outgoing *out, enum err e);

/* Writes until the socket takes no more (ERR_AGAIN), nothing is left (ERR_OK) or `most_frames` data
 * frames went (ERR_FULL: more to do in the next turn). Anything else is the socket's end. With
 * `is_closing` no new data frame is begun. */
enum err tcp_writer_run(struct tcp_writer *w, int socket, struct tcp_home *home,
                        struct tcp_outgoing_list *files, unsigned most_frames, bool is_closing,
                        tcp_writer_broken_fn *broken, void *session);

/* Before a stream fails: its half-sent frame is completed without it. */
void tcp_writer_abandon(struct tcp_writer *w, struct tcp_outgoing *out);

/* True while bytes wait that were promised to the peer (not files whose turn has not come). */
bool tcp_writer_has_bytes(const struct tcp_writer *w);

#endif
