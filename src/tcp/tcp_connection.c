#include "tcp/tcp_connection.h"

#include "tcp_connection_priv.h"

#include "base/clock.h"
#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint32_t connection_magic = 0x636f6e6e; /* "conn" */

enum {
    READS_PER_TURN = 4,     /* of the whole scratch buffer, before other sessions have their turn */
    PIECES_PER_TURN = 1024, /* taken apart in a turn: a frame costs its time however small it is */
    SMALL_FRAME_BYTES = 256, /* a peer whose frames are smaller on average is read in small bites */
    SMALL_READ_BYTES = 16384,
    FRAMES_PER_TURN = 16,        /* data frames written in a turn */
    CONTROL_WAITING_MAX = 65536, /* a peer that does not read our answers is not read either */
    CHECK_MS = 1000,
    REFERENCE_PORT = 7771, /* announced by who does not listen (docs/protocol.md, 2) */
    FILE_ID_FIRST = 100000000,
    FILE_ID_SPREAD = 1 << 30,
};

/* Small helpers. */

static void wakes(struct tcp_connection *c)
{
    if (!c->is_unfinished)
        c->news->unfinished(c->worker, c);
}

void tcp_connection_wake(struct tcp_connection *c)
{
    wakes(c);
}

enum tcp_connection_state tcp_connection_state(const struct tcp_connection *c)
{
    return (enum tcp_connection_state)c->automat.state;
}

static void set_reason(struct tcp_connection *c, const char *reason)
{
    if (c->reason[0] == '\0')
        snprintf(c->reason, sizeof c->reason, "%.*s", (int)sizeof c->reason - 1, reason);
}

static bool is_routed(const struct tcp_connection *c)
{
    return c->route.family != ADDRESS_NONE;
}

static void log_here(enum log_level level, const struct tcp_connection *c, const char *what)
{
    char peer[ADDRESS_TEXT_SIZE];

    log_session(level, c->id, address_text(peer, &c->peer), "%s", what);
}

static const char *idurl_of(const struct tcp_connection *c)
{
    return c->idurl == NULL ? "" : c->idurl;
}

static void emit(const struct tcp_connection *c, enum event_kind kind, const char *reason)
{
    struct event *e = event_new(kind, idurl_of(c), NULL, reason);

    if (e == NULL)
        return;
    e->session = c->id;
    e->is_outgoing = c->is_outgoing;
    e->bytes_sent = c->writer.sent_bytes;
    e->bytes_received = c->received_bytes;
    address_text(e->host, &c->peer);
    snprintf(e->proto, sizeof e->proto, "tcp");
    event_emit(c->home->events, e);
}

static void set_timer(struct tcp_connection *c, uint64_t delay_ms)
{
    loop_set_timer(c->home->loop, &c->timer, delay_ms);
}

/* Ends from outside. */

void tcp_connection_disconnect(struct tcp_connection *c, const char *reason)
{
    if (c->is_ending)
        return;
    c->is_ending = true;
    set_reason(c, reason);
    if (tcp_connection_state(c) == ST_AT_STARTUP)
        wakes(c); /* never came to life: its turn buries it */
    else
        automat_feed(&c->automat, EV_DISCONNECT, NULL);
}

static void lose(struct tcp_connection *c, const char *reason)
{
    set_reason(c, reason);
    automat_feed(&c->automat, EV_CONNECTION_LOST, NULL);
}

void tcp_connection_drop(struct tcp_connection *c, const char *reason)
{
    c->is_ending = true;
    if (tcp_connection_state(c) == ST_AT_STARTUP) {
        set_reason(c, reason);
        wakes(c);
    } else {
        lose(c, reason);
    }
}

void tcp_connection_drain(struct tcp_connection *c)
{
    c->is_draining = true;
    tcp_files_fail_waiting(c, "disconnecting", false);
    if (tcp_connection_state(c) == ST_CONNECTED)
        wakes(c);
    else
        tcp_connection_disconnect(c, "disconnecting");
}

bool tcp_connection_keep_alive(struct tcp_connection *c)
{
    return automat_feed(&c->automat, EV_SEND_KEEP_ALIVE, NULL);
}

