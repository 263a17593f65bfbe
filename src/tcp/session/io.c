/* The socket of a session: connecting, reading and writing, a bounded amount per turn. */
#include "tcp/session/io.h"

#include "base/contract.h"
#include "base/metrics.h"
#include "tcp/session/core.h"
#include "tcp/session/files.h"
#include "tcp/session/limits.h"

#include <sys/epoll.h>

enum {
    SMALL_FRAME_BYTES = 256, /* a peer with smaller frames on average is read in small pieces */
    SMALL_READ_BYTES = 16384,
    FRAMES_PER_TURN = 16,        /* data frames written in a turn */
    PAUSE_RECHECK_MS = 250,      /* interval of checking for the end of backpressure */
    CONTROL_WAITING_MAX = 65536, /* unsent bytes at which reading stops */
};

/* Decodes and handles frames; returns the number of pieces. */
static unsigned consume(struct session *c, const uint8_t *bytes, size_t length)
{
    unsigned pieces = 0;
    size_t at = 0;

    while (!c->is_ending) {
        struct frame_piece piece;
        size_t taken;
        enum err e = frame_decode(&c->decoder, bytes + at, length - at, &taken, &piece);

        at += taken;
        if (e != ERR_OK)
            session_core_disconnect(c, err_text(e));
        else if (piece.kind == FRAME_PIECE_NONE)
            break;
        else
            automat_feed(&c->automat, EV_DATA_RECEIVED, &piece);
        pieces++;
    }
    return pieces;
}

static uint64_t now_us(const struct session *c)
{
    return loop_now_ms(c->context->loop) * 1000;
}

/* How many of `wanted` bytes the rate limit allows now. If not all, the session waits for the next
 * bandwidth tick. */
static uint64_t allowed(struct session *c, enum peers_bandwidth_direction direction,
                        uint64_t wanted)
{
    uint64_t bytes = peers_bandwidth_allowance(&c->context->bandwidth, &c->bandwidth, direction,
                                               &c->context->settings, now_us(c));

    if (bytes >= wanted)
        return wanted;
    *(direction == PEERS_BANDWIDTH_IN ? &c->is_limited_in : &c->is_limited_out) = true;
    return bytes;
}

static void moved(struct session *c, enum peers_bandwidth_direction direction, uint64_t bytes)
{
    peers_bandwidth_take(&c->context->bandwidth, &c->bandwidth, direction, &c->context->settings,
                         bytes, now_us(c));
}

static void received(struct session *c, size_t length)
{
    c->received_bytes += length;
    c->activity_ms = c->received_ms = loop_now_ms(c->context->loop);
    metrics_add(METRIC_BYTES_RECEIVED, length);
    moved(c, PEERS_BANDWIDTH_IN, length);
    if (session_core_state(c) == ST_DISCONNECT)
        return;
    c->has_small_frames = length / SMALL_FRAME_BYTES < consume(c, c->context->scratch, length);
}

static bool may_read(const struct session *c)
{
    return session_link_has_pending(&c->link) && session_core_state(c) != ST_CLOSED &&
           (session_core_state(c) == ST_DISCONNECT ||
            buf_length(&c->writer.control) < CONTROL_WAITING_MAX);
}

/* Reading is paused by backpressure, but not once the peer has closed: its session must end. */
static bool is_paused(const struct session *c)
{
    return session_core_state(c) == ST_CONNECTED && !session_link_has_end(&c->link) &&
           session_core_is_backpressured(c);
}

/* The connection ended: `e` is ERR_OK for the peer's end of file. */
static void connection_ended(struct session *c, enum err e)
{
    bool is_closed = e == ERR_OK || e == ERR_RESET || e == ERR_CLOSED;

    if (is_closed && session_core_state(c) == ST_CLIENT) {
        session_core_connection_lost(c,
                                     "the peer hung up before hello: not a node, or it refuses us");
        return;
    }
    c->is_peer_gone = !is_closed;
    session_core_connection_lost(c, e == ERR_OK ? "closed by the peer" : err_text(e));
}

/* One read per turn, for fairness between sessions. */
void session_io_read(struct session *c)
{
    size_t size = c->context->scratch_size, length;
    enum err e;

    if (!may_read(c) || c->is_limited_in || is_paused(c))
        return;
    if (!session_limits_may_read_files(c)) {
        c->is_limited_in = true;
        return;
    }
    if (c->has_small_frames && size > SMALL_READ_BYTES)
        size = SMALL_READ_BYTES;
    size = (size_t)allowed(c, PEERS_BANDWIDTH_IN, size);
    if (size == 0)
        return;
    e = session_link_recv(&c->link, c->context->scratch, size, &length);
    if (e == ERR_OK && length > 0)
        received(c, length);
    else if (e != ERR_AGAIN)
        connection_ended(c, e);
}

