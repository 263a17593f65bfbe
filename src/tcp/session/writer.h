/* Writes control frames and the data frames of files, alternately, to one link. A data frame is
 * complete in memory before its first byte is sent: a failed read of the file is never mistaken for
 * an error of the link, a frame once begun is always completed, and its bytes do not change on
 * retransmission (sendfile(2) sends pages as they are at that moment). Small frames are gathered
 * into one send. Owner: the session's worker. */
#ifndef TCP_SESSION_WRITER_H
#define TCP_SESSION_WRITER_H

#include "base/buf.h"
#include "base/err.h"
#include "tcp/context.h"
#include "tcp/session/link.h"
#include "transfer/outgoing.h"

#include <stdbool.h>
#include <stdint.h>

struct session_writer {
    struct buf control; /* complete control frames; sent between data frames */
    struct buf begun;   /* unsent rest of data frames */
    uint64_t sent_bytes;
    uint64_t progress_ms; /* when the link last accepted bytes */
    uint64_t settle_ms;   /* until a file that was just changed can be read; 0: none */
};

void session_writer_init(struct session_writer *w, uint64_t now_ms);
void session_writer_fini(struct session_writer *w);

/* Reading `out` failed, gave too few bytes, or the file changed: `e` as outbox_read. Called between
 * frames; the writer does not use `out` after it. */
typedef void session_writer_read_failed_fn(void *session, struct transfer_outgoing *out,
                                           enum err e);

/* Writes until the link is full (ERR_AGAIN), nothing is left to send now (ERR_OK; try again in
 * w->settle_ms if that is not 0), or `most_frames` data frames were sent (ERR_FULL: continue in the
 * next turn). Any other error: the link has failed. With `is_closing` no new data frame is begun.
 */
enum err session_writer_run(struct session_writer *w, struct session_link *link,
                            struct tcp_context *context, struct transfer_outgoing_list *files,
                            unsigned most_frames, bool is_closing,
                            session_writer_read_failed_fn *broken, void *session);

/* True while control frames or the rest of a data frame are unsent. */
bool session_writer_has_bytes(const struct session_writer *w);

#endif