void tcp_connection_settings_changed(struct tcp_connection *c)
{
    if (tcp_connection_state(c) == ST_CONNECTED)
        set_timer(c, CHECK_MS);
}

/* The actions, in the order of the table. */

static const char *own_idurl(const struct tcp_connection *c)
{
    const char *idurl = c->home->settings.node.idurl;

    return idurl[0] == '\0' ? "None" : idurl;
}

static bool is_incoming(const void *self, const void *arg)
{
    (void)arg;
    return !((const struct tcp_connection *)self)->is_outgoing;
}

static bool is_outgoing(const void *self, const void *arg)
{
    (void)arg;
    return ((const struct tcp_connection *)self)->is_outgoing;
}

static bool is_hello(const void *self, const void *arg)
{
    const struct frame_piece *piece = arg;
    struct hello hello;

    (void)self;
    return piece->kind == FRAME_PIECE_CONTROL && piece->command == FRAME_HELLO &&
           hello_parse(&hello, piece->bytes, piece->length) == ERR_OK;
}

static bool is_wazap(const void *self, const void *arg)
{
    const struct frame_piece *piece = arg;

    (void)self;
    return piece->kind == FRAME_PIECE_CONTROL && piece->command == FRAME_WAZAP;
}

static void do_init(void *self, const void *arg)
{
    struct tcp_connection *c = self;

    (void)arg;
    metrics_add(c->is_outgoing ? METRIC_SESSIONS_DIALLED : METRIC_SESSIONS_ACCEPTED, 1);
    set_timer(c, c->home->settings.sessions.handshake_timeout_s * 1000ull);
    log_here(LOG_LEVEL_DEBUG, c, c->is_outgoing ? "connected" : "accepted");
    emit(c, EVENT_SESSION_OPENED, NULL);
}

static void do_close_outgoing(void *self, const void *arg)
{
    struct tcp_connection *c = self;

    (void)arg;
    c->is_connecting = false;
    c->news->connected_out(c->worker);
}

/* IPv4 or a name only: the reference cannot read an IPv6 literal. Empty means 'the address you
 * see'. */
static const char *own_host(const struct tcp_connection *c)
{
    const char *host = c->home->settings.node.host;

    if (!c->home->settings.tcp_transport.is_receiving_enabled)
        return "127.0.0.1";
    return strchr(host, ':') != NULL || c->peer.family == ADDRESS_V6 ? "" : host;
}

static void must(struct tcp_connection *c, enum err e)
{
    if (e != ERR_OK)
        tcp_connection_disconnect(c, err_text(e));
    wakes(c);
}

static void do_send_hello(void *self, const void *arg)
{
    struct tcp_connection *c = self;
    const struct settings *s = &c->home->settings;
    uint16_t port =
        s->tcp_transport.is_receiving_enabled ? s->tcp_connections.tcp_port : REFERENCE_PORT;

    (void)arg;
    must(c, frame_add_hello(&c->writer.control, own_host(c), port, own_idurl(c)));
}

static void do_send_wazap(void *self, const void *arg)
{
    struct tcp_connection *c = self;

    (void)arg;
    c->activity_ms = loop_now_ms(c->home->loop);
    must(c, frame_add_wazap(&c->writer.control, own_idurl(c)));
}

static char *escaped(const void *bytes, size_t length)
{
    char *text = malloc(3 * length + 1), *fitting;

    if (text == NULL)
        return NULL;
    text_escape(text, 3 * length + 1, bytes, length, true);
    fitting = realloc(text, strlen(text) + 1);
    return fitting != NULL ? fitting : text;
}

static void take_idurl(struct tcp_connection *c, const void *bytes, size_t length)
{
    if (length == 0 || (length == 4 && memcmp(bytes, "None", 4) == 0))
        return;
    c->idurl = escaped(bytes, length);
    if (c->idurl == NULL)
        tcp_connection_disconnect(c, err_text(ERR_NO_MEMORY));
}

static bool is_trusted(const struct tcp_connection *c)
{
    const struct network_list *list = &c->home->settings.sessions.trusted_announcers;

    for (unsigned i = 0; i < list->count; i++)
        if (network_contains(&list->networks[i], &c->peer))
            return true;
    return false;
}