/* Only whole frames are sent: the rate limit is exceeded by part of a frame at most, and the next
 * turns wait for it. Control frames are never delayed. */
static unsigned frames_allowed(struct session *c)
{
    uint64_t chunk = c->context->settings.sessions.chunk_kib * 1024ull;

    if (c->outgoing.count == 0)
        return FRAMES_PER_TURN;
    return (unsigned)((allowed(c, PEERS_BANDWIDTH_OUT, FRAMES_PER_TURN * chunk) + chunk - 1) /
                      chunk);
}

void session_io_write(struct session *c)
{
    bool is_closing = session_core_state(c) != ST_CONNECTED;
    uint64_t before = c->writer.sent_bytes;
    unsigned frames;
    enum err e;

    if (!session_link_is_writable(&c->link) || c->is_shut)
        return;
    frames = frames_allowed(c);
    e = session_writer_run(&c->writer, &c->link, c->context, &c->outgoing, frames, is_closing,
                           session_files_read_failed, c);
    moved(c, PEERS_BANDWIDTH_OUT, c->writer.sent_bytes - before);
    c->is_ack_pending = c->is_ack_pending || c->writer.sent_bytes > before;
    if (e == ERR_AGAIN)
        return;
    if (e == ERR_FULL) {
        if (!c->is_limited_out)
            session_core_wake(c);
    } else if (e != ERR_OK) {
        connection_ended(c, e);
    } else if (c->writer.settle_ms > 0) {
        session_core_check_soon(c, c->writer.settle_ms);
    } else if (session_core_state(c) == ST_DISCONNECT &&
               session_link_shutdown(&c->link) != ERR_AGAIN) {
        c->is_shut = c->is_ack_pending = true;
        session_core_set_timer(c, c->context->settings.sessions.linger_ms);
    }
}

void session_io_handshake(struct session *c)
{
    enum err e = session_link_handshake(&c->link);

    if (e == ERR_OK)
        automat_feed(&c->automat, EV_CONNECTION_MADE, NULL);
    else if (e != ERR_AGAIN)
        session_core_disconnect(c, err_text(e));
}

static bool may_write(const struct session *c)
{
    return session_link_is_writable(&c->link) && session_core_state(c) != ST_CLOSED &&
           c->outgoing.count > 0;
}

static void wait_for_bandwidth(struct session *c, bool has_moved)
{
    bool is_reading = c->is_limited_in && may_read(c),
         is_writing = c->is_limited_out && may_write(c);

    if (is_reading)
        metrics_add(c->files_left < 0 ? METRIC_WAITS_FILES : METRIC_WAITS_IN, 1);
    if (is_writing)
        metrics_add(METRIC_WAITS_OUT, 1);
    if ((is_reading || is_writing) && !c->is_scheduled)
        c->context->callbacks->throttled(c->context->callbacks_ctx, c, has_moved);
}

void session_io_schedule(struct session *c, bool has_moved)
{
    if (may_read(c) && is_paused(c))
        session_core_check_soon(c, PAUSE_RECHECK_MS);
    else if (may_read(c) && !c->is_limited_in)
        session_core_wake(c);
    wait_for_bandwidth(c, has_moved);
}

void session_io_ready(struct watch *w, uint32_t events)
{
    struct session *c = w->ctx;

    MAGIC_CHECK(c, SESSION_CORE_MAGIC);
    session_link_ready(&c->link, events);
    session_core_wake(c);
}

void session_io_set_options(const struct session *c)
{
    session_link_set_options(&c->link, (int)c->context->settings.sessions.tcp_keep_alive_s);
}

static enum err watch(struct session *c)
{
    c->watch.fd = c->link.fd;
    session_io_set_options(c);
    return loop_add(c->context->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

enum err session_io_accept(struct session *c, int fd)
{
    session_link_take(&c->link, fd);
    return watch(c);
}

enum err session_io_connect(struct session *c)
{
    enum err e = session_link_connect(&c->link, &c->peer);

    if (e == ERR_OK && (e = watch(c)) != ERR_OK)
        session_link_close(&c->link);
    return e;
}
