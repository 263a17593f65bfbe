#include "tcp/tcp_writer.h"

#include "base/contract.h"
#include "base/metrics.h"
#include "wire/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Last frames gathered for one send(2), before the one that goes over it: bounds what a session
 * whose peer does not read can hold. */
enum { GATHER_BYTES = 65536 };

void tcp_writer_init(struct tcp_writer *w, uint64_t now_ms)
{
    *w = (struct tcp_writer){.abandoned = {.fd = -1}, .progress_ms = now_ms};
}

void tcp_writer_fini(struct tcp_writer *w)
{
    buf_clear(&w->control);
    buf_clear(&w->begun);
    outbox_close(&w->abandoned);
    w->current = NULL;
    w->frame_left = 0;
}

bool tcp_writer_has_bytes(const struct tcp_writer *w)
{
    return buf_length(&w->control) > 0 || buf_length(&w->begun) > 0 || w->frame_left > 0;
}

static void count_sent(struct tcp_writer *w, struct tcp_home *home, size_t bytes)
{
    w->sent_bytes += bytes;
    w->progress_ms = loop_now_ms(home->loop);
    metrics_add(METRIC_BYTES_SENT, bytes);
}

static enum err send_some(int socket, const void *bytes, size_t length, bool is_more, size_t *sent)
{
    ssize_t n;

    do
        n = send(socket, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT | (is_more ? MSG_MORE : 0));
    while (n < 0 && errno == EINTR);
    *sent = n < 0 ? 0 : (size_t)n;
    return n < 0 ? err_from_errno(errno) : ERR_OK;
}

/* ERR_OK: the buffer is empty. */
static enum err flush(struct tcp_writer *w, struct buf *b, int socket, struct tcp_home *home,
                      bool is_more)
{
    while (buf_length(b) > 0) {
        size_t sent;
        enum err e = send_some(socket, buf_bytes(b), buf_length(b), is_more, &sent);

        if (e != ERR_OK)
            return e;
        count_sent(w, home, sent);
        buf_take(b, sent);
    }
    return ERR_OK;
}

/* What the file no longer has, so that the frame keeps its length. */
static enum err send_padding(struct tcp_writer *w, int socket, struct tcp_home *home)
{
    static const uint8_t zeros[16384];
    size_t sent, length = w->frame_left < sizeof zeros ? w->frame_left : sizeof zeros;
    enum err e = send_some(socket, zeros, length, false, &sent);

    if (e == ERR_OK) {
        count_sent(w, home, sent);
        w->frame_left -= (uint32_t)sent;
    }
    return e;
}

static enum err send_from_file(struct tcp_writer *w, int socket, struct tcp_home *home)
{
    const struct outbox_file *file = w->current != NULL ? &w->current->file : &w->abandoned;
    bool is_socket = false;
    size_t sent = 0;
    enum err e;

    if (w->is_padding)
        return send_padding(w, socket, home);
    e = outbox_send(file, w->frame_offset, w->frame_left, socket, &sent, &is_socket);
    if (e == ERR_OK) {
        count_sent(w, home, sent);
        w->frame_left -= (uint32_t)sent;
        w->frame_offset += sent;
        if (w->current != NULL)
            tcp_outgoing_sent(w->current, (uint32_t)sent);
        return ERR_OK;
    }
    if (e == ERR_AGAIN || is_socket)
        return e;
    w->is_padding = true;
    return ERR_OK;
}

/* The frame under way is through. */
static void end_frame(struct tcp_writer *w, tcp_writer_broken_fn *broken, void *session)
{
    struct tcp_outgoing *out = w->current;
    bool was_short = w->is_padding;

    w->current = NULL;
    w->is_padding = false;
    outbox_close(&w->abandoned);
    if (out != NULL && was_short)
        broken(session, out, ERR_SHRUNK);
}

/* A last frame is put together in the scratch buffer: one that did not fit would never go out. */
static uint32_t chunk_bytes(const struct tcp_home *home)
{
    uint32_t chunk = home->settings.sessions.chunk_kib * 1024;
    size_t room = home->scratch_size - FRAME_DATA_HEADER_SIZE;

    if (chunk > FRAME_DATA_BYTES_MAX)
        chunk = FRAME_DATA_BYTES_MAX;
    return chunk < room ? chunk : (uint32_t)room;
}

static bool is_last_frame(const struct tcp_outgoing *out, uint32_t chunk)
{
    return out->file.size_bytes - out->offset <= chunk;
}

static struct tcp_outgoing *next_in_turn(struct tcp_outgoing_list *files)
{
    struct tcp_outgoing *out;

    TAILQ_FOREACH (out, &files->head, link)
        if (out->phase == OUTGOING_SENDING)
            return out;
    return NULL;
}

static void to_the_back(struct tcp_outgoing_list *files, struct tcp_outgoing *out)
{
    TAILQ_REMOVE(&files->head, out, link);
    TAILQ_INSERT_TAIL(&files->head, out, link);
}