/* The address that a hello announces, if files for it may go down this session: a numeric one, that
 * is the session's own source or from a trusted announcer, and neither ours nor the reference's
 * word for 'none' (docs/protocol.md, 2: routing by announced address). */
static bool announced_route(const struct tcp_connection *c, const struct hello *hello,
                            struct address *out)
{
    char host[ADDRESS_TEXT_SIZE];

    if (!hello->is_port_usable || hello->host_length >= sizeof host)
        return false;
    *out = c->peer;
    out->port = hello->port;
    if (hello->host_length > 0) {
        memcpy(host, hello->host, hello->host_length);
        host[hello->host_length] = '\0';
        if (strlen(host) != hello->host_length ||
            address_from_ip_text(out, host, hello->port) != ERR_OK)
            return false;
        if (!address_is_same_ip(out, &c->peer) && !is_trusted(c))
            return false;
        if (address_is_loopback(out) && !address_is_loopback(&c->peer))
            return false;
    }
    return !address_is_wildcard(out) && !tcp_directory_is_own(c->home->directory, out);
}

static void do_read_hello(void *self, const void *arg)
{
    struct tcp_connection *c = self;
    const struct frame_piece *piece = arg;
    struct hello hello;
    struct address route;
    size_t address_length;

    CONTRACT(hello_parse(&hello, piece->bytes, piece->length) == ERR_OK);
    take_idurl(c, hello.idurl, hello.idurl_length);
    if (!hello.is_port_usable || !text_is_printable(hello.host, hello.host_length)) {
        log_here(LOG_LEVEL_DEBUG, c, "the announced address is unusable");
        return;
    }
    /* HOST:PORT is all before the space and the IDURL. */
    address_length = piece->length - hello.idurl_length - 1;
    c->announced = escaped(piece->bytes,
                           address_length < ADDRESS_HOST_SIZE ? address_length : ADDRESS_HOST_SIZE);
    if (announced_route(c, &hello, &route))
        c->route = route;
}

static void do_read_wazap(void *self, const void *arg)
{
    const struct frame_piece *piece = arg;

    take_idurl(self, piece->bytes, piece->length);
}

static void answer_awaiters(struct tcp_connection *c, enum err result)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&c->awaiters)) != NULL) {
        struct host_request *r = (struct host_request *)(void *)m;

        STAILQ_REMOVE_HEAD(&c->awaiters, link);
        r->answer = false;
        r->session = c->id;
        if (result != ERR_OK)
            snprintf(r->error, sizeof r->error, "%s", c->reason);
        request_answer(&r->request, result);
    }
}

static void do_open_stream(void *self, const void *arg)
{
    struct tcp_connection *c = self;
    char peer[ADDRESS_TEXT_SIZE];

    (void)arg;
    tcp_directory_connected(c->home->directory, c->id, is_routed(c) ? &c->route : NULL);
    log_session(LOG_LEVEL_INFO, c->id, address_text(peer, &c->peer),
                "session opened: %s idurl=%s announced=%s%s",
                c->is_outgoing ? "outgoing" : "incoming", c->idurl == NULL ? "-" : c->idurl,
                c->announced == NULL ? "-" : c->announced,
                c->announced != NULL && !is_routed(c) ? " (unverified)" : "");
    set_timer(c, CHECK_MS);
    answer_awaiters(c, ERR_OK);
    emit(c, EVENT_SESSION_IDENTIFIED, NULL);
    wakes(c);
}

static void do_start_pending_files(void *self, const void *arg)
{
    (void)arg;
    tcp_files_start_pending(self);
}

static void do_receive_data(void *self, const void *arg)
{
    struct tcp_connection *c = self;

    tcp_files_receive(c, arg);
}

static void do_stop_in_out_files(void *self, const void *arg)
{
    struct tcp_connection *c = self;

    (void)arg;
    /* Told to the peer when the end is ours: then there is still somebody to tell. */
    if (tcp_connection_state(c) == ST_DISCONNECT)
        tcp_files_stop(c, c->reason[0] == '\0' ? "disconnecting" : c->reason, true);
    else
        tcp_files_stop(c, "connection closed", false);
}

