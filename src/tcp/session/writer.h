/* Turns what waits (control frames, files in turn) into bytes on one link. A data frame is in
 * memory, whole, before a byte of it goes out: what a file's reading gives is known by then, and
 * never mistaken for the link's, a frame begun is always completed, and what is on its way to the
 * peer changes no more (the kernel would send pages of a file, sendfile(2), as they are when they
 * leave, and send them again otherwise). Small frames go out many in one send. Owner: the
 * session, so the worker. */
#ifndef TCP_SESSION_WRITER_H
#define TCP_SESSION_WRITER_H

#include "base/buf.h"
#include "base/err.h"
#include "tcp/home.h"
#include "tcp/session/link.h"
#include "transfer/outgoing.h"

#include <stdbool.h>
#include <stdint.h>

struct session_writer {
    struct buf control; /* whole control frames; go out between data frames */
    struct buf begun;   /* what is left of data frames begun */
    uint64_t sent_bytes;
    uint64_t progress_ms; /* when the link took something last */
    uint64_t settle_ms; /* until a file that was just changed can be read; 0: none is waited for */
};

void session_writer_init(struct session_writer *w, uint64_t now_ms);
void session_writer_fini(struct session_writer *w);

/* A file read went wrong, came up short, or the file changed: `e` as outbox_read. Called between
 * frames, the writer is through with it. */
typedef void session_writer_broken_fn(void *session, struct transfer_outgoing *out, enum err e);

/* Writes until the link takes no more (ERR_AGAIN), nothing is left that can go now (ERR_OK; look
 * again in w->settle_ms if that is not 0) or `most_frames` data frames went (ERR_FULL: more to do
 * in the next turn). Anything else is the link's end. With `is_closing` no new data frame is
 * begun. */
enum err session_writer_run(struct session_writer *w, struct session_link *link,
                            struct tcp_home *home, struct transfer_outgoing_list *files,
                            unsigned most_frames, bool is_closing, session_writer_broken_fn *broken,
                            void *session);

/* True while bytes wait that were promised to the peer (not files whose turn has not come). */
bool session_writer_has_bytes(const struct session_writer *w);

#endif
