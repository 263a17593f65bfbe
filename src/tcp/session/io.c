/* The socket of a session: connecting, reading and writing, a bounded share a turn. */
#include "tcp/session/io.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tcp/session/core.h"
#include "tcp/session/files.h"
#include "tcp/session/limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SMALL_FRAME_BYTES = 256, /* a peer whose frames are smaller on average is read in small bites */
    SMALL_READ_BYTES = 16384,
    FRAMES_PER_TURN = 16, /* data frames written in a turn */
    HOLD_MS = 250,        /* until a gateway or a disk with too much to do is looked at again */
    CONTROL_WAITING_MAX = 65536, /* a peer that does not read our answers is not read either */
};

/* Returns how many pieces it was. */
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
    return loop_now_ms(c->home->loop) * 1000;
}

/* What of `wanted` bandwidth lets pass now. If it is not all and more is to be moved, the session
 * waits for the next tick. */
static uint64_t allowed(struct session *c, enum peers_bandwidth_way way, uint64_t wanted)
{
    uint64_t bytes = peers_bandwidth_allowance(&c->home->bandwidth, &c->bandwidth, way,
                                               &c->home->settings, now_us(c));

    if (bytes >= wanted)
        return wanted;
    *(way == PEERS_BANDWIDTH_IN ? &c->is_short_in : &c->is_short_out) = true;
    return bytes;
}

static void moved(struct session *c, enum peers_bandwidth_way way, uint64_t bytes)
{
    peers_bandwidth_take(&c->home->bandwidth, &c->bandwidth, way, &c->home->settings, bytes,
                         now_us(c));
}

static void received(struct session *c, size_t length)
{
    c->received_bytes += length;
    c->activity_ms = c->heard_ms = loop_now_ms(c->home->loop);
    metrics_add(METRIC_BYTES_RECEIVED, length);
    moved(c, PEERS_BANDWIDTH_IN, length);
    if (session_core_state(c) == ST_DISCONNECT)
        return;
    c->has_small_frames = length / SMALL_FRAME_BYTES < consume(c, c->home->scratch, length);
}

static bool may_read(const struct session *c)
{
    return c->can_read && session_core_state(c) != ST_CLOSED &&
           (session_core_state(c) == ST_DISCONNECT ||
            buf_length(&c->writer.control) < CONTROL_WAITING_MAX);
}

/* But a peer that has hung up is read to its end: its session must go. */
static bool must_hold(const struct session *c)
{
    return session_core_state(c) == ST_CONNECTED && !c->has_peer_ended &&
           session_core_is_backpressured(c);
}

/* The connection has ended: by the peer's end of file (ERR_OK), or an error. */
static void lose_by(struct session *c, enum err e)
{
    bool is_closed = e == ERR_OK || e == ERR_RESET || e == ERR_CLOSED;

    if (is_closed && session_core_state(c) == ST_CLIENT) {
        session_core_lose(c, "the peer hung up before hello: not a node, or it refuses us");
        return;
    }
    c->is_peer_gone = !is_closed;
    session_core_lose(c, e == ERR_OK ? "closed by the peer" : err_text(e));
}

/* One recv(2) a turn, then the other sessions have theirs. A read that does not fill the room has
 * emptied the socket: the next bytes ring again (epoll(7), edge-triggered), only an end that was
 * announced with them must be read up to. */
void session_io_read(struct session *c)
{
    size_t room = c->home->scratch_size;
    ssize_t n;

    if (!may_read(c) || c->is_short_in || must_hold(c))
        return;
    if (!session_limits_may_read_files(c)) {
        c->is_short_in = true;
        return;
    }
    if (c->has_small_frames && room > SMALL_READ_BYTES)
        room = SMALL_READ_BYTES;
    room = (size_t)allowed(c, PEERS_BANDWIDTH_IN, room);
    if (room == 0)
        return;
    n = recv(c->watch.fd, c->home->scratch, room, MSG_DONTWAIT);
    if (n > 0) {
        if ((size_t)n < room && !c->has_peer_ended)
            c->can_read = false;
        received(c, (size_t)n);
    } else if (n == 0) {
        c->can_read = false;
        lose_by(c, ERR_OK);
    } else if (errno == EAGAIN) {
        c->can_read = false;
    } else if (errno != EINTR) {
        c->can_read = false;
        lose_by(c, err_from_errno(errno));
    }
}

/* Files go on in whole frames: a share that ends within one is gone over, and paid back by waiting.
 * What answers the peer's frames is never held back. */