static void do_close_stream(void *self, const void *arg)
{
    struct tcp_connection *c = self;

    (void)arg;
    tcp_directory_hide(c->home->directory, c->id);
}

static void log_refusal(struct tcp_connection *c)
{
    char peer[ADDRESS_TEXT_SIZE];

    metrics_add(METRIC_HANDSHAKES_FAILED, 1);
    log_session(LOG_LEVEL_INFO, c->id, address_text(peer, &c->peer),
                "session refused: no handshake: %s", c->reason);
}

static void do_disconnect(void *self, const void *arg)
{
    struct tcp_connection *c = self;
    const struct frame_piece *piece = arg;

    c->is_ending = true;
    if (piece != NULL && piece->kind == FRAME_PIECE_BAD)
        set_reason(c, piece->reason);
    else if (piece != NULL)
        set_reason(c,
                   c->is_outgoing ? "the first frame is no wazap" : "the first frame is no hello");
    set_reason(c, "disconnected");
    tcp_directory_hide(c->home->directory, c->id);
    if (c->opened_ms == 0)
        log_refusal(c);
    tcp_files_fail_waiting(c, "disconnected", c->opened_ms == 0);
    answer_awaiters(c, ERR_CLOSED);
    set_timer(c, c->home->settings.sessions.linger_ms);
    wakes(c);
}

static void log_end(const struct tcp_connection *c)
{
    char peer[ADDRESS_TEXT_SIZE];

    log_session(LOG_LEVEL_INFO, c->id, address_text(peer, &c->peer),
                "session closed: sent=%" PRIu64 " received=%" PRIu64 " seconds=%.3f reason=\"%s\"",
                c->writer.sent_bytes, c->received_bytes,
                (double)(clock_real_us() - c->opened_us) / 1e6, c->reason);
}

/* Out of everything that could call it again; the memory goes after the turn. */
static void bury(struct tcp_connection *c)
{
    loop_cancel_timer(c->home->loop, &c->timer);
    if (c->watch.fd >= 0) {
        loop_remove(c->home->loop, &c->watch);
        close(c->watch.fd);
        c->watch.fd = -1;
    }
    tcp_directory_leave(c->home->directory, c->id);
    c->news->closed(c->worker, c);
}

static void do_destroy_me(void *self, const void *arg)
{
    struct tcp_connection *c = self;
    bool was_open = c->opened_ms != 0;

    (void)arg;
    c->is_ending = true;
    set_reason(c, "connection lost");
    if (was_open)
        log_end(c);
    else if (!c->is_shut)
        log_here(LOG_LEVEL_DEBUG, c, c->reason);
    tcp_files_fail_waiting(c, was_open ? "connection closed" : "connection failed", !was_open);
    answer_awaiters(c, ERR_CLOSED);
    metrics_add(METRIC_SESSIONS_CLOSED, 1);
    emit(c, EVENT_SESSION_CLOSED, c->reason);
    bury(c);
}

/* The machine (docs/automata.md). */

