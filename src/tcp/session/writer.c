#include "tcp/session/writer.h"

#include "base/contract.h"
#include "base/metrics.h"
#include "wire/frame.h"

/* Gathering stops after the data frame that reaches this: bounds the memory of a session whose peer
 * does not read. */
enum { GATHER_BYTES = 65536 };

void session_writer_init(struct session_writer *w, uint64_t now_ms)
{
    *w = (struct session_writer){.progress_ms = now_ms};
}

void session_writer_fini(struct session_writer *w)
{
    buf_clear(&w->control);
    buf_clear(&w->begun);
}

bool session_writer_has_bytes(const struct session_writer *w)
{
    return buf_length(&w->control) > 0 || buf_length(&w->begun) > 0;
}

static enum err send_some(struct session_writer *w, struct tcp_context *context,
                          struct session_link *link, const void *bytes, size_t length, size_t *sent)
{
    enum err e = session_link_send(link, bytes, length, sent);

    if (e != ERR_OK)
        return e;
    w->sent_bytes += *sent;
    w->progress_ms = loop_now_ms(context->loop);
    metrics_add(METRIC_BYTES_SENT, *sent);
    return ERR_OK;
}

/* ERR_OK: the buffer is empty. */
static enum err flush(struct session_writer *w, struct buf *b, struct session_link *link,
                      struct tcp_context *context)
{
    while (buf_length(b) > 0) {
        size_t sent;
        enum err e = send_some(w, context, link, buf_bytes(b), buf_length(b), &sent);

        if (e != ERR_OK)
            return e;
        buf_take(b, sent);
    }
    return ERR_OK;
}

/* A data frame must fit into the scratch buffer. */
static uint32_t chunk_bytes(const struct tcp_context *context)
{
    uint32_t chunk = context->settings.sessions.chunk_kib * 1024;
    size_t room = context->scratch_size - FRAME_DATA_HEADER_SIZE;

    if (chunk > FRAME_DATA_BYTES_MAX)
        chunk = FRAME_DATA_BYTES_MAX;
    return chunk < room ? chunk : (uint32_t)room;
}

/* Appends the file's next frame to the scratch buffer. */
static enum err put_frame(const struct session_writer *w, struct tcp_context *context, size_t *used,
                          struct transfer_outgoing *out, uint32_t length)
{
    uint8_t *at = context->scratch + *used;
    enum err e = transfer_outgoing_read(out, at + FRAME_DATA_HEADER_SIZE, length);

    if (e != ERR_OK)
        return e;
    frame_write_data_header(at, out->file_id, (int32_t)out->file.size_bytes, length);
    *used += FRAME_DATA_HEADER_SIZE + length;
    transfer_outgoing_sent(out, length, w->sent_bytes + *used);
    return ERR_OK;
}

/* Gathers as many frames as fit, round-robin over the files. */
static size_t gather(struct session_writer *w, struct tcp_context *context,
                     struct transfer_outgoing_list *files, unsigned *frames,
                     session_writer_read_failed_fn *broken, void *session)
{
    uint32_t chunk = chunk_bytes(context);
    struct transfer_outgoing *out;
    size_t used = 0;

    while (*frames > 0 && used < GATHER_BYTES &&
           (out = transfer_outgoing_next(files, &w->settle_ms)) != NULL) {
        uint32_t length = transfer_outgoing_next_bytes(out, chunk);
        enum err e;

        if (used + FRAME_DATA_HEADER_SIZE + length > context->scratch_size)
            break;
        e = put_frame(w, context, &used, out, length);
        if (e != ERR_OK)
            broken(session, out, e);
        (*frames)--;
    }
    return used;
}

/* Sends the scratch buffer in one call. The unsent rest is copied, and sent before anything else.
 */
static enum err send_gathered(struct session_writer *w, struct session_link *link,
                              struct tcp_context *context, size_t used)
{
    size_t sent = 0;
    enum err e = used == 0 ? ERR_OK : send_some(w, context, link, context->scratch, used, &sent);

    if (e != ERR_OK && e != ERR_AGAIN)
        return e;
    return sent == used ? ERR_OK : buf_add(&w->begun, context->scratch + sent, used - sent);
}

enum err session_writer_run(struct session_writer *w, struct session_link *link,
                            struct tcp_context *context, struct transfer_outgoing_list *files,
                            unsigned most_frames, bool is_closing,
                            session_writer_read_failed_fn *broken, void *session)
{
    for (;;) {
        enum err e = flush(w, &w->begun, link, context);

        w->settle_ms = 0;
        if (e != ERR_OK || (e = flush(w, &w->control, link, context)) != ERR_OK)
            return e;
        if (is_closing || transfer_outgoing_next(files, &w->settle_ms) == NULL)
            return ERR_OK;
        if (most_frames == 0)
            return ERR_FULL;
        e = send_gathered(w, link, context,
                          gather(w, context, files, &most_frames, broken, session));
        if (e != ERR_OK)
            return e;
    }
}