/* Appends a whole last frame to the scratch buffer. The file is not needed after it. */
static enum err put_last_frame(const struct tcp_writer *w, struct tcp_home *home, size_t *used,
                               struct tcp_outgoing *out)
{
    uint32_t length = (uint32_t)(out->file.size_bytes - out->offset);
    uint8_t *at = home->scratch + *used;
    enum err e = outbox_read(&out->file, out->offset, at + FRAME_DATA_HEADER_SIZE, length);

    if (e != ERR_OK)
        return e;
    frame_write_data_header(at, out->file_id, (int32_t)out->file.size_bytes, length);
    *used += FRAME_DATA_HEADER_SIZE + length;
    out->is_begun = true;
    out->offset += length;
    out->phase = OUTGOING_OK_AWAITED;
    out->whole_ms = loop_now_ms(home->loop);
    out->whole_at = w->sent_bytes + *used; /* nothing else is begun before it */
    outbox_close(&out->file);
    tcp_outgoing_sent(out, length);
    return ERR_OK;
}

/* Gathers last frames, one file after the other, as many as fit, and sends them in one call. What
 * the socket does not take is kept. */
static enum err send_last_frames(struct tcp_writer *w, int socket, struct tcp_home *home,
                                 struct tcp_outgoing_list *files, unsigned *frames,
                                 tcp_writer_broken_fn *broken, void *session)
{
    uint32_t chunk = chunk_bytes(home);
    struct tcp_outgoing *out;
    size_t used = 0, sent = 0;
    enum err e;

    while (*frames > 0 && used < GATHER_BYTES && (out = next_in_turn(files)) != NULL &&
           is_last_frame(out, chunk) &&
           used + FRAME_DATA_HEADER_SIZE + (out->file.size_bytes - out->offset) <=
               home->scratch_size) {
        e = put_last_frame(w, home, &used, out);
        if (e == ERR_OK)
            to_the_back(files, out);
        else
            broken(session, out, e);
        (*frames)--;
    }
    if (used == 0)
        return ERR_OK;
    e = send_some(socket, home->scratch, used, false, &sent);
    count_sent(w, home, sent);
    if (e != ERR_OK && e != ERR_AGAIN)
        return e;
    if (sent == used)
        return ERR_OK;
    e = buf_add(&w->begun, home->scratch + sent, used - sent);
    return e == ERR_OK ? ERR_AGAIN : e;
}

/* Any frame but a file's last: header now, bytes by sendfile. */
static enum err begin_frame(struct tcp_writer *w, struct tcp_home *home,
                            struct tcp_outgoing_list *files, struct tcp_outgoing *out)
{
    uint8_t header[FRAME_DATA_HEADER_SIZE];
    uint32_t chunk = chunk_bytes(home);
    enum err e;

    frame_write_data_header(header, out->file_id, (int32_t)out->file.size_bytes, chunk);
    e = buf_add(&w->begun, header, sizeof header);
    if (e != ERR_OK)
        return e;
    w->current = out;
    w->frame_left = chunk;
    w->frame_offset = out->offset;
    out->is_begun = true;
    out->offset += chunk;
    to_the_back(files, out);
    return ERR_OK;
}

/* Between frames: the next ones begin. */
static enum err begin_next(struct tcp_writer *w, int socket, struct tcp_home *home,
                           struct tcp_outgoing_list *files, unsigned *frames,
                           tcp_writer_broken_fn *broken, void *session)
{
    struct tcp_outgoing *out = next_in_turn(files);

    if (is_last_frame(out, chunk_bytes(home)))
        return send_last_frames(w, socket, home, files, frames, broken, session);
    (*frames)--;
    return begin_frame(w, home, files, out);
}

enum err tcp_writer_run(struct tcp_writer *w, int socket, struct tcp_home *home,
                        struct tcp_outgoing_list *files, unsigned most_frames, bool is_closing,
                        tcp_writer_broken_fn *broken, void *session)
{
    for (;;) {
        enum err e = flush(w, &w->begun, socket, home, w->frame_left > 0);

        while (e == ERR_OK && w->frame_left > 0)
            e = send_from_file(w, socket, home);
        if (e != ERR_OK)
            return e;
        if (w->current != NULL || w->abandoned.fd >= 0 || w->is_padding)
            end_frame(w, broken, session);
        if ((e = flush(w, &w->control, socket, home, false)) != ERR_OK)
            return e;
        if (is_closing || next_in_turn(files) == NULL)
            return ERR_OK;
        if (most_frames == 0)
            return ERR_FULL;
        if ((e = begin_next(w, socket, home, files, &most_frames, broken, session)) != ERR_OK)
            return e;
    }
}

void tcp_writer_abandon(struct tcp_writer *w, struct tcp_outgoing *out)
{
    if (w->current != out)
        return;
    w->current = NULL;
    if (w->frame_left > 0) {
        w->abandoned = out->file;
        out->file.fd = -1;
    }
}