static const struct automat_row rows[] = {
    /* clang-format off */
    /* in              when                 only if                   go to           then, left to right */
    { ST_AT_STARTUP,  EV_CONNECTION_MADE,  AUTOMAT_IF(is_incoming),  ST_SERVER,      { AUTOMAT_DO(do_init) } },
    { ST_AT_STARTUP,  EV_CONNECTION_MADE,  AUTOMAT_IF(is_outgoing),  ST_CLIENT,      { AUTOMAT_DO(do_init), AUTOMAT_DO(do_close_outgoing), AUTOMAT_DO(do_send_hello) } },
    { ST_SERVER,      EV_DATA_RECEIVED,    AUTOMAT_IF(is_hello),     ST_CONNECTED,   { AUTOMAT_DO(do_read_hello), AUTOMAT_DO(do_send_wazap), AUTOMAT_DO(do_open_stream), AUTOMAT_DO(do_start_pending_files) } },
    { ST_SERVER,      EV_DATA_RECEIVED,    AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_SERVER,      EV_TIMER_10SEC,      AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_SERVER,      EV_DISCONNECT,       AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_SERVER,      EV_CONNECTION_LOST,  AUTOMAT_ALWAYS,           ST_CLOSED,      { AUTOMAT_DO(do_destroy_me) } },
    { ST_CLIENT,      EV_DATA_RECEIVED,    AUTOMAT_IF(is_wazap),     ST_CONNECTED,   { AUTOMAT_DO(do_read_wazap), AUTOMAT_DO(do_open_stream), AUTOMAT_DO(do_start_pending_files) } },
    { ST_CLIENT,      EV_DATA_RECEIVED,    AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_CLIENT,      EV_TIMER_10SEC,      AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_CLIENT,      EV_DISCONNECT,       AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_CLIENT,      EV_CONNECTION_LOST,  AUTOMAT_ALWAYS,           ST_CLOSED,      { AUTOMAT_DO(do_destroy_me) } },
    { ST_CONNECTED,   EV_DATA_RECEIVED,    AUTOMAT_ALWAYS,           ST_CONNECTED,   { AUTOMAT_DO(do_receive_data) } },
    { ST_CONNECTED,   EV_SEND_KEEP_ALIVE,  AUTOMAT_ALWAYS,           ST_CONNECTED,   { AUTOMAT_DO(do_send_wazap) } },
    { ST_CONNECTED,   EV_DISCONNECT,       AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_stop_in_out_files), AUTOMAT_DO(do_close_stream), AUTOMAT_DO(do_disconnect) } },
    { ST_CONNECTED,   EV_CONNECTION_LOST,  AUTOMAT_ALWAYS,           ST_CLOSED,      { AUTOMAT_DO(do_stop_in_out_files), AUTOMAT_DO(do_close_stream), AUTOMAT_DO(do_destroy_me) } },
    { ST_DISCONNECT,  EV_CONNECTION_LOST,  AUTOMAT_ALWAYS,           ST_CLOSED,      { AUTOMAT_DO(do_destroy_me) } },
    /* clang-format on */
};

static const char *const state_names[] = {
#define X(name, text) text,
    TCP_CONNECTION_STATES(X)
#undef X
};
static const char *const event_names[] = {
#define X(name, text) text,
    TCP_CONNECTION_EVENTS(X)
#undef X
};

/* The moment of the handshake is what tells an open session from one that never was. */
static void stepped(void *self, uint8_t from, uint8_t event, uint8_t to)
{
    struct tcp_connection *c = self;

    (void)event;
    if (from != ST_CONNECTED && to == ST_CONNECTED)
        c->opened_ms = loop_now_ms(c->home->loop);
}

const struct automat_kind tcp_connection_kind = {
    .name = "tcp_connection",
    .state_names = state_names,
    .event_names = event_names,
    .state_count = ST_COUNT,
    .event_count = EV_COUNT,
    .first = ST_AT_STARTUP,
    .last = ST_CLOSED,
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .stepped = stepped,
};

/* Time. */

static void check(struct tcp_connection *c)
{
    const struct settings *s = &c->home->settings;
    uint64_t keep_alive_ms = s->sessions.keep_alive_s * 1000ull;
    uint64_t now_ms = loop_now_ms(c->home->loop);

    tcp_files_check(c);
    if (keep_alive_ms > 0 && now_ms - c->activity_ms >= keep_alive_ms)
        automat_feed(&c->automat, EV_SEND_KEEP_ALIVE, NULL);
    if (tcp_connection_state(c) != ST_CONNECTED)
        return;
    if (tcp_files_is_busy(c))
        set_timer(c, CHECK_MS);
    else if (keep_alive_ms > 0)
        set_timer(c, keep_alive_ms - (now_ms - c->activity_ms));
}

/* With files under way the limits are looked at every second, though the timer may stand on a
 * keep-alive that is far off. */
static void check_soon(struct tcp_connection *c)
{
    if (!c->timer.is_set || c->timer.deadline_ms > loop_now_ms(c->home->loop) + CHECK_MS)
        set_timer(c, CHECK_MS);
}