static unsigned frames_allowed(struct session *c)
{
    uint64_t chunk = c->home->settings.sessions.chunk_kib * 1024ull;

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

    if (!c->can_write || c->is_shut)
        return;
    frames = frames_allowed(c);
    e = tcp_writer_run(&c->writer, c->watch.fd, c->home, &c->outgoing, frames, is_closing,
                       session_files_broken, c);
    moved(c, PEERS_BANDWIDTH_OUT, c->writer.sent_bytes - before);
    c->is_owed = c->is_owed || c->writer.sent_bytes > before;
    if (e == ERR_AGAIN) {
        c->can_write = false;
    } else if (e == ERR_FULL) {
        if (!c->is_short_out)
            session_core_wake(c);
    } else if (e != ERR_OK) {
        lose_by(c, e);
    } else if (c->writer.settle_ms > 0) {
        session_core_check_soon(c, c->writer.settle_ms);
    } else if (session_core_state(c) == ST_DISCONNECT) {
        c->is_shut = c->is_owed = true;
        shutdown(c->watch.fd, SHUT_WR);
        session_core_set_timer(c, c->home->settings.sessions.linger_ms);
    }
}

void session_io_finish_connect(struct session *c)
{
    int error_number = 0;
    socklen_t length = sizeof error_number;

    getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &error_number, &length);
    if (error_number != 0)
        session_core_disconnect(c, err_text(err_from_errno(error_number)));
    else
        automat_feed(&c->automat, EV_CONNECTION_MADE, NULL);
}

static bool may_write(const struct session *c)
{
    return c->can_write && session_core_state(c) != ST_CLOSED && c->outgoing.count > 0;
}

static void wait_for_bandwidth(struct session *c, bool has_moved)
{
    bool is_reading = c->is_short_in && may_read(c), is_writing = c->is_short_out && may_write(c);

    if (is_reading)
        metrics_add(c->files_left < 0 ? METRIC_WAITS_FILES : METRIC_WAITS_IN, 1);
    if (is_writing)
        metrics_add(METRIC_WAITS_OUT, 1);
    if ((is_reading || is_writing) && !c->is_unfinished)
        c->home->news->throttled(c->home->news_to, c, has_moved);
}

void session_io_schedule(struct session *c, bool has_moved)
{
    if (may_read(c) && must_hold(c))
        session_core_check_soon(c, HOLD_MS);
    else if (may_read(c) && !c->is_short_in)
        session_core_wake(c);
    wait_for_bandwidth(c, has_moved);
}

void session_io_ready(struct watch *w, uint32_t events)
{
    struct session *c = w->ctx;

    MAGIC_CHECK(c, SESSION_CORE_MAGIC);
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->can_read = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->has_peer_ended = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        c->can_write = true;
    session_core_wake(c);
}

enum { KEEP_ALIVE_PROBES = 3 };

/* A peer that sends nothing for half of `limit_s` is probed, and then twice more until `limit_s`.
 */
static bool set_keep_alive(int fd, int limit_s)
{
    int on = limit_s > 0, probes = KEEP_ALIVE_PROBES;
    int interval_s = limit_s / (2 * KEEP_ALIVE_PROBES) > 0 ? limit_s / (2 * KEEP_ALIVE_PROBES) : 1;
    int idle_s = limit_s > probes * interval_s ? limit_s - probes * interval_s : 1;

    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0)
        return false;
    return on == 0 ||
           (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s) == 0 &&
            setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s) == 0 &&
            setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) == 0);
}

/* Options that fail change nothing that is promised: a debug line is enough. */
void session_io_set_options(const struct session *c)
{
    int on = 1;

    if (setsockopt(c->watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        !set_keep_alive(c->watch.fd, (int)c->home->settings.sessions.tcp_keep_alive_s))
        log_debug("setsockopt: %s", strerror(errno));
}

enum err session_io_watch(struct session *c, int fd)
{
    c->watch.fd = fd;
    session_io_set_options(c);
    return loop_add(c->home->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

enum err session_io_connect(struct session *c)
{
    struct sockaddr_storage to;
    socklen_t length = address_to_sockaddr(&c->peer, &to);
    enum err e;
    int fd;

    if (address_lacks_scope(&c->peer))
        return ERR_SCOPE;
    fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_from_errno(errno);
    if (connect(fd, (const struct sockaddr *)&to, length) < 0 && errno != EINPROGRESS) {
        e = err_from_errno(errno);
        close(fd);
        return e;
    }
    e = session_io_watch(c, fd);
    if (e != ERR_OK) {
        close(fd);
        c->watch.fd = -1;
    }
    return e;
}
