#include "loadgen/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONTROL_FRAME_LIMIT = 99997,
    HELLO_SIZE_MAX = FRAME_HEADER_SIZE + 1200,
    SLOW_BUFFER_BYTES = 4096, /* receive buffer of a slow reader */
    ANNOUNCED_PORTS = 65535,
    BURST_MS = 3,
};

static void reopen_if_due(struct loadgen_session *s);

uint64_t loadgen_session_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static const struct loadgen_session_role *role_of(const struct loadgen_session *s)
{
    return s->group->role;
}

static bool is_throttled(const struct loadgen_session *s)
{
    return role_of(s)->write_bytes_per_s > 0 || role_of(s)->read_bytes_per_s > 0;
}

static void count_live(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static void record_problem(struct loadgen_session *s, const char *what, const char *why)
{
    char *problem = s->group->tally.problem;

    if (problem[0] == '\0')
        snprintf(problem, LOADGEN_SESSION_PROBLEM_ROOM, "session %u: %s: %s", s->number, what, why);
}

static void close_socket(struct loadgen_session *s)
{
    if (s->state == LOADGEN_SESSION_CONNECTING || s->state == LOADGEN_SESSION_HELLO_SENT)
        s->group->shared->connecting--;
    if (s->watch.fd >= 0) {
        poller_remove(s->group->shared->poller, &s->watch);
        close(s->watch.fd);
        s->watch.fd = -1;
    }
    frame_decoder_fini(&s->decoder);
    s->is_writable = false;
}

static void finish_work(struct loadgen_session *s)
{
    if (s->is_busy)
        s->group->busy--;
    s->is_busy = false;
}

static void end(struct loadgen_session *s, const char *what, const char *why)
{
    struct loadgen_session_tally *tally = &s->group->tally;

    record_problem(s, what, why);
    if (s->state == LOADGEN_SESSION_OPEN)
        tally->lost++;
    else
        tally->refused++;
    if (s->outgoing != NULL)
        tally->unanswered += loadgen_outgoing_count(s->outgoing);
    close_socket(s);
    s->state = LOADGEN_SESSION_ENDED;
    /* The next handshake is tried later, by loadgen_session_tick(). */
    if (role_of(s)->work == LOADGEN_SESSION_HANDSHAKES && s->answered + 1 < s->quota) {
        s->answered++;
        s->state = LOADGEN_SESSION_NEW;
        return;
    }
    finish_work(s);
}

/* ---- opening */

static enum err bind_local(const struct loadgen_session *s, int fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    unsigned spread = s->group->shared->spread;
    const int one = 1;

    if (spread == 0)
        return ERR_OK;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 0x100 + s->number % spread);
    /* The port is chosen at connect, when the peer's address is known, so ports can be reused. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 ? ERR_OK : err_from_errno(errno);
}

static void set_socket_options(const struct loadgen_session *s, int fd)
{
    const int one = 1, little = SLOW_BUFFER_BYTES;
    const struct linger reset = {.l_onoff = 1};

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (role_of(s)->read_bytes_per_s > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    /* Closes by reset: thousands of handshakes per second would leave all ports in TIME_WAIT. */
    if (role_of(s)->work == LOADGEN_SESSION_HANDSHAKES)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

static enum err connect_socket(struct loadgen_session *s)
{
    const struct address *target = s->group->shared->target;
    struct sockaddr_storage to;
    socklen_t length = address_to_sockaddr(target, &to);
    enum err e;

    s->watch.fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->watch.fd < 0)
        return err_from_errno(errno);
    set_socket_options(s, s->watch.fd);
    if ((e = bind_local(s, s->watch.fd)) != ERR_OK)
        return e;
    if (connect(s->watch.fd, (struct sockaddr *)&to, length) != 0 && errno != EINPROGRESS)
        return err_from_errno(errno);
    return poller_add(s->group->shared->poller, &s->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

void loadgen_session_open(struct loadgen_session *s, uint64_t since_ns)
{
    enum err e;

    s->state = LOADGEN_SESSION_CONNECTING;
    s->group->shared->connecting++;
    s->since_ns = since_ns;
    frame_decoder_init(&s->decoder, CONTROL_FRAME_LIMIT);
    if ((e = connect_socket(s)) != ERR_OK)
        end(s, "connect", err_text(e));
}

/* `:PORT IDURL`: the peer's listener is at the address that the node sees. Each session announces
 * another port, so that it counts as a separate peer. */
static void send_hello(struct loadgen_session *s)
{
    uint8_t hello[HELLO_SIZE_MAX];
    int length = snprintf((char *)hello + FRAME_HEADER_SIZE, HELLO_SIZE_MAX - FRAME_HEADER_SIZE,
                          ":%u %s", 1 + s->number % ANNOUNCED_PORTS, s->group->shared->idurl);

    frame_write_header(hello, FRAME_HELLO, (size_t)length);
    length += FRAME_HEADER_SIZE;
    if (send(s->watch.fd, hello, (size_t)length, MSG_NOSIGNAL) != length)
        end(s, "hello", err_text(err_from_errno(errno)));
}

static void connected(struct loadgen_session *s)
{
    socklen_t length = sizeof(int);
    int error = 0;

    getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        end(s, "connect", err_text(err_from_errno(error)));
        return;
    }
    s->state = LOADGEN_SESSION_HELLO_SENT;
    s->is_writable = true;
    send_hello(s);
}

static bool is_counted(const struct loadgen_session *s, uint64_t since_ns)
{
    return since_ns >= s->group->counted_from_ns;
}

static void count_answer(struct loadgen_session *s, uint64_t since_ns)
{
    struct loadgen_session_tally *tally = &s->group->tally;

    if (is_counted(s, since_ns)) {
        tally->last_ns = loadgen_session_now_ns();
        loadgen_histogram_add(&tally->latency, tally->last_ns - since_ns);
    }
    if (++s->answered == s->quota)
        finish_work(s);
}

static void handshake_done(struct loadgen_session *s)
{
    count_live(&s->group->shared->live_opened, 1);
    if (role_of(s)->work != LOADGEN_SESSION_HANDSHAKES || is_counted(s, s->since_ns))
        s->group->tally.opened++;
    s->group->shared->connecting--;
    s->state = LOADGEN_SESSION_OPEN;
    if (role_of(s)->work != LOADGEN_SESSION_HANDSHAKES)
        return;
    close_socket(s);
    s->state = LOADGEN_SESSION_NEW;
    count_answer(s, s->since_ns);
    reopen_if_due(s);
}

/* ---- answers */

static void file_answered(struct loadgen_session *s, const struct frame_piece *piece)
{
    uint64_t since_ns;

    if (s->outgoing == NULL || !loadgen_outgoing_answered(s->outgoing, piece->file_id, &since_ns)) {
        end(s, "answer",
            piece->command == FRAME_ABORT ? "a file was aborted before it was completely sent"
                                          : "an ok for a file that was not sent");
        return;
    }
    if (piece->command == FRAME_OK) {
        s->group->tally.files += is_counted(s, since_ns) ? 1 : 0;
        count_live(&s->group->shared->live_files, 1);
    } else {
        s->group->tally.failed++;
        record_problem(s, "a file was answered with an abort", "see the log of the daemon");
    }
    count_answer(s, since_ns);
}

static void handle_piece(struct loadgen_session *s, const struct frame_piece *piece)
{
    if (piece->kind == FRAME_PIECE_BAD)
        end(s, "bad frame", piece->reason);
    else if (piece->command == FRAME_WAZAP && s->state == LOADGEN_SESSION_HELLO_SENT)
        handshake_done(s);
    else if (piece->command == FRAME_OK || piece->command == FRAME_ABORT)
        file_answered(s, piece);
}

/* False for handshakes whose wazap was read: they are LOADGEN_SESSION_NEW or
 * LOADGEN_SESSION_CONNECTING again. */
static bool is_connected(const struct loadgen_session *s)
{
    return s->state == LOADGEN_SESSION_HELLO_SENT || s->state == LOADGEN_SESSION_OPEN;
}

static void handle_bytes(struct loadgen_session *s, size_t length)
{
    const uint8_t *bytes = s->group->shared->scratch;
    size_t at = 0, taken;
    struct frame_piece piece;

    while (is_connected(s)) {
        if (frame_decode(&s->decoder, bytes + at, length - at, &taken, &piece) != ERR_OK) {
            end(s, "reading", err_text(ERR_NO_MEMORY));
            return;
        }
        if (piece.kind == FRAME_PIECE_NONE)
            return;
        at += taken;
        handle_piece(s, &piece);
    }
}

/* A short read means that the socket is drained; more bytes raise a new event (edge-triggered). */
static void read_answers(struct loadgen_session *s, size_t max)
{
    size_t size = max < sizeof s->group->shared->scratch ? max : sizeof s->group->shared->scratch;
    ssize_t count = (ssize_t)size;

    while (is_connected(s) && count == (ssize_t)size && max > 0) {
        count = recv(s->watch.fd, s->group->shared->scratch, size, 0);
        if (count > 0) {
            s->bytes_read += (uint64_t)count;
            max -= (size_t)count;
            handle_bytes(s, (size_t)count);
        } else if (count == 0) {
            end(s, "ended", "the peer closed the session");
        } else if (errno != EAGAIN && errno != EINTR) {
            end(s, "reading", err_text(err_from_errno(errno)));
        }
        size = max < size ? max : size;
    }
}

/* ---- work */

/* Time when start `number` was due. Latency is measured from it, not from the actual start. */
static uint64_t start_of(const struct loadgen_session *s, uint64_t number)
{
    const struct loadgen_session_group *group = s->group;

    if (group->interval_ns <= 0)
        return loadgen_session_now_ns();
    return group->origin_ns +
           (uint64_t)((double)(number * group->count + s->index) * group->interval_ns);
}

static uint64_t count_start(struct loadgen_session *s)
{
    uint64_t since = start_of(s, s->started++);

    if (s->group->tally.first_ns == 0 && is_counted(s, since))
        s->group->tally.first_ns = since;
    return since;
}

/* A throttled session catches up in bursts of at most BURST_MS. */
static double burst(double bytes_per_s)
{
    double bytes = bytes_per_s * BURST_MS / 1e3;

    return bytes < 1 ? 1 : bytes;
}

static uint64_t allowance(const struct loadgen_session *s, double bytes_per_s, uint64_t used)
{
    double allowed;

    if (bytes_per_s <= 0)
        return UINT64_MAX;
    allowed =
        bytes_per_s * (double)(loadgen_session_now_ns() - s->group->origin_ns) / 1e9 - (double)used;
    if (allowed < 1)
        return 0;
    return (uint64_t)(allowed < burst(bytes_per_s) ? allowed : burst(bytes_per_s));
}

static void write_files(struct loadgen_session *s)
{
    uint64_t max = allowance(s, role_of(s)->write_bytes_per_s, s->written), written;
    enum err e = loadgen_outgoing_write(s->outgoing, s->watch.fd, max, &written);

    s->written += written;
    count_live(&s->group->shared->live_bytes, written);
    if (e == ERR_AGAIN)
        s->is_writable = false;
    else if (e != ERR_OK)
        end(s, "writing", err_text(e));
}

static void pump(struct loadgen_session *s)
{
    if (!s->group->is_started || s->state != LOADGEN_SESSION_OPEN || s->outgoing == NULL)
        return;
    while (s->started < s->due && loadgen_outgoing_has_room(s->outgoing))
        loadgen_outgoing_start(s->outgoing, count_start(s));
    if (s->is_writable && loadgen_outgoing_is_waiting(s->outgoing))
        write_files(s);
}

static void reopen_if_due(struct loadgen_session *s)
{
    if (s->group->is_started && s->state == LOADGEN_SESSION_NEW && s->started < s->due)
        loadgen_session_open(s, count_start(s));
}

static void send_keep_alive(struct loadgen_session *s)
{
    uint8_t wazap[FRAME_HEADER_SIZE + 4] = {[FRAME_HEADER_SIZE] = 'N', 'o', 'n', 'e'};

    frame_write_header(wazap, FRAME_WAZAP, 4);
    if (s->state == LOADGEN_SESSION_OPEN &&
        send(s->watch.fd, wazap, sizeof wazap, MSG_NOSIGNAL) != (ssize_t)sizeof wazap)
        end(s, "keep-alive", err_text(err_from_errno(errno)));
}

void loadgen_session_start(struct loadgen_session *s)
{
    if (role_of(s)->work == LOADGEN_SESSION_IDLE || s->state == LOADGEN_SESSION_ENDED)
        return;
    if (s->group->interval_ns <= 0)
        s->due = s->quota;
    reopen_if_due(s);
    pump(s);
}

void loadgen_session_add_due(struct loadgen_session *s)
{
    if (role_of(s)->work == LOADGEN_SESSION_IDLE) {
        send_keep_alive(s);
        return;
    }
    if (s->due < s->quota)
        s->due++;
    reopen_if_due(s);
    pump(s);
}

void loadgen_session_tick(struct loadgen_session *s)
{
    uint64_t max = allowance(s, role_of(s)->read_bytes_per_s, s->bytes_read);

    if (role_of(s)->read_bytes_per_s > 0 && s->state == LOADGEN_SESSION_OPEN && max > 0)
        read_answers(s, (size_t)max);
    reopen_if_due(s);
    pump(s);
}

static void ready(struct watch *w, uint32_t events)
{
    struct loadgen_session *s = w->ctx;

    if (events & EPOLLOUT)
        s->is_writable = true;
    if (s->state == LOADGEN_SESSION_CONNECTING && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        connected(s);
    /* A slow reader reads in loadgen_session_tick(), except the answer to its hello. */
    if ((events & ~(uint32_t)EPOLLOUT) &&
        (role_of(s)->read_bytes_per_s <= 0 || s->state != LOADGEN_SESSION_OPEN))
        read_answers(s, SIZE_MAX);
    if (!is_throttled(s))
        pump(s);
}

enum err loadgen_session_init(struct loadgen_session *s)
{
    s->watch = (struct watch){.fd = -1, .ready = ready, .ctx = s};
    s->is_busy = s->quota > 0 && !role_of(s)->is_background;
    s->group->busy += s->is_busy ? 1 : 0;
    if (role_of(s)->work != LOADGEN_SESSION_FILES)
        return ERR_OK;
    s->outgoing = loadgen_outgoing_new(role_of(s)->payload, role_of(s)->window);
    return s->outgoing == NULL ? ERR_NO_MEMORY : ERR_OK;
}

void loadgen_session_fini(struct loadgen_session *s)
{
    if (s->outgoing != NULL && s->state == LOADGEN_SESSION_OPEN)
        s->group->tally.unanswered += loadgen_outgoing_count(s->outgoing);
    if (s->group != NULL)
        close_socket(s);
    loadgen_outgoing_free(&s->outgoing);
}