static void time_is_up(struct timer *timer, void *ctx)
{
    struct tcp_connection *c = ctx;

    (void)timer;
    switch (tcp_connection_state(c)) {
    case ST_AT_STARTUP:
        tcp_connection_disconnect(c, err_text(ERR_TIMEOUT));
        break;
    case ST_SERVER:
    case ST_CLIENT:
        set_reason(c, c->is_outgoing ? "no wazap in time" : "no hello in time");
        automat_feed(&c->automat, EV_TIMER_10SEC, NULL);
        break;
    case ST_CONNECTED:
        check(c);
        break;
    default:
        lose(c, "the peer did not close");
        break;
    }
}

/* The socket. */

/* Returns how many pieces it was. */
static unsigned consume(struct tcp_connection *c, const uint8_t *bytes, size_t length)
{
    unsigned pieces = 0;
    size_t at = 0;

    while (!c->is_ending) {
        struct frame_piece piece;
        size_t taken;
        enum err e = frame_decode(&c->decoder, bytes + at, length - at, &taken, &piece);

        at += taken;
        if (e != ERR_OK)
            tcp_connection_disconnect(c, err_text(e));
        else if (piece.kind == FRAME_PIECE_NONE)
            break;
        else
            automat_feed(&c->automat, EV_DATA_RECEIVED, &piece);
        pieces++;
    }
    return pieces;
}

static unsigned received(struct tcp_connection *c, size_t length)
{
    unsigned pieces;

    c->received_bytes += length;
    c->activity_ms = loop_now_ms(c->home->loop);
    metrics_add(METRIC_BYTES_RECEIVED, length);
    if (tcp_connection_state(c) == ST_DISCONNECT)
        return 0;
    pieces = consume(c, c->home->scratch, length);
    c->has_small_frames = length / SMALL_FRAME_BYTES < pieces;
    return pieces;
}

static bool may_read(const struct tcp_connection *c)
{
    return c->can_read && tcp_connection_state(c) != ST_CLOSED &&
           (tcp_connection_state(c) == ST_DISCONNECT ||
            buf_length(&c->writer.control) < CONTROL_WAITING_MAX);
}

/* One call of recv(2). A read that does not fill the room has emptied the socket: the next bytes
 * ring again (epoll(7), edge-triggered), only an end that was announced with them must be read up
 * to. Returns how many pieces came. */
static unsigned read_once(struct tcp_connection *c)
{
    size_t room = c->home->scratch_size;
    ssize_t n;

    if (c->has_small_frames && room > SMALL_READ_BYTES)
        room = SMALL_READ_BYTES;
    n = recv(c->watch.fd, c->home->scratch, room, MSG_DONTWAIT);
    if (n > 0) {
        if ((size_t)n < room && !c->has_peer_ended)
            c->can_read = false;
        return received(c, (size_t)n);
    }
    if (n == 0) {
        c->can_read = false;
        lose(c, "closed by the peer");
    } else if (errno == EAGAIN) {
        c->can_read = false;
    } else if (errno != EINTR) {
        c->can_read = false;
        lose(c, err_text(err_from_errno(errno)));
    }
    return 0;
}

static void read_some(struct tcp_connection *c)
{
    unsigned pieces = 0;

    for (unsigned i = 0; i < READS_PER_TURN && pieces < PIECES_PER_TURN && may_read(c); i++)
        pieces += read_once(c);
}

static void write_some(struct tcp_connection *c)
{
    bool is_closing = tcp_connection_state(c) != ST_CONNECTED;
    enum err e;

    if (!c->can_write || c->is_shut)
        return;
    e = tcp_writer_run(&c->writer, c->watch.fd, c->home, &c->outgoing, FRAMES_PER_TURN, is_closing,
                       tcp_files_broken, c);
    if (e == ERR_AGAIN) {
        c->can_write = false;
    } else if (e == ERR_FULL) {
        wakes(c);
    } else if (e != ERR_OK) {
        lose(c, err_text(e));
    } else if (tcp_connection_state(c) == ST_DISCONNECT) {
        c->is_shut = true;
        shutdown(c->watch.fd, SHUT_WR);
    }
}

static void give_up_startup(struct tcp_connection *c)
{
    char reason[160], peer[ADDRESS_TEXT_SIZE];

    snprintf(reason, sizeof reason, "connection failed: %s", c->reason);
    log_session(LOG_LEVEL_INFO, c->id, address_text(peer, &c->peer), "%s", reason);
    metrics_add(METRIC_HANDSHAKES_FAILED, 1);
    tcp_directory_hide(c->home->directory, c->id);
    tcp_files_fail_waiting(c, reason, true);
    answer_awaiters(c, ERR_CLOSED);
    bury(c);
}

static void finish_connect(struct tcp_connection *c)
{
    int error_number = 0;
    socklen_t length = sizeof error_number;

    getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &error_number, &length);
    if (error_number != 0)
        tcp_connection_disconnect(c, err_text(err_from_errno(error_number)));
    else
        automat_feed(&c->automat, EV_CONNECTION_MADE, NULL);
}

void tcp_connection_turn(struct tcp_connection *c)
{
    MAGIC_CHECK(c, connection_magic);
    if (tcp_connection_state(c) == ST_CLOSED)
        return;
    if (tcp_connection_state(c) == ST_AT_STARTUP) {
        if (!c->is_ending && c->can_write)
            finish_connect(c);
        if (c->is_ending && tcp_connection_state(c) == ST_AT_STARTUP) {
            if (c->watch.fd >= 0 || c->is_connecting) {
                c->is_connecting = false;
                give_up_startup(c);
            }
            return;
        }
    }
    read_some(c);
    if (tcp_connection_state(c) == ST_CONNECTED)
        tcp_files_turn(c);
    if (tcp_connection_state(c) != ST_CLOSED)
        write_some(c);
    if (may_read(c))
        wakes(c);
    if (tcp_connection_state(c) == ST_CONNECTED && tcp_files_is_busy(c))
        check_soon(c);
}

static void socket_ready(struct watch *w, uint32_t events)
{
    struct tcp_connection *c = w->ctx;

    MAGIC_CHECK(c, connection_magic);
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->can_read = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->has_peer_ended = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        c->can_write = true;
    wakes(c);
}

/* Birth and death. */

static int32_t first_file_id(bool is_outgoing)
{
    uint32_t random = 0;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint32_t)clock_mono_us();
    return (int32_t)(FILE_ID_FIRST + (random % FILE_ID_SPREAD / 2) * 2 + (is_outgoing ? 0 : 1));
}

static struct tcp_connection *blank(struct tcp_home *home, const struct tcp_connection_news *news,
                                    void *worker, uint64_t id, const struct address *peer)
{
    struct tcp_connection *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->magic = connection_magic;
    c->home = home;
    c->news = news;
    c->worker = worker;
    c->id = id;
    c->peer = *peer;
    c->watch = (struct watch){.fd = -1, .ready = socket_ready, .ctx = c};
    c->timer = (struct timer){.fire = time_is_up, .ctx = c};
    c->opened_us = clock_real_us();
    c->activity_ms = loop_now_ms(home->loop);
    frame_decoder_init(&c->decoder, home->settings.sessions.control_frame_limit_bytes);
    tcp_writer_init(&c->writer, loop_now_ms(home->loop));
    TAILQ_INIT(&c->incoming.head);
    TAILQ_INIT(&c->outgoing.head);
    STAILQ_INIT(&c->waiting);
    STAILQ_INIT(&c->awaiters);
    automat_init(&c->automat, &tcp_connection_kind, c);
    return c;
}

/* Options that fail change nothing that is promised: a debug line is enough. */
static void set_options(int fd, const struct settings *s)
{
    int on = 1;
    unsigned user_timeout_ms = s->sessions.tcp_user_timeout_s * 1000u;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms) < 0)
        log_debug("setsockopt: %s", strerror(errno));
}

static enum err watch_socket(struct tcp_connection *c, int fd)
{
    c->watch.fd = fd;
    set_options(fd, &c->home->settings);
    return loop_add(c->home->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

enum err tcp_connection_accept(struct tcp_connection **out, struct tcp_home *home,
                               const struct tcp_connection_news *news, void *worker, uint64_t id,
                               int fd, const struct address *peer)
{
    struct tcp_connection *c = blank(home, news, worker, id, peer);
    enum err e = c == NULL ? ERR_NO_MEMORY : watch_socket(c, fd);

    if (e != ERR_OK) {
        close(fd);
        tcp_directory_leave(home->directory, id);
        free(c);
        return e;
    }
    c->next_file_id = first_file_id(false);
    *out = c;
    automat_feed(&c->automat, EV_CONNECTION_MADE, NULL);
    return ERR_OK;
}

static enum err start_connect(struct tcp_connection *c)
{
    struct sockaddr_storage to;
    socklen_t length = address_to_sockaddr(&c->peer, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    enum err e;

    if (fd < 0)
        return err_from_errno(errno);
    if (connect(fd, (const struct sockaddr *)&to, length) < 0 && errno != EINPROGRESS) {
        e = err_from_errno(errno);
        close(fd);
        return e;
    }
    e = watch_socket(c, fd);
    if (e != ERR_OK) {
        close(fd);
        c->watch.fd = -1;
    }
    return e;
}

enum err tcp_connection_dial(struct tcp_connection **out, struct tcp_home *home,
                             const struct tcp_connection_news *news, void *worker, uint64_t id,
                             const struct address *peer)
{
    struct tcp_connection *c = blank(home, news, worker, id, peer);
    enum err e;

    if (c == NULL)
        return ERR_NO_MEMORY;
    c->is_outgoing = c->is_connecting = true;
    c->next_file_id = first_file_id(true);
    *out = c;
    set_timer(c, home->settings.sessions.connect_timeout_s * 1000ull);
    e = start_connect(c);
    if (e != ERR_OK)
        tcp_connection_disconnect(c, err_text(e));
    return ERR_OK;
}

void tcp_connection_free(struct tcp_connection **connection)
{
    struct tcp_connection *c = *connection;

    if (c == NULL)
        return;
    MAGIC_CHECK(c, connection_magic);
    CONTRACT(c->watch.fd < 0 && c->incoming.count == 0 && c->outgoing.count == 0 &&
             c->waiting_count == 0);
    frame_decoder_fini(&c->decoder);
    tcp_writer_fini(&c->writer);
    free(c->idurl);
    free(c->announced);
    free(c->dropped);
    c->magic = 0;
    free(c);
    *connection = NULL;
}

/* Questions. */

void tcp_connection_await(struct tcp_connection *c, struct host_request *r)
{
    if (tcp_connection_state(c) == ST_CONNECTED) {
        r->answer = true;
        r->session = c->id;
        request_answer(&r->request, ERR_OK);
    } else if (c->is_ending && tcp_connection_state(c) != ST_AT_STARTUP) {
        snprintf(r->error, sizeof r->error, "%s", c->reason);
        request_answer(&r->request, ERR_CLOSED);
    } else {
        STAILQ_INSERT_TAIL(&c->awaiters, &r->request.message, link);
    }
}

void tcp_connection_describe(const struct tcp_connection *c, struct session_info *out)
{
    uint64_t quiet_ms = loop_now_ms(c->home->loop) - c->activity_ms;

    *out = (struct session_info){.id = c->id,
                                 .state = automat_state_name(&c->automat),
                                 .host = c->peer,
                                 .is_verified = is_routed(c),
                                 .is_outgoing = c->is_outgoing,
                                 .worker = c->home->worker,
                                 .files_in = c->incoming.count,
                                 .files_out = c->outgoing.count,
                                 .files_waiting = c->waiting_count,
                                 .bytes_sent = c->writer.sent_bytes,
                                 .bytes_received = c->received_bytes,
                                 .opened_at_us = c->opened_us,
                                 .last_activity_us = clock_real_us() - (int64_t)quiet_ms * 1000};
    snprintf(out->proto, sizeof out->proto, "tcp");
    snprintf(out->announced, sizeof out->announced, "%.*s", (int)sizeof out->announced - 1,
             c->announced == NULL ? "" : c->announced);
    snprintf(out->idurl, sizeof out->idurl, "%.*s", (int)sizeof out->idurl - 1, idurl_of(c));
}
